"""TRL's SFTTrainer, fed with rows that are tokens already, and what TRL's trainers of all stages share.

Where it departs from TRL's defaults: the rows come with their labels, so what is previewed is what is
trained; packed rows are kept apart by their positions and a block-diagonal mask, which needs no
FlashAttention and so holds on a CPU too; the order of the rows depends on seed and epoch alone, so a
resumed run sees what the first would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from datasets.table import InMemoryTable
from numpy.typing import NDArray
from torch.utils.data import Sampler
from transformers import PrinterCallback, TrainerCallback, TrainerState
from trl import SFTConfig, SFTTrainer
from trl.data_utils import pack_dataset

from training import processes, virtual_tokens
from training.recipe import Optimisation
from training.token_rows import TokenRows

IGNORED = -100  # the label of a token that is not trained on
WINDOW_BATCHES = 50  # batches that are filled from one shuffled window, sorted by length


def dataset(rows: TokenRows) -> Any:
    """``rows`` as a dataset of ``input_ids`` and ``labels``."""
    import pyarrow as pa

    labels = np.where(rows.loss_mask, rows.ids, IGNORED).astype(np.int32)
    columns = {"input_ids": list_column(rows.ids, rows.lengths), "labels": list_column(labels, rows.lengths)}
    return Dataset(InMemoryTable(pa.table(columns)))


def list_column(values: NDArray[Any], lengths: NDArray[np.int64]) -> Any:
    """A column of lists: ``values`` (N,) end to end, cut into ``lengths`` (rows,)."""
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def packed(rows: TokenRows, block: int) -> Any:
    """``rows`` laid into blocks of at most ``block`` tokens, longer ones cut; ``seq_lengths`` parts them."""
    return pack_dataset(dataset(rows.cut(block)), block, "bfd")


def collate(pad: int) -> Any:
    """A function from rows to a batch: ``input_ids``, ``labels`` and ``position_ids``, each (B, T).

    Positions start anew with every packed row, and that is how the attention knows them apart; no mask is
    given, because padding stands behind everything that could look at it.
    """

    def batch(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)
        shape = (len(rows), -(-longest // 8) * 8)  # a multiple of 8 suits tensor cores
        ids, labels = np.full(shape, pad, np.int64), np.full(shape, IGNORED, np.int64)
        positions = np.tile(np.arange(shape[1]), (len(rows), 1))
        for i, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[i, :length], labels[i, :length] = row["input_ids"], row["labels"]
            start = 0
            for packed_length in row.get("seq_lengths", ()):
                positions[i, start:] = np.arange(shape[1] - start)
                start += int(packed_length)
            if start:
                positions[i, start:] = np.arange(shape[1] - start)
        labels[positions == 0] = IGNORED  # the first token of a row follows nothing
        return {
            "input_ids": torch.from_numpy(ids),
            "labels": torch.from_numpy(labels),
            "position_ids": torch.from_numpy(positions),
        }

    return batch


class LengthSampler(Sampler[int]):
    """Rows in an order that seed and epoch decide, those of a batch about equally long."""

    def __init__(self, lengths: NDArray[np.int64], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed, self.epoch = lengths, batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order = rng.permutation(len(self.lengths))
        window = self.batch * WINDOW_BATCHES
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), window):
            rows = order[start : start + window]
            rows = rows[np.argsort(-self.lengths[rows], kind="stable")]
            batches += [rows[i : i + self.batch] for i in range(0, len(rows), self.batch)]
        # The longest batch first: a batch too large for the memory fails at once. Only full ones are
        # shuffled, as a short one elsewhere than last would shift all that follow it.
        full = [batch for batch in batches[1:] if len(batch) == self.batch]
        short = [batch for batch in batches[1:] if len(batch) < self.batch]
        rng.shuffle(full)
        for chosen in [*batches[:1], *full, *short]:
            yield from (int(row) for row in chosen)


class Ordered:
    """A trainer that takes its rows in our order; put it before TRL's class."""

    args: Any
    row_lengths: NDArray[np.int64]  # tokens of each training row

    def create_model_card(self, **_: Any) -> None:
        """None is written: the manifest says it all."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return LengthSampler(self.row_lengths, self.args.train_batch_size, self.args.seed)


class RowMeans:
    """A trainer whose held-out metrics are means over rows; TRL's are over batches, the last one shorter."""

    answers = 1  # sequences of a batch that make up a row
    _metrics: Any

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        before = {name: len(values) for name, values in self._metrics["eval"].items()}
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]
        if not model.training:
            again = len(inputs["input_ids"]) // self.answers - 1
            for name, values in self._metrics["eval"].items():
                if len(values) > before.get(name, 0):
                    values.extend(values[-1:] * again)
        return found


def quicken(optimizer: torch.optim.Optimizer, model: torch.nn.Module, times: float) -> None:
    """Let every matrix B of an adapter learn ``times`` as fast as the rest (LoRA+)."""
    quick = {id(weight) for name, weight in model.named_parameters() if ".lora_B." in name}
    for group in list(optimizer.param_groups):
        faster = [weight for weight in group["params"] if id(weight) in quick]
        if faster:
            group["params"] = [weight for weight in group["params"] if id(weight) not in quick]
            optimizer.add_param_group({**group, "params": faster, "lr": group["lr"] * times})


