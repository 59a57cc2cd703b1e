"""Words for ppo and grpo: answers that are sampled, what they are worth, and what is learned from them."""

from __future__ import annotations

from training.recipe.words.said import NONE, ONE_LOSS, SERVED

_WHOLE = f"{NONE}answers are drawn from the whole distribution, as the ratios are of it"
_DRAWN = f"{NONE}ppo and grpo draw each token by its chance; nothing else in training writes answers"
_TRUNCATED = f"{NONE}with a server grpo multiplies a token's loss by its ratio, at most 3"
_SERVER = f"{NONE}a vLLM server has the options that it was started with"
_CUT = "here sampling.unstopped_penalty is taken from an answer that was cut"
_VALUE = f"{NONE}the value head is new, and reads the policy's last hidden state"
_MEMORY = "here grpo's and ppo's batches are train.batch_rows"
KEYS = {
    **dict.fromkeys(
        ("max_completion_length", "max_new_tokens", "response_length", "max_generated_tokens"),
        ("sampling.max_new_tokens",),
    ),
    "temperature": ("sampling.temperature",),
    **dict.fromkeys(("missing_eos_penalty", "reward_penalty"), ("sampling.unstopped_penalty",)),
    **dict.fromkeys(("local_rollout_forward_batch_size", "forward_batch_size"), ("sampling.batch_rows",)),
    **dict.fromkeys(
        ("reward_model", "reward_model_path", "reward_funcs", "reward_functions", "reward_checkpointer"),
        ("rewards",),
    ),
    # grpo
    **dict.fromkeys(("num_generations", "grpo_size"), ("generations",)),
    "num_iterations": ("iterations",),
    "epsilon": ("clip", "train.clip"),
    "epsilon_high": ("clip_high",),
    "scale_rewards": ("scale_rewards",),
    # ppo
    **dict.fromkeys(
        ("kl_coef", "init_kl_coef", "kl_loss_coef", "kl_coeff"), ("kl.coefficient", "kl_coefficient")
    ),
    "kl_estimator": ("kl.estimator",),
    **dict.fromkeys(("target", "ppo_target", "target_kl"), ("kl.target",)),
    **dict.fromkeys(("num_ppo_epochs", "ppo_epochs"), ("train.epochs", "iterations")),
    **dict.fromkeys(("cliprange", "clip_range", "clip_ratio"), ("train.clip", "clip")),
    **dict.fromkeys(("cliprange_value", "value_clip_range"), ("value.clip",)),
    **dict.fromkeys(
        ("mini_batch_size", "local_mini_batch_size", "ppo_batch_size"), ("train.minibatch_rows",)
    ),
    **dict.fromkeys(("lam", "gae_lambda", "lmbda"), ("train.lam",)),
    "gamma": ("train.gamma", "gamma"),
    **dict.fromkeys(("value_lr", "critic_lr", "critic_learning_rate"), ("value.learning_rate",)),
    "ptx_coef": ("pretraining.coefficient",),
    "entropy_coef": ("train.entropy_coefficient",),
    **dict.fromkeys(("ppo_score_norm", "use_score_norm", "use_score_scaling"), ("train.normalise_rewards",)),
    "whiten_advantages": ("train.whiten_advantages",),
    # a server
    "vllm_server_base_url": ("server.url",),
    "vllm_server_timeout": ("server.timeout",),
    **dict.fromkeys(("use_vllm", "vllm_mode", "vllm_server_host", "vllm_server_port"), ("server",)),
    **dict.fromkeys(("vllm", "fast_inference"), ("server",)),
}
OTHERWISE = {
    "reward_weights": "here each of rewards has its weight",
    **dict.fromkeys(("top_p", "top_k", "min_p", "repetition_penalty", "generation_kwargs"), _WHOLE),
    "min_response_length": _WHOLE,
    **dict.fromkeys(("do_sample", "num_beams", "length_penalty", "eval_num_beams"), _DRAWN),
    "enable_kv_cache": f"{NONE}sampling always keeps keys and values",
    "skip_special_tokens": "here rewards read answers without special tokens",
    "delta": f"{NONE}the ratio's use ends at clip and clip_high",
    **dict.fromkeys(("mask_truncated_completions", "penalise_no_eos"), _CUT),
    "steps_per_generation": f"{NONE}answers are drawn for one step, and used again by grpo's iterations or "
    "ppo's train.epochs",
    "generation_batch_size": f"{NONE}all answers of a step are drawn before it",
    **dict.fromkeys(
        ("total_episodes", "num_steps"), "here it is train.steps of train.rollout_rows answers each"
    ),
    "num_mini_batches": "here it is train.minibatch_rows, answers in place of their parts",
    **dict.fromkeys(("ppo_buffer_size", "rollout_batch_size"), "here it is train.rollout_rows, in answers"),
    **dict.fromkeys(
        ("vf_coef", "vf_loss_coef", "value_coeff"), f"{NONE}the value head has its own value.learning_rate"
    ),
    **dict.fromkeys(("reward_and_value_model", "value_checkpointer"), _VALUE),
    **dict.fromkeys(
        ("whiten_rewards", "ppo_whiten_rewards"), "here train.whiten_advantages does it to advantages"
    ),
    **dict.fromkeys(("horizon", "adap_kl_ctrl"), "here kl.target makes β follow, by at most kl.rate a step"),
    "num_generations_eval": "here each of the data.validation_rows that are kept out is answered once",
    **dict.fromkeys(
        ("importance_sampling_level", "off_policy_mask_threshold", "use_bias_correction_kl"), ONE_LOSS
    ),
    **dict.fromkeys(
        ("top_entropy_quantile", "use_adaptive_entropy", "multi_objective_aggregation"), ONE_LOSS
    ),
    "reward_clip_range": f"{NONE}a rule gives the reward that counts",
    "max_tool_calling_iterations": f"{NONE}an answer is one message",
    "num_completions_to_print": "here metrics.jsonl has the numbers, and no answers",
    "normalize_advantages": f"{NONE}rloo's advantages are not scaled",
    **dict.fromkeys(("unsloth_grpo_mini_batch", "unsloth_logit_chunk_multiplier"), _MEMORY),
    **dict.fromkeys(("gpu_memory_utilization", "max_lora_rank", "disable_log_stats"), _SERVER),
    **dict.fromkeys(("infer_backend", "infer_dtype", "use_kv_cache"), SERVED),
}
FAMILIES = {
    "entropy_": f"{NONE}ppo alone has a weight of the entropy",
    "vllm_importance_sampling_": _TRUNCATED,
    **dict.fromkeys(("vllm_", "unsloth_vllm_"), _SERVER),
    **dict.fromkeys(("sapo_", "vespo_"), ONE_LOSS),
    "reward_model_": "here a reward is one of rewards, {model: the artefact of a run of stage rm}",
    "sglang_": SERVED,
}
