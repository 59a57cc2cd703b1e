"""What TRL and LLaMA-Factory call the keys and values of a recipe: who comes from there is told ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, ClassVar, get_args

from pydantic import BaseModel

from pointsman.document import Document
from pointsman.problems import Location, dotted, field_names, misspelt
from training.recipe import llama_factory

KEYS = {  # theirs → where it is here; the first of them that the stage's recipe has
    # the base, and what comes of it
    **dict.fromkeys(("model_name_or_path", "model_name", "sft_model_path"), ("base",)),
    **dict.fromkeys(("adapter_name_or_path", "adapter_folder"), ("init_adapter",)),
    "train_from_scratch": ("model",),
    **dict.fromkeys(("output_dir", "run_name", "exp_name"), ("name",)),
    **dict.fromkeys(("report_to", "log_with"), ("trackers",)),
    "data_seed": ("seed",),
    # data
    **dict.fromkeys(("dataset", "dataset_name", "train_file", "dataset_dir"), ("data.sources",)),
    **dict.fromkeys(
        ("cutoff_len", "max_length", "max_seq_length", "max_prompt_length"), ("data.max_tokens",)
    ),
    "val_size": ("data.validation_rows",),
    **dict.fromkeys(("packing", "neat_packing"), ("packing",)),
    "resize_vocab": ("vocabulary",),
    # optimisation
    **dict.fromkeys(("lr", "learning_rate"), ("train.learning_rate",)),
    **dict.fromkeys(("num_train_epochs", "num_epochs", "epochs"), ("train.epochs",)),
    "max_steps": ("train.steps",),
    **dict.fromkeys(("per_device_train_batch_size", "batch_size"), ("train.batch_rows",)),
    "gradient_accumulation_steps": ("train.accumulate",),
    "lr_scheduler_type": ("train.schedule",),
    "warmup_ratio": ("train.warmup",),
    "weight_decay": ("train.weight_decay",),
    "max_grad_norm": ("train.max_grad_norm",),
    **dict.fromkeys(("bf16", "fp16", "pure_bf16", "dtype", "torch_dtype"), ("train.precision",)),
    **dict.fromkeys(("gradient_checkpointing", "use_unsloth_gc"), ("train.gradient_checkpointing",)),
    "torch_compile": ("train.compile",),
    "logging_steps": ("train.log_every",),
    "eval_steps": ("train.evaluate_every",),
    "save_steps": ("train.save_every",),
    # the method
    "finetuning_type": ("method",),
    "use_dora": ("method: dora",),
    "pissa_init": ("method: pissa",),
    **dict.fromkeys(
        ("load_in_4bit", "quantization_bit", "quantization_method", "quantization_type"), ("method: qlora",)
    ),
    **dict.fromkeys(
        ("double_quantization", "use_bnb_nested_quant", "bnb_4bit_use_double_quant"),
        ("qlora.double_quantisation",),
    ),
    "export_quantization_bit": ("bits",),
    "export_quantization_nsamples": ("data.calibration_rows",),
    "freeze_trainable_layers": ("freeze.learn_last",),
    **dict.fromkeys(("freeze_trainable_modules", "freeze_extra_modules"), ("freeze.learn",)),
    **dict.fromkeys(("r", "lora_r", "lora_rank"), ("lora.rank",)),
    "lora_alpha": ("lora.alpha",),
    "lora_dropout": ("lora.dropout",),
    **dict.fromkeys(("lora_target", "lora_target_modules", "target_modules"), ("lora.targets",)),
    "use_rslora": ("lora.rslora",),
    "loraplus_lr_ratio": ("lora.plus",),
    "num_virtual_tokens": ("prompt_tuning.tokens",),
    # preferences
    **dict.fromkeys(("pref_loss", "loss_type"), ("loss",)),
    "pref_beta": ("beta",),
    **dict.fromkeys(("pref_ftx", "rpo_alpha", "cpo_alpha"), ("sft_weight",)),
    "dpo_label_smoothing": ("label_smoothing",),
    "simpo_gamma": ("gamma",),
    **dict.fromkeys(("kto_chosen_weight", "desirable_weight"), ("desirable_weight",)),
    **dict.fromkeys(("kto_rejected_weight", "undesirable_weight"), ("undesirable_weight",)),
    "center_rewards_coefficient": ("centre",),
    # answers that are sampled
    **dict.fromkeys(
        ("max_completion_length", "max_new_tokens", "response_length"), ("sampling.max_new_tokens",)
    ),
    "temperature": ("sampling.temperature",),
    "missing_eos_penalty": ("sampling.unstopped_penalty",),
    "local_rollout_forward_batch_size": ("sampling.batch_rows",),
    **dict.fromkeys(("reward_model", "reward_model_path", "reward_funcs"), ("rewards",)),
    "beta": ("beta", "kl_coefficient", "kl.coefficient"),
    # grpo
    "num_generations": ("generations",),
    "num_iterations": ("iterations",),
    "epsilon": ("clip", "train.clip"),
    "epsilon_high": ("clip_high",),
    "scale_rewards": ("scale_rewards",),
    # ppo
    **dict.fromkeys(("kl_coef", "init_kl_coef", "kl_loss_coef"), ("kl.coefficient", "kl_coefficient")),
    "kl_estimator": ("kl.estimator",),
    **dict.fromkeys(("target", "ppo_target", "target_kl"), ("kl.target",)),
    **dict.fromkeys(("num_ppo_epochs", "ppo_epochs"), ("train.epochs", "iterations")),
    **dict.fromkeys(("cliprange", "clip_range", "clip_ratio"), ("train.clip", "clip")),
    "cliprange_value": ("value.clip",),
    **dict.fromkeys(("mini_batch_size", "local_mini_batch_size"), ("train.minibatch_rows",)),
    **dict.fromkeys(("lam", "gae_lambda"), ("train.lam",)),
    **dict.fromkeys(("value_lr", "critic_lr", "critic_learning_rate"), ("value.learning_rate",)),
    "ptx_coef": ("pretraining.coefficient",),
    "entropy_coef": ("train.entropy_coefficient",),
    **dict.fromkeys(("ppo_score_norm", "use_score_norm", "use_score_scaling"), ("train.normalise_rewards",)),
    "whiten_advantages": ("train.whiten_advantages",),
    "vllm_server_base_url": ("server.url",),
    "vllm_server_timeout": ("server.timeout",),
    **dict.fromkeys(("use_vllm", "vllm_mode", "vllm_server_host", "vllm_server_port"), ("server",)),
}
_PROCESSES = "there is none like it here: several processes are accelerate's, see docs/training.md"
_EVALUATED = "here evaluation is at the end, and every train.evaluate_every steps"
_SAVED = "here checkpoints come every train.save_every steps, and the run's last weights are its result"
_TEXT = "there is none like it here: bases read text alone"
_READ = "there is none like it here: rows are read and tokenised once, before the first step"
_TOKENIZER = "there is none like it here: the base's tokenizer and its chat template say it"
_RESUMED = "here `pointsman train` with the same recipe goes on from the run's last checkpoint"
_INNER = "there is none like it here: it changes how a run works, and not what it gives"
_SHOWN = "there is none like it here: metrics.jsonl, curves.png and trackers have what is measured"
_KERNELS = "there is none like it here: attention is PyTorch's own, by the kernel that fits"
_ARITHMETIC = "there is none like it here: a run's arithmetic is bf16 or fp32 throughout"
_WHOLE = "there is none like it here: answers are drawn from the whole distribution, as the ratios are of it"
_ONE_LOSS = "there is none like it here: the losses are those that `loss` takes"
_REFERENCE = "here the reference is the start: the base, or init_adapter where it is given"
_MODULES = (
    "there is none like it here: beside an adapter nothing of the base learns, but the embeddings where cpt "
    "has a vocabulary"
)
_MIXTURE = "here it is what the base's config.json says; ppo leaves a mixture's router alone"
_ADAMW = "there is none like it here: all stages learn by AdamW, qlora's is paged by qlora.paged"
_TRUNCATED = (
    "there is none like it here: with a server grpo multiplies a token's loss by its ratio, at most 3"
)
OTHERWISE = {  # theirs → what is said of it where KEYS has nothing; ours is not the same, or there is none
    "warmup_steps": "here it is train.warmup, a share of the steps (below 1) in place of their number",
    # the optimiser
    "optim": _ADAMW,
    **dict.fromkeys(("use_muon", "use_adam_mini", "use_galore", "use_apollo", "use_badam"), _ADAMW),
    **dict.fromkeys(
        ("adam_beta1", "adam_beta2", "adam_epsilon", "optim_args", "optim_target_modules"), _ADAMW
    ),
    "lr_scheduler_kwargs": "there is none like it here: train.schedule falls to zero at the last step",
    "neftune_noise_alpha": "there is none like it here: no noise is put on embeddings",
    "label_smoothing_factor": "there is none like it here: a token's loss is its own log-probability's",
    "label_smoothing": "there is none like it here: of preferences it is of the stage dpo",
    # the method
    "load_in_8bit": "there is none like it here: a base is held in full, or in 4 bits by `method: qlora`",
    "use_peft": "here the method says it: lora is an adapter, full is not",
    **dict.fromkeys(("lora_modules_to_save", "modules_to_save", "additional_target"), _MODULES),
    "lora_target_parameters": "there is none like it here: LoRA is put on linear layers alone",
    "create_new_adapter": "here init_adapter goes on with the adapter that it names; left out, one is new",
    "lora_task_type": "here the stage says it",
    # data
    "train_on_prompt": "here the stage cpt learns every token; the others learn what the assistant says",
    "mask_history": "here a source of sft has `answers: last`",
    "completion_only_loss": "here the format prompt_completion learns the completion alone",
    "assistant_only_loss": "here sft always learns what the assistant says, and nothing else",
    **dict.fromkeys(("interleave_probs", "mix_strategy"), "here each of data.sources has its weight"),
    "max_samples": "there is none like it here: a source's weight below 1 takes a share of its rows",
    **dict.fromkeys(("streaming", "dataset_streaming", "buffer_size", "dataset_num_proc"), _READ),
    "overwrite_cache": _READ,
    **dict.fromkeys(("tokenized_path", "dataset_kwargs"), _READ),
    "eval_dataset": "here data.validation_rows are kept out of data.sources and evaluated on",
    "dataset_text_field": "here it is columns of a source, such as {text: body}",
    **dict.fromkeys(
        ("dataset_config", "dataset_train_split", "dataset_test_split"), "here a source is a file"
    ),
    **dict.fromkeys(("template", "chat_template_path", "tool_format", "default_system"), _TOKENIZER),
    **dict.fromkeys(("eos_token", "pad_token", "use_fast_tokenizer", "split_special_tokens"), _TOKENIZER),
    **dict.fromkeys(("chat_template_kwargs", "enable_thinking"), _TOKENIZER),
    "tokenizer_name_or_path": _TOKENIZER,
    "reference_free": _REFERENCE,
    **dict.fromkeys(
        ("generate_during_eval", "predict_with_generate"),
        "there is none like it here: `pointsman eval model` judges what a served model answers",
    ),
    **dict.fromkeys(
        ("sym", "desc_act"), "there is none like it here: weights are symmetric, in the order of the columns"
    ),
    "add_tokens": "there is none like it here: cpt's vocabulary adds pieces that it finds in the text",
    **dict.fromkeys(("shuffle_dataset", "disable_shuffling"), "here rows are shuffled by seed in each epoch"),
    "truncation_mode": "there is none like it here: data.max_tokens says how long a row may be",
    # what runs, is shown and is kept
    **dict.fromkeys(("do_train", "do_eval", "do_predict"), "here the command says it: `pointsman train`"),
    **dict.fromkeys(("eval_strategy", "evaluation_strategy", "eval_delay", "eval_on_start"), _EVALUATED),
    "per_device_eval_batch_size": "here evaluation takes batches of train.batch_rows",
    **dict.fromkeys(("save_strategy", "save_total_limit", "save_only_model", "overwrite_output_dir"), _SAVED),
    **dict.fromkeys(("load_best_model_at_end", "metric_for_best_model", "greater_is_better"), _SAVED),
    "early_stopping_steps": _SAVED,
    **dict.fromkeys(("resume_from_checkpoint", "ignore_data_skip"), _RESUMED),
    "logging_strategy": "here metrics come every train.log_every steps",
    "plot_loss": "here curves.png is always drawn",
    **dict.fromkeys(("deepspeed", "fsdp", "fsdp_config", "local_rank", "accelerator_config"), _PROCESSES),
    "ds3_gather_for_generation": _PROCESSES,
    **dict.fromkeys(("flash_attn", "attn_implementation", "use_unsloth", "use_liger_kernel"), _KERNELS),
    **dict.fromkeys(("enable_liger_kernel", "liger_kernel_config"), _KERNELS),
    "padding_free": "there is none like it here: packing is what saves padding, in sft",
    "pad_to_multiple_of": "here batches are padded to a multiple of 8 on a GPU, and to no more on a CPU",
    "group_by_length": "here a batch's rows are of like length, but in ppo, grpo and quantize",
    "use_cpu": "there is none like it here: a GPU is used where PyTorch finds one",
    "trust_remote_code": "there is none like it here: code that comes with a base is never run",
    **dict.fromkeys(("model_revision", "cache_dir"), "here base is a folder, or a hub id of its newest"),
    "push_to_hub": "there is none like it here: the artefact stays in the run's folder",
    **dict.fromkeys(("debug", "disable_tqdm", "project", "skip_memory_metrics"), _SHOWN),
    "include_num_input_tokens_seen": _SHOWN,
    "full_determinism": "here the same seed gives the same result on a CPU",
    **dict.fromkeys(
        ("average_tokens_across_devices", "parallelism_config", "ignore_bias_buffers"), _PROCESSES
    ),
    "activation_offloading": "there is none like it here: train.gradient_checkpointing saves that memory",
    "auto_find_batch_size": "there is none like it here: `pointsman check` estimates a run's memory",
    **dict.fromkeys(("torch_empty_cache_steps", "use_cache", "cache_implementation"), _INNER),
    **dict.fromkeys(("cast_lm_head_to_fp32", "bf16_full_eval", "fp16_full_eval", "tf32"), _ARITHMETIC),
    **dict.fromkeys(("enable_jit_checkpoint", "restore_callback_states_from_checkpoint"), _RESUMED),
    **dict.fromkeys(("batch_eval_metrics", "include_for_metrics", "prediction_loss_only"), _EVALUATED),
    **dict.fromkeys(("label_names", "remove_unused_columns", "length_column_name"), _READ),
    "train_sampling_strategy": "here rows are shuffled by seed in each epoch",
    "packing_strategy": "here packing lays rows by best fit, decreasing (TRL's bfd)",
    "model_init_kwargs": "here a base is loaded by its own config.json",
    **dict.fromkeys(("router_aux_loss_coef", "moe_aux_loss_coef"), _MIXTURE),
    # preferences
    "loss_type": "there is none like it here: this stage has one loss",
    "loss_weights": "here the one sum of losses is sft_weight's, of the chosen answers' own loss",
    **dict.fromkeys(("ref_model", "ref_model_adapters", "ref_model_quantization_bit"), _REFERENCE),
    **dict.fromkeys(("sync_ref_model", "ref_model_sync_steps", "ref_model_mixup_alpha"), _REFERENCE),
    **dict.fromkeys(("precompute_ref_log_probs", "precompute_ref_batch_size"), _REFERENCE),
    **dict.fromkeys(("discopop_tau", "f_divergence_type", "f_alpha_divergence_coef", "ld_alpha"), _ONE_LOSS),
    **dict.fromkeys(("use_weighting", "pref_bco_weight"), _ONE_LOSS),
    "disable_dropout": "here lora.dropout must be 0 wherever log-probabilities are compared",
    # ppo and grpo
    "reward_weights": "here each of rewards has its weight",
    **dict.fromkeys(("top_p", "top_k", "min_p", "repetition_penalty", "generation_kwargs"), _WHOLE),
    "delta": "there is none like it here: the ratio's use ends at clip and clip_high",
    "mask_truncated_completions": "here sampling.unstopped_penalty is taken from an answer that was cut",
    "steps_per_generation": "there is none like it here: answers are drawn for one step, and used again by "
    "grpo's iterations or ppo's train.epochs",
    "generation_batch_size": "there is none like it here: all answers of a step are drawn before it",
    "total_episodes": "here it is train.steps of train.rollout_rows answers each",
    "num_mini_batches": "here it is train.minibatch_rows, answers in place of their parts",
    **dict.fromkeys(("ppo_buffer_size", "rollout_batch_size"), "here it is train.rollout_rows, in answers"),
    **dict.fromkeys(
        ("vf_coef", "vf_loss_coef"),
        "there is none like it here: the value head has its own value.learning_rate",
    ),
    **dict.fromkeys(
        ("whiten_rewards", "ppo_whiten_rewards"), "here train.whiten_advantages does it to advantages"
    ),
    **dict.fromkeys(("horizon", "adap_kl_ctrl"), "here kl.target makes β follow, by at most kl.rate a step"),
    **dict.fromkeys(("stop_token", "stop_token_id"), _TOKENIZER),
    "num_generations_eval": "here each of the data.validation_rows that are kept out is answered once",
    **dict.fromkeys(
        ("importance_sampling_level", "off_policy_mask_threshold", "use_bias_correction_kl"), _ONE_LOSS
    ),
    **dict.fromkeys(
        ("top_entropy_quantile", "use_adaptive_entropy", "multi_objective_aggregation"), _ONE_LOSS
    ),
    "reward_clip_range": "there is none like it here: a rule gives the reward that counts",
    "max_tool_calling_iterations": "there is none like it here: an answer is one message",
    "num_completions_to_print": "here metrics.jsonl has the numbers, and no answers",
    "normalize_advantages": "there is none like it here: rloo's advantages are not scaled",
}
FAMILIES = {  # how several of theirs begin → what is said of each
    "log_": _SHOWN,
    "logging_": OTHERWISE["logging_strategy"],
    "entropy_": "there is none like it here: ppo alone has a weight of the entropy",
    **dict.fromkeys(("transformers_", "use_transformers_"), _INNER),
    "dataloader_": _READ,
    "preprocessing_": _READ,
    "ddp_": _PROCESSES,
    "fsdp_": _PROCESSES,
    "ray_": _PROCESSES,
    "eval_": _EVALUATED,
    "save_": _SAVED,
    "hub_": OTHERWISE["push_to_hub"],
    "trackio_": "here trackers are tensorboard and wandb",
    **dict.fromkeys(("swanlab_", "use_swanlab"), "here trackers are tensorboard and wandb"),
    **dict.fromkeys(("galore_", "apollo_", "badam_"), _ADAMW),
    "torch_compile_": "here it is train.compile, without options",
    "gradient_checkpointing_": "here it is train.gradient_checkpointing, without options",
    "vllm_importance_sampling_": _TRUNCATED,
    "bnb_4bit_": "there is none like it here: qlora's base is in nf4, and its arithmetic is train.precision",
    "vllm_": "there is none like it here: a vLLM server has the options that it was started with",
    **dict.fromkeys(("sapo_", "vespo_"), _ONE_LOSS),
    "export_": "here `pointsman convert` makes what is served, and the stage quantize what has fewer bits",
    "reward_model_": "here a reward is one of rewards, {model: the artefact of a run of stage rm}",
    **dict.fromkeys(("image_", "video_", "audio_"), _TEXT),
}
IN_SOURCE = {  # what they call the keys of a source of rows → what is said of it
    **dict.fromkeys(("file_name", "file", "data_files", "dataset", "dataset_name"), "here it is path"),
    "formatting": "here it is format",
    "tags": "here role_tag, content_tag and the other tags stand in columns",
    "ranking": "here it is `format: pairs`, or columns of alpaca and sharegpt with chosen and rejected",
    **dict.fromkeys(("num_samples", "max_samples"), "here weight takes a share of the rows, such as 0.5"),
    **dict.fromkeys(("hf_hub_url", "ms_hub_url", "om_hub_url"), "here a source is a file; give its path"),
    **dict.fromkeys(("script_url", "cloud_file_name"), "here a source is a file; give its path"),
    **dict.fromkeys(("subset", "split", "folder"), "here a source is one file; give its path"),
    **dict.fromkeys(
        ("prompt", "query", "response", "history", "messages", "system", "tools"), "here it is in columns"
    ),
    **dict.fromkeys(("chosen", "rejected", "kto_tag"), "here it is in columns"),
}
LOSSES = {"dpo": "sigmoid", "kto_pair": "kto"}
SCALED = {True: "group", False: "none"}  # TRL's scale_rewards, as it was before it had names
STAGES = {
    "pt": "cpt",
    "pretrain": "cpt",
    "reward": "rm",
    "reward_model": "rm",
    "kto": "dpo with `loss: kto`",
    "orpo": "dpo with `loss: orpo`",
    "simpo": "dpo with `loss: simpo`",
    "gptq": "quantize",
}


_NAMED = re.compile(
    r"\b(?:train|data|sampling|lora|qlora|freeze|kl|value|server)\.\w+|method: \w+"
)  # of ours


class Worded(Document):
    """A recipe whose errors name ours for what another program calls otherwise."""

    formats: ClassVar[tuple[str, ...]] = ()  # of its sources; none: what pydantic says of them

    @classmethod
    def reworded(cls, place: Location, kind: str, value: Any) -> str | None:
        """See :class:`Document`."""
        if kind == "extra_forbidden":
            said = cls._of_key(place)
            return f"unknown key; {said}" if said else None
        if kind == "literal_error" and place == ("loss",) and str(value) in LOSSES:
            return f"must be a loss, found {value!r}; it is {LOSSES[str(value)]!r} here"
        if kind == "literal_error" and place == ("scale_rewards",) and isinstance(value, bool):
            was = " and ".join(f"{str(old).lower()} is {new}" for old, new in SCALED.items())
            return (
                f"must be 'group', 'batch' or 'none', found {str(value).lower()}; of TRL's older {was} here, "
                "batch had no word"
            )
        if kind == "literal_error" and place[:2] == ("data", "sources") and place[-1] == "format":
            return cls._of_formats(value)
        return None

    @classmethod
    def _of_key(cls, place: Location) -> str | None:
        """What is said of a key that is not ours; None: nothing but what may stand there."""
        name = str(place[-1])
        if "sources" in place[:-1]:
            return IN_SOURCE.get(name)
        theirs = KEYS.get(name, ())
        if place[0] == "sampling" and name == "max_length":
            theirs = KEYS["max_new_tokens"]
        ours = [key for key in theirs if has(cls, key)][:1] or list(named(cls, name))
        ours = [key for key in ours if key != dotted(place)]
        if ours:
            return f"here it is {' or '.join(map(_shown, ours))}"
        if said := OTHERWISE.get(name) or llama_factory.OTHERWISE.get(name):
            return cls._fitting(said)
        slip = misspelt(name, field_names(cls, place[:-1]))
        families = FAMILIES | llama_factory.FAMILIES
        if not slip and (said := next((families[one] for one in families if name.startswith(one)), None)):
            return cls._fitting(said)
        return (
            f"other stages have it as {_shown(theirs[0])}, this one has nothing like it" if theirs else None
        )

    @classmethod
    def _fitting(cls, said: str) -> str:
        """``said`` as far as it names keys that this stage has."""
        for key in _NAMED.finditer(said):
            if not has(cls, key[0]):
                end = max(said.rfind(mark, 0, key.start()) for mark in (": ", ", ", "; "))
                return said[:end] if end > 0 else "this stage has nothing like it"
        return said

    @classmethod
    def _of_formats(cls, value: Any) -> str | None:
        if not cls.formats:
            return None
        close = get_close_matches(str(value), cls.formats, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"must be one of {', '.join(cls.formats)}, found {value!r}{hint}"


def _shown(key: str) -> str:
    """``key`` in a sentence, or a key with its value."""
    return f"`{key}`" if ": " in key else key


def has(model: type[BaseModel], key: str) -> bool:
    """Whether a document of ``model`` may have the dotted ``key``, or ``key: value`` at its top."""
    key, _, value = key.partition(": ")
    name, _, rest = key.partition(".")
    field = model.model_fields.get(name)
    if field is None or not rest:
        return field is not None and (not value or value in get_args(field.annotation))
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
    return any(has(kind, rest) for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))


def named(model: type[BaseModel], name: str) -> Iterator[str]:
    """The dotted keys that a document of ``model`` may have and that end in ``name``; none within a list."""
    if name in model.model_fields:
        yield name
    for key, field in model.model_fields.items():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
            if is_model and getattr(field.annotation, "__origin__", None) is not list:
                yield from (f"{key}.{rest}" for rest in named(kind, name))
