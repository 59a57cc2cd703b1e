"""What TRL and LLaMA-Factory call the keys and values of a recipe: who comes from there is told ours."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, ClassVar

from pydantic import BaseModel

from pointsman.document import Document
from pointsman.problems import Location, dotted

KEYS = {  # theirs → where it is here; the first of them that the stage's recipe has
    "packing": ("packing",),
    **dict.fromkeys(("lr", "learning_rate"), ("train.learning_rate",)),
    **dict.fromkeys(("num_train_epochs", "num_epochs", "epochs"), ("train.epochs",)),
    "max_steps": ("train.steps",),
    **dict.fromkeys(("per_device_train_batch_size", "batch_size"), ("train.batch_rows",)),
    "gradient_accumulation_steps": ("train.accumulate",),
    "lr_scheduler_type": ("train.schedule",),
    "warmup_ratio": ("train.warmup",),
    "logging_steps": ("train.log_every",),
    "eval_steps": ("train.evaluate_every",),
    "save_steps": ("train.save_every",),
    **dict.fromkeys(("bf16", "fp16"), ("train.precision",)),
    **dict.fromkeys(("cutoff_len", "max_length", "max_seq_length"), ("data.max_tokens",)),
    "val_size": ("data.validation_rows",),
    **dict.fromkeys(("dataset", "dataset_name", "train_file"), ("data.sources",)),
    **dict.fromkeys(("r", "lora_r", "lora_rank"), ("lora.rank",)),
    "lora_alpha": ("lora.alpha",),
    "lora_dropout": ("lora.dropout",),
    **dict.fromkeys(("lora_target", "target_modules"), ("lora.targets",)),
    "use_rslora": ("lora.rslora",),
    "finetuning_type": ("method",),
    **dict.fromkeys(("model_name_or_path", "model_name"), ("base",)),
    "adapter_name_or_path": ("init_adapter",),
    "output_dir": ("name",),
    "report_to": ("trackers",),
    **dict.fromkeys(("pref_loss", "loss_type"), ("loss",)),
    "pref_beta": ("beta",),
    "pref_ftx": ("sft_weight",),
    "beta": ("beta", "kl_coefficient"),
    "num_generations": ("generations",),
    "num_iterations": ("iterations",),
    "epsilon": ("clip",),
    "epsilon_high": ("clip_high",),
    "max_grad_norm": ("train.max_grad_norm",),
    **dict.fromkeys(("max_completion_length", "max_new_tokens"), ("sampling.max_new_tokens",)),
}
OTHERWISE = {  # theirs → what is said of it where KEYS has nothing; ours is not the same, or there is none
    "warmup_steps": "here it is train.warmup, a share of the steps (below 1) in place of their number",
    "optim": "there is none like it here: all stages learn by AdamW, qlora's is paged by qlora.paged",
    "neftune_noise_alpha": "there is none like it here: no noise is put on embeddings",
    "loss_type": "there is none like it here: this stage has one loss",
}
LOSSES = {"dpo": "sigmoid", "kto_pair": "kto"}
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


class Worded(Document):
    """A recipe whose errors name ours for what another program calls otherwise."""

    formats: ClassVar[tuple[str, ...]] = ()  # of its sources; none: what pydantic says of them

    @classmethod
    def reworded(cls, place: Location, kind: str, value: Any) -> str | None:
        """See :class:`Document`."""
        if kind == "extra_forbidden":
            ours = next((key for key in KEYS.get(str(place[-1]), ()) if has(cls, key)), None)
            if ours not in (None, dotted(place)):
                return f"unknown key; here it is {ours}"
            otherwise = OTHERWISE.get(str(place[-1]))
            return f"unknown key; {otherwise}" if otherwise else None
        if kind == "literal_error" and place == ("loss",) and str(value) in LOSSES:
            return f"must be a loss, found {value!r}; it is {LOSSES[str(value)]!r} here"
        if kind == "literal_error" and place[:2] == ("data", "sources") and place[-1] == "format":
            return cls._of_formats(value)
        return None

    @classmethod
    def _of_formats(cls, value: Any) -> str | None:
        if not cls.formats:
            return None
        close = get_close_matches(str(value), cls.formats, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"must be one of {', '.join(cls.formats)}, found {value!r}{hint}"


def has(model: type[BaseModel], key: str) -> bool:
    """Whether a document of ``model`` may have the dotted ``key``."""
    name, _, rest = key.partition(".")
    field = model.model_fields.get(name)
    if field is None or not rest:
        return field is not None
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
    return any(has(kind, rest) for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
