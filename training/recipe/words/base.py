"""Words for the base: where it is, how it is loaded, its tokenizer, and the kernels that run it."""

from __future__ import annotations

from training.recipe.words.said import CONFIG, NONE, TEXT, TOKENIZER

_HUB = "here base is a folder, or a hub id of its newest"
_KERNELS = f"{NONE}attention is PyTorch's own, by the kernel that fits"
_LOSS_KERNELS = f"{NONE}losses and layers run by the kernels of PyTorch, TRL and transformers"
_ARITHMETIC = f"{NONE}a run's arithmetic is bf16 or fp32 throughout"
_DEVICE = f"{NONE}a GPU is used where PyTorch finds one"
_SPECIAL = f"{NONE}cpt's vocabulary adds pieces of text, and no special token"
_RESIZED = f"{NONE}embeddings grow with cpt's vocabulary alone, and begin as their old pieces' mean"
_SAFE = f"{NONE}weights are read as safetensors, once"
_TEXTS_ALONE = (
    "freeze_vision_tower",
    "freeze_multi_modal_projector",
    "freeze_language_model",
    "processor_type",
    "text_only",
)
KEYS = {
    **dict.fromkeys(("model_name_or_path", "model_name", "sft_model_path", "base_model", "model"), ("base",)),
    **dict.fromkeys(("policy_model", "checkpointer", "checkpoint_dir", "base_model_name_or_path"), ("base",)),
    "train_from_scratch": ("model",),
    "resize_vocab": ("vocabulary",),
    **dict.fromkeys(("bf16", "fp16", "pure_bf16", "dtype", "torch_dtype"), ("train.precision",)),
    **dict.fromkeys(("bfloat16", "float16", "float32"), ("train.precision",)),
}
OTHERWISE = {
    **dict.fromkeys(("model_revision", "cache_dir", "revision", "revision_of_model"), _HUB),
    "use_exact_model_name": _HUB,
    **dict.fromkeys(("model_init_kwargs", "rope_scaling", "base_model_config", "cls_model_config"), CONFIG),
    **dict.fromkeys(("model_type", "is_llama_derived_model", "is_mistral_derived_model"), CONFIG),
    **dict.fromkeys(("num_layers", "num_attention_heads", "token_dim", "num_transformer_submodules"), CONFIG),
    **dict.fromkeys(
        ("shift_attn", "mixture_of_depths", "s2_attention"), f"{NONE}a base keeps its own architecture"
    ),
    "use_llama_pro": f"{NONE}no layers are added to a base",
    "use_pose": f"{NONE}a base keeps the positions that it was made for",
    "trust_remote_code": f"{NONE}code that comes with a base is never run",
    **dict.fromkeys(
        ("hf_hub_token", "token", "hf_use_auth_token"),
        f"{NONE}the hub reads its HF_TOKEN from the environment",
    ),
    **dict.fromkeys(("ms_hub_token", "om_hub_token"), f"{NONE}a hub id is Hugging Face's; give a folder"),
    **dict.fromkeys(("low_cpu_mem_usage", "offload_folder", "checkpoint_files", "offload_embedding"), _SAFE),
    **dict.fromkeys(("use_cpu", "device", "device_map"), _DEVICE),
    **dict.fromkeys(("max_memory", "gpu_memory_limit"), f"{NONE}`pointsman check` estimates a run's memory"),
    # its tokenizer
    **dict.fromkeys(("template", "chat_template_path", "tool_format", "default_system"), TOKENIZER),
    **dict.fromkeys(("chat_template", "chat_template_jinja", "default_system_message"), TOKENIZER),
    **dict.fromkeys(("eos_token", "pad_token", "use_fast_tokenizer", "split_special_tokens"), TOKENIZER),
    **dict.fromkeys(("chat_template_kwargs", "enable_thinking", "preserve_thinking"), TOKENIZER),
    **dict.fromkeys(("tokenizer_name_or_path", "tokenizer", "special_tokens", "eot_tokens"), TOKENIZER),
    **dict.fromkeys(("stop_token", "stop_token_id", "stop_token_ids", "fix_tokenizer"), TOKENIZER),
    **dict.fromkeys(("map_eos_token", "added_tokens_overrides"), TOKENIZER),
    **dict.fromkeys(
        ("add_tokens", "tokens"), f"{NONE}cpt's vocabulary adds pieces that it finds in the text"
    ),
    **dict.fromkeys(("add_special_tokens", "new_special_tokens_config", "init_special_tokens"), _SPECIAL),
    **dict.fromkeys(("resize_token_embeddings_to_32x", "resize_model_vocab", "shrink_embeddings"), _RESIZED),
    **dict.fromkeys(("mean_resizing_embeddings", "fix_untrained_tokens"), _RESIZED),
    # kernels and arithmetic
    **dict.fromkeys(("flash_attn", "attn_implementation", "use_unsloth", "use_liger_kernel"), _KERNELS),
    **dict.fromkeys(("enable_liger_kernel", "liger_kernel_config", "use_kernels"), _KERNELS),
    **dict.fromkeys(("flash_attention", "sdp_attention", "xformers_attention", "flex_attention"), _KERNELS),
    "eager_attention": _KERNELS,
    **dict.fromkeys(("cut_cross_entropy", "num_output_chunks", "unsloth_num_chunks"), _LOSS_KERNELS),
    **dict.fromkeys(("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel"), _LOSS_KERNELS),
    **dict.fromkeys(
        ("use_mca", "use_v1_kernels", "use_kt"), f"{NONE}bases are trained by transformers and PyTorch"
    ),
    **dict.fromkeys(("cast_lm_head_to_fp32", "bf16_full_eval", "fp16_full_eval", "tf32"), _ARITHMETIC),
    "embeddings_skip_upcast": _ARITHMETIC,
    **dict.fromkeys(("upcast_layernorm", "upcast_lmhead_output"), f"{NONE}train.precision is of the whole"),
    **dict.fromkeys(_TEXTS_ALONE, TEXT),
    **dict.fromkeys(("media_dir", "crop_to_patches", "use_audio_in_video"), TEXT),
}
FAMILIES = {
    **dict.fromkeys(("image_", "video_", "audio_", "finetune_vision_"), TEXT),
    "tokenizer_": TOKENIZER,
    "pose_": OTHERWISE["use_pose"],
    "flash_attn_": _KERNELS,
    **dict.fromkeys(("liger_", "unsloth_"), _LOSS_KERNELS),
    "kt_": OTHERWISE["use_kt"],
    **dict.fromkeys(("fp8", "load_in_fp8", "float8_"), f"{NONE}a run's arithmetic is bf16 or fp32"),
    "model_quantization_": f"{NONE}a base is held in full, or in 4 bits by `method: qlora`",
}