class _Trainer(Ordered, SFTTrainer):  # type: ignore[misc]
    """SFTTrainer with rows in our order, LoRA+, and checkpoints of virtual tokens."""

    lora_plus: float  # learning rate of an adapter's B over A's

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        optimizer = super().create_optimizer(*args, **kwargs)
        if self.lora_plus != 1.0:
            quicken(optimizer, self.model, self.lora_plus)
        return optimizer

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        virtual_tokens.save_checkpoint(self.model, Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not virtual_tokens.load_checkpoint(model or self.model, Path(resume_from_checkpoint)):
            super()._load_from_checkpoint(resume_from_checkpoint, model)


def settings(plan: Optimisation, *, seed: int, checkpoints: Path) -> dict[str, Any]:
    """What TRL's configurations of all stages have in common, by their own names."""
    gpu = torch.cuda.is_available()
    bf16 = plan.precision == "bf16" or (plan.precision == "auto" and (gpu or _cpu_multiplies_bf16()))
    return {
        "output_dir": str(checkpoints),
        "num_train_epochs": plan.epochs,
        "max_steps": plan.steps or -1,
        "per_device_train_batch_size": plan.batch_rows,
        "per_device_eval_batch_size": plan.batch_rows,
        "gradient_accumulation_steps": processes.share(plan.accumulate),
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": plan.schedule,
        "warmup_steps": plan.warmup,
        "weight_decay": plan.weight_decay,
        "max_grad_norm": plan.max_grad_norm,
        "adam_beta2": 0.95,  # GPT-3's and Llama's: follows the gradients' size faster than Adam's 0.999
        "optim": "adamw_torch_fused" if gpu else "adamw_torch",
        "bf16": bf16,
        "use_cpu": not gpu,
        "torch_compile": plan.compile,
        "gradient_checkpointing": False,
        "logging_steps": plan.log_every,
        "logging_nan_inf_filter": False,  # a NaN must be seen, not averaged away
        "eval_strategy": "steps" if plan.evaluate_every else "no",
        "eval_steps": plan.evaluate_every,
        "save_strategy": "steps",
        "save_steps": plan.save_every,
        "save_total_limit": 2,  # the last, and the one before it while the last is being written
        "ddp_find_unused_parameters": False,
        "dataloader_num_workers": 2 if gpu else 0,
        "dataloader_pin_memory": gpu,
        "seed": seed,
        "report_to": [],
        "disable_tqdm": True,
    }


def build(
    model: Any,
    tokenizer: Any,
    train: Any,
    validation: Any,
    plan: Optimisation,
    *,
    seed: int,
    checkpoints: Path,
    callbacks: Sequence[TrainerCallback],
    lora_plus: float = 1.0,
    paged: bool = False,
    kind: type[_Trainer] = _Trainer,
) -> Any:
    """A trainer that is ready for ``train()`` and ``evaluate()``, of this ``kind``."""
    common = settings(plan, seed=seed, checkpoints=checkpoints)
    if paged and torch.cuda.is_available():
        common["optim"] = "paged_adamw_32bit"
    arguments = SFTConfig(
        **common,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = kind(
        model=model,
        args=arguments,
        data_collator=collate(int(tokenizer.pad_token_id)),
        train_dataset=train.with_format("numpy"),
        eval_dataset=validation.with_format("numpy"),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    for weight in model.parameters():  # TRL has made an adapter on a 4-bit base bfloat16
        if weight.requires_grad:
            weight.data = weight.data.float()
    trainer.lora_plus = lora_plus
    trainer.row_lengths = list_lengths(train, "input_ids")
    trainer.remove_callback(PrinterCallback)
    return trainer


def train(trainer: Any, checkpoint: Path | None) -> None:
    """Take all steps, or those that are left after ``checkpoint``."""
    if checkpoint is None:
        trainer.train()
    elif int(checkpoint.name.rpartition("-")[2]) < steps(trainer):
        trainer.train(resume_from_checkpoint=str(checkpoint))
    else:  # the library would take one step more
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))


def steps(trainer: Any) -> int:
    """The steps that ``trainer.train()`` will take in all."""
    if trainer.args.max_steps > 0:
        return int(trainer.args.max_steps)
    batches: int = -(-len(trainer.train_dataset) // (trainer.args.train_batch_size * processes.count()))
    per_epoch: int = max(1, -(-batches // trainer.args.gradient_accumulation_steps))
    epochs: float = trainer.args.num_train_epochs
    return math.ceil(per_epoch * epochs)


def _cpu_multiplies_bf16() -> bool:
    """Whether this CPU has AMX: its bf16 products are several times as fast as fp32's; others' are slower."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def list_lengths(rows: Any, column: str) -> NDArray[np.int64]:
    """The length of each list in a ``column`` of the dataset ``rows``, (rows,)."""
    import pyarrow.compute as pc

    lengths: NDArray[np.int64] = pc.list_value_length(rows.data.column(column)).to_numpy().astype(np.int64)
    return lengths
