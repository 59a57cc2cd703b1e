"""Words for preferences: the losses of dpo and rm, and the reference."""

from __future__ import annotations

from training.recipe.words.said import NONE, ONE_LOSS

_REFERENCE = "here the reference is the start: the base, or init_adapter where it is given"
_STAGE = "here the stage says it: rm, dpo (with its loss), ppo or grpo"
KEYS = {
    **dict.fromkeys(("pref_loss", "loss_type", "loss"), ("loss",)),
    **dict.fromkeys(("pref_beta", "rl_beta", "dpo_beta"), ("beta",)),
    "orpo_alpha": ("beta",),
    **dict.fromkeys(("pref_ftx", "rpo_alpha", "cpo_alpha"), ("sft_weight",)),
    "dpo_label_smoothing": ("label_smoothing",),
    "simpo_gamma": ("gamma",),
    **dict.fromkeys(("kto_chosen_weight", "desirable_weight", "kto_desirable_weight"), ("desirable_weight",)),
    **dict.fromkeys(
        ("kto_rejected_weight", "undesirable_weight", "kto_undesirable_weight"), ("undesirable_weight",)
    ),
    "center_rewards_coefficient": ("centre",),
    "beta": ("beta", "kl_coefficient", "kl.coefficient"),
}
OTHERWISE = {
    **dict.fromkeys(("loss_type", "loss"), f"{NONE}this stage has one loss"),
    "loss_weights": "here the one sum of losses is sft_weight's, of the chosen answers' own loss",
    **dict.fromkeys(("ref_model", "ref_model_adapters", "ref_model_quantization_bit"), _REFERENCE),
    **dict.fromkeys(("sync_ref_model", "ref_model_sync_steps", "ref_model_mixup_alpha"), _REFERENCE),
    **dict.fromkeys(("precompute_ref_log_probs", "precompute_ref_batch_size", "reference_free"), _REFERENCE),
    "ref_policy_checkpointer": _REFERENCE,
    **dict.fromkeys(("discopop_tau", "f_divergence_type", "f_alpha_divergence_coef", "ld_alpha"), ONE_LOSS),
    **dict.fromkeys(("use_weighting", "pref_bco_weight", "dpo_use_weighting", "dpo_norm_loss"), ONE_LOSS),
    "disable_dropout": "here lora.dropout must be 0 wherever log-probabilities are compared",
    **dict.fromkeys(("rl", "trl"), _STAGE),
    "process_reward_model": f"{NONE}a reward model scores whole answers",
    "num_labels": f"{NONE}a reward model gives one number",
    "dpo_use_logits_to_keep": f"{NONE}it changes how a run works, and not what it gives",
}
FAMILIES: dict[str, str] = {}
