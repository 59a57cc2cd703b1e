"""Words for a run: how it is started and gone on with, what it shows, keeps and evaluates, where it runs."""

from __future__ import annotations

from training.recipe.words.said import NONE, PROCESSES

_EVALUATED = "here evaluation is at the end, and every train.evaluate_every steps"
_SAVED = "here checkpoints come every train.save_every steps, and the run's last weights are its result"
_STOPPED = f"{NONE}a run takes all of train.steps, but cpt's with a bound; a loss that is no number ends it"
_RESUMED = "here `pointsman train` with the same recipe goes on from the run's last checkpoint"
_INNER = f"{NONE}it changes how a run works, and not what it gives"
_SHOWN = f"{NONE}metrics.jsonl, curves.png and trackers have what is measured"
_TRACKERS = "here trackers are tensorboard and wandb"
_WANDB = "here it is `trackers: [wandb]`; WANDB_PROJECT, WANDB_ENTITY and their like are the environment's"
_PROFILE = f"{NONE}no profile is taken"
_TASKS = "here `pointsman eval model` asks tasks of lm-eval, by a plan of its own"
_JUDGED = f"{NONE}`pointsman eval model` judges what a served model answers"
_LOGGED = "here metrics come every train.log_every steps"
_SPEED = "here metrics.jsonl has tokens_per_second"
_KEPT = f"{NONE}the artefact stays in the run's folder"
_MADE = "here `pointsman convert` makes what is served, and the stage quantize what has fewer bits"
KEYS = {
    **dict.fromkeys(("output_dir", "run_name", "exp_name"), ("name",)),
    **dict.fromkeys(
        ("report_to", "log_with", "metric_logger", "use_wandb", "use_tensorboard"), ("trackers",)
    ),
    **dict.fromkeys(("data_seed", "random_state"), ("seed",)),
    **dict.fromkeys(("logging_steps", "log_every_n_steps"), ("train.log_every",)),
    **dict.fromkeys(("eval_steps", "run_val_every_n_steps"), ("train.evaluate_every",)),
    **dict.fromkeys(("save_steps", "save_every_n_steps"), ("train.save_every",)),
}
OTHERWISE = {
    **dict.fromkeys(("do_train", "do_eval", "do_predict"), "here the command says it: `pointsman train`"),
    **dict.fromkeys(("generate_during_eval", "predict_with_generate", "do_causal_lm_eval"), _JUDGED),
    **dict.fromkeys(("eval_strategy", "evaluation_strategy", "eval_delay", "eval_on_start"), _EVALUATED),
    **dict.fromkeys(("batch_eval_metrics", "include_for_metrics", "prediction_loss_only"), _EVALUATED),
    "evals_per_epoch": _EVALUATED,
    **dict.fromkeys(
        ("per_device_eval_batch_size", "batch_size_val", "eval_batch_size"),
        "here evaluation takes batches of train.batch_rows",
    ),
    "compute_accuracy": "here accuracy is measured with every loss that has one",
    **dict.fromkeys(("save_strategy", "save_total_limit", "save_only_model", "overwrite_output_dir"), _SAVED),
    **dict.fromkeys(("load_best_model_at_end", "metric_for_best_model", "greater_is_better"), _SAVED),
    **dict.fromkeys(("saves_per_epoch", "save_every_n_epochs", "enable_async_checkpointing"), _SAVED),
    **dict.fromkeys(("early_stopping_steps", "early_stopping_patience"), _STOPPED),
    **dict.fromkeys(("resume_from_checkpoint", "ignore_data_skip", "recipe_checkpoint"), _RESUMED),
    **dict.fromkeys(("enable_jit_checkpoint", "restore_callback_states_from_checkpoint"), _RESUMED),
    "auto_resume_from_checkpoints": _RESUMED,
    "logging_strategy": _LOGGED,
    "plot_loss": "here curves.png is always drawn",
    **dict.fromkeys(("include_effective_tokens_per_second", "include_tokens_per_second"), _SPEED),
    "print_param_status": "here the estimate before a run says how many weights learn",
    **dict.fromkeys(("debug", "disable_tqdm", "project", "skip_memory_metrics"), _SHOWN),
    **dict.fromkeys(("include_num_input_tokens_seen", "use_otel_metrics"), _SHOWN),
    **dict.fromkeys(("enable_torch_profiler", "profile_modules", "profiler"), _PROFILE),
    **dict.fromkeys(
        ("full_determinism", "cudnn_deterministic_mode"), "here the same seed gives the same result on a CPU"
    ),
    **dict.fromkeys(("torch_empty_cache_steps", "use_cache", "cache_implementation", "gc_steps"), _INNER),
    **dict.fromkeys(("temporary_location", "strict", "sample_packing_eff_est"), _INNER),
    "plugins": f"{NONE}a recipe names its rules and generators by import strings",
    # several processes
    **dict.fromkeys(("deepspeed", "fsdp", "fsdp_config", "local_rank", "accelerator_config"), PROCESSES),
    **dict.fromkeys(
        ("average_tokens_across_devices", "parallelism_config", "ignore_bias_buffers"), PROCESSES
    ),
    **dict.fromkeys(("use_hyper_parallel", "hyper_parallel_args", "master_addr", "master_port"), PROCESSES),
    **dict.fromkeys(("megatron_config", "megatron_core"), PROCESSES),
    **dict.fromkeys(("ds3_gather_for_generation", "world_size", "ddp", "custom_sharded_layers"), PROCESSES),
    **dict.fromkeys(("heads_k_stride", "ring_attn_func", "use_ray", "resources_per_worker"), PROCESSES),
    # what becomes of it
    **dict.fromkeys(("push_to_hub", "save_method"), _KEPT),
    **dict.fromkeys(("task", "task_dir", "lang", "n_shot", "download_mode", "save_dir"), _TASKS),
    "do_bench_eval": _TASKS,
}
FAMILIES = {
    "log_": _SHOWN,
    "logging_": _LOGGED,
    **dict.fromkeys(("transformers_", "use_transformers_"), _INNER),
    **dict.fromkeys(("ddp_", "fsdp_", "ray_", "dp_", "data_parallel_", "tensor_parallel_"), PROCESSES),
    **dict.fromkeys(("context_parallel_", "sequence_parallel_"), PROCESSES),
    "eval_": _EVALUATED,
    "save_": _SAVED,
    "hub_": _KEPT,
    "loss_watchdog_": _STOPPED,
    "wandb_": _WANDB,
    **dict.fromkeys(("trackio_", "swanlab_", "use_swanlab", "mlflow_", "use_mlflow"), _TRACKERS),
    **dict.fromkeys(("comet_", "use_comet"), _TRACKERS),
    "profiler_": _PROFILE,
    "bench_": _TASKS,
    "export_": _MADE,
}
