"""What a recipe is told of the words that LLaMA-Factory alone has; see :mod:`training.recipe.words`."""

from __future__ import annotations

_NONE = "there is none like it here: "
_TEXT = f"{_NONE}bases read text alone"
_TOKEN = f"{_NONE}a token's loss is its own log-probability's, with one weight for all"
_ENGINE = f"{_NONE}bases are trained by transformers and PyTorch"
_SERVED = f"{_NONE}what is trained is served by vLLM, with `pointsman serve`"
_ADAPTERS = f"{_NONE}of adapters there is LoRA, with its kin in sft"
_PROFILE = f"{_NONE}no profile is taken"
_SPECIAL = f"{_NONE}cpt's vocabulary adds pieces of text, and no special token"
_TASKS = "here `pointsman eval model` asks tasks of lm-eval, by a plan of its own"
_PROCESSES = f"{_NONE}several processes are accelerate's, see docs/training.md"
_FEWER = "train.gradient_checkpointing is off unless it is set, and has no options"
_DRAWN = f"{_NONE}ppo and grpo draw each token by its chance; nothing else in training writes answers"
OTHERWISE = {
    # data
    "media_dir": _TEXT,
    "ignore_pad_token_for_loss": "here padding is never learned",
    "eval_on_each_dataset": "here cpt measures each held-out text by itself, other stages all rows together",
    "preserve_thinking": f"{_NONE}the base's tokenizer and its chat template say it",
    "data_shared_file_system": f"{_NONE}every process reads the files by itself",
    # the base
    **dict.fromkeys(("add_special_tokens", "new_special_tokens_config", "init_special_tokens"), _SPECIAL),
    **dict.fromkeys(("shift_attn", "mixture_of_depths"), f"{_NONE}a base keeps its own architecture"),
    "rope_scaling": "here a base is loaded by its own config.json",
    **dict.fromkeys(("upcast_layernorm", "upcast_lmhead_output"), f"{_NONE}train.precision is of the whole"),
    **dict.fromkeys(("low_cpu_mem_usage", "offload_folder"), f"{_NONE}weights are read as safetensors, once"),
    "quantization_device_map": f"{_NONE}a base in 4 bits lies on one GPU, or on the CPU",
    "hf_hub_token": f"{_NONE}the hub reads its HF_TOKEN from the environment",
    **dict.fromkeys(("ms_hub_token", "om_hub_token"), f"{_NONE}a hub id is Hugging Face's; give a folder"),
    # the method
    "use_llama_pro": f"{_NONE}no layers are added to a base",
    "module_dropout": _ADAPTERS,
    "loraplus_lr_embedding": f"{_NONE}LoRA is put on linear layers alone",
    "pissa_iter": f"{_NONE}pissa begins from exact singular values",
    "pissa_convert": "here `pointsman convert` makes an exact LoRA of what pissa has learned",
    **dict.fromkeys(("freeze_vision_tower", "freeze_multi_modal_projector", "freeze_language_model"), _TEXT),
    **dict.fromkeys(("use_dft_loss", "use_asft_loss", "asft_alpha", "use_eaft_loss", "eaft_alpha"), _TOKEN),
    **dict.fromkeys(("disable_gradient_checkpointing", "use_reentrant_gc"), f"here {_FEWER}"),
    # what runs, and what it says
    **dict.fromkeys(("use_mca", "use_v1_kernels", "use_kt"), _ENGINE),
    **dict.fromkeys(("use_hyper_parallel", "hyper_parallel_args", "master_addr", "master_port"), _PROCESSES),
    "compute_accuracy": "here accuracy is measured with every loss that has one",
    "include_effective_tokens_per_second": "here metrics.jsonl has tokens_per_second",
    "print_param_status": "here the estimate before a run says how many weights learn",
    **dict.fromkeys(("enable_torch_profiler", "profile_modules"), _PROFILE),
    # answers, and what is served
    **dict.fromkeys(("do_sample", "num_beams", "length_penalty", "eval_num_beams"), _DRAWN),
    "skip_special_tokens": "here rewards read answers without special tokens",
    **dict.fromkeys(("infer_backend", "infer_dtype", "use_kv_cache"), _SERVED),
    **dict.fromkeys(("task", "task_dir", "lang", "n_shot", "download_mode", "save_dir"), _TASKS),
    **dict.fromkeys(("crop_to_patches", "use_audio_in_video"), _TEXT),
}
FAMILIES = {
    "oft_": _ADAPTERS,
    "kt_": _ENGINE,
    "sglang_": _SERVED,
    "profiler_": _PROFILE,
    "fp8": f"{_NONE}a run's arithmetic is bf16 or fp32",
}
