"""Words for the method: which weights learn, adapters, and bases of fewer bits."""

from __future__ import annotations

from training.recipe.words.said import NONE

_ADAPTERS = f"{NONE}of adapters there is LoRA, with its kin in sft"
_MODULES = (
    f"{NONE}beside an adapter nothing of the base learns, but the embeddings where cpt has a vocabulary"
)
_LAYERS = f"{NONE}LoRA is put on every layer; lora.targets names matrices, in each of them"
_LINEAR = f"{NONE}LoRA is put on linear layers alone"
_BITS = f"{NONE}a base is held in full, or in 4 bits by `method: qlora`"
_QUANTISED = f"{NONE}nothing learns in fewer bits; the stage quantize makes fewer of what has learned"
_FINETUNE = f"{NONE}lora.targets and `method: freeze` say which weights learn"
_BEGUN = f"{NONE}LoRA begins with B at 0, but in `method: pissa`"
_NETWORK = f"{NONE}of the network of virtual tokens hidden_size is set, and p_tuning's encoder"
_SAID = "here the method says it"
_MERGED = "here `pointsman convert` merges an adapter into its base"
_TEACHER = f"{NONE}nothing is distilled but by `pointsman convert`, and by `data build` with a teacher's rows"
KEYS = {
    **dict.fromkeys(("adapter_name_or_path", "adapter_folder", "lora_model_dir"), ("init_adapter",)),
    "adapter_checkpoint": ("init_adapter",),
    **dict.fromkeys(("finetuning_type", "adapter"), ("method",)),
    "full_finetuning": ("method: full",),
    **dict.fromkeys(("use_dora", "peft_use_dora"), ("method: dora",)),
    "pissa_init": ("method: pissa",),
    **dict.fromkeys(
        ("load_in_4bit", "quantization_bit", "quantization_method", "quantization_type", "quantize_base"),
        ("method: qlora",),
    ),
    **dict.fromkeys(
        ("double_quantization", "use_bnb_nested_quant", "bnb_4bit_use_double_quant"),
        ("qlora.double_quantisation",),
    ),
    "export_quantization_bit": ("bits",),
    "export_quantization_nsamples": ("data.calibration_rows",),
    "freeze_trainable_layers": ("freeze.learn_last",),
    **dict.fromkeys(
        ("freeze_trainable_modules", "freeze_extra_modules", "unfrozen_parameters"), ("freeze.learn",)
    ),
    **dict.fromkeys(("r", "lora_r", "lora_rank"), ("lora.rank",)),
    "lora_alpha": ("lora.alpha",),
    "lora_dropout": ("lora.dropout",),
    **dict.fromkeys(("lora_target", "lora_target_modules", "target_modules"), ("lora.targets",)),
    **dict.fromkeys(("lora_attn_modules", "lora_target_linear"), ("lora.targets",)),
    **dict.fromkeys(("use_rslora", "peft_use_rslora"), ("lora.rslora",)),
    "loraplus_lr_ratio": ("lora.plus",),
    "rank_pattern": ("lora.rank_pattern",),
    "alpha_pattern": ("lora.alpha_pattern",),
    "group_size": ("group_size",),
    "num_virtual_tokens": ("prompt_tuning.tokens",),
    "prompt_tuning_init_text": ("prompt_tuning.text",),
    "encoder_hidden_size": ("prefix.hidden_size",),
    "encoder_reparameterization_type": ("p_tuning.encoder",),
}
OTHERWISE = {
    "load_in_8bit": _BITS,
    "load_in_16bit": _BITS,
    "bnb_config_kwargs": f"{NONE}qlora's base is in nf4, and its arithmetic is train.precision",
    "gptq": f"{NONE}a base of GPTQ does not learn; `method: qlora` makes 4 bits of a base in full",
    "quantization_device_map": f"{NONE}a base in 4 bits lies on one GPU, or on the CPU",
    "qlora_sharded_model_loading": f"{NONE}a base in 4 bits lies on one GPU, or on the CPU",
    "use_peft": f"{_SAID}: lora is an adapter, full is not",
    "peft": f"{_SAID}: lora is an adapter, full is not",
    **dict.fromkeys(("lora_modules_to_save", "modules_to_save", "additional_target"), _MODULES),
    **dict.fromkeys(
        ("apply_lora_to_mlp", "apply_lora_to_output"),
        "here lora.targets names matrices, all linear ones of the layers where it is left out",
    ),
    **dict.fromkeys(("lora_target_parameters", "target_parameters", "loraplus_lr_embedding"), _LINEAR),
    **dict.fromkeys(("layers_to_transform", "layers_pattern", "layer_replication"), _LAYERS),
    "exclude_modules": _LAYERS,
    **dict.fromkeys(("init_lora_weights", "loftq_config"), _BEGUN),
    **dict.fromkeys(("bias", "lora_bias"), f"{NONE}LoRA learns no bias"),
    **dict.fromkeys(("use_qalora", "qalora_group_size", "use_bdlora", "relora", "module_dropout"), _ADAPTERS),
    **dict.fromkeys(("alora_invocation_tokens", "arrow_config", "kasa_config", "velora_config"), _ADAPTERS),
    "monteclora_config": _ADAPTERS,
    **dict.fromkeys(("corda_config", "eva_config", "lora_ga_config"), _BEGUN),
    "prompt_tuning_init": "here it is prompt_tuning.text; left out, tokens drawn by chance",
    "prefix_projection": "here `method: prefix` has the network, and `method: p_tuning_v2` has none",
    **dict.fromkeys(("encoder_dropout", "encoder_num_layers", "init_weights"), _NETWORK),
    **dict.fromkeys(("peft_type", "auto_mapping", "inference_mode", "runtime_config"), _SAID),
    "create_new_adapter": "here init_adapter goes on with the adapter that it names; left out, one is new",
    **dict.fromkeys(("lora_task_type", "task_type"), "here the stage says it"),
    "pissa_iter": f"{NONE}pissa begins from exact singular values",
    "pissa_convert": "here `pointsman convert` makes an exact LoRA of what pissa has learned",
    **dict.fromkeys(
        ("qat", "qat_scheme", "quantization", "quantizer", "fake_quant_after_n_steps"), _QUANTISED
    ),
    "llmcompressor": _QUANTISED,
    **dict.fromkeys(("merge_lora", "merge_method"), _MERGED),
    **dict.fromkeys(
        ("lora_on_cpu", "lora_fan_in_fan_out", "fan_in_fan_out"), f"{NONE}an adapter lies where its base does"
    ),
    **dict.fromkeys(("ensure_weight_tying", "trainable_token_indices"), _MODULES),
    "embedding_learning_rate": _MODULES,
}
FAMILIES = {
    "oft_": _ADAPTERS,
    **dict.fromkeys(("relora", "lisa_"), _ADAPTERS),
    "finetune_": _FINETUNE,
    "peft_layer": _LAYERS,
    "peft_init_": _BEGUN,
    "peft_": _MODULES,
    "bnb_4bit_": OTHERWISE["bnb_config_kwargs"],
    **dict.fromkeys(("teacher_", "kd_"), _TEACHER),
}
