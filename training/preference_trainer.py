"""TRL's DPOTrainer, KTOTrainer and CPOTrainer, fed with preferences that are tokens already.

Where they depart from TRL's: prompt and answers are split by tokens before, so nothing is tokenised here;
the rows come in our order; held-out metrics are means over rows, not over batches. A fresh adapter's
reference is the base with the adapter switched off; that of an adapter to go on from is a frozen copy of it.

IPO is on means over tokens, as its authors confirmed to TRL. ORPO is SimPO's trainer with ORPO's odds ratio:
TRL's own also learns the prompts by heart; the paper's loss (eq. 6) and LLaMA-Factory's are on the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from datasets.table import InMemoryTable
from numpy.typing import NDArray
from transformers import PrinterCallback, TrainerCallback
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from training import lora, losses
from training.collection import Report
from training.pair_rows import LabelledRows, PairRows
from training.preference import fallen
from training.recipe import DpoRecipe
from training.recipe.dpo import REFERENCE_FREE, Loss
from training.token_rows import TokenRows
from training.trainer import IGNORED, Ordered, RowMeans, list_column, list_lengths, settings

SIMPO_GAMMA = 1.0
_ANSWERS = ("completion_ids", "chosen_ids", "rejected_ids", "chosen_input_ids", "rejected_input_ids")


def dataset(loss: Loss, rows: PairRows | LabelledRows) -> Any:
    """``rows`` in the columns that the trainer of ``loss`` reads."""
    import pyarrow as pa

    if isinstance(rows, LabelledRows):
        columns = {
            "prompt_ids": _ids(rows.rows, trained=False),
            "completion_ids": _ids(rows.rows, trained=True),
            "label": pa.array(rows.good),
        }
    elif loss in REFERENCE_FREE:
        columns = {
            f"{name}_{column}": values
            for name, part in (("chosen", rows.chosen), ("rejected", rows.rejected))
            for column, values in _labelled(part).items()
        }
    else:
        columns = {
            "prompt_ids": _ids(rows.chosen, trained=False),
            "chosen_ids": _ids(rows.chosen, trained=True),
            "rejected_ids": _ids(rows.rejected, trained=True),
        }
    return Dataset(InMemoryTable(pa.table(columns)))


def _ids(rows: TokenRows, *, trained: bool) -> Any:
    chosen = rows.loss_mask == trained
    return list_column(rows.ids[chosen], np.add.reduceat(chosen.astype(np.int64), rows.starts))


def _labelled(rows: TokenRows) -> dict[str, Any]:
    return {
        "input_ids": list_column(rows.ids, rows.lengths),
        "attention_mask": list_column(np.ones_like(rows.ids), rows.lengths),
        "labels": list_column(np.where(rows.loss_mask, rows.ids, IGNORED).astype(np.int32), rows.lengths),
    }


class _Tokenised(Ordered):
    """A trainer whose rows need no preparation and whose checkpoints hold one adapter."""

    model: Any

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        # The library loads the adapters in the checkpoint's subfolders and, where there is one (the
        # reference), leaves out the trained adapter beside them: training would begin anew.
        self.model.load_adapter(resume_from_checkpoint, "default", is_trainable=True)


class _Dpo(_Tokenised, RowMeans, DPOTrainer):  # type: ignore[misc]
    answers = 2


class _UnpairedCollator(DataCollatorForUnpairedPreference):  # type: ignore[misc]
    """Pairs each prompt with the answer of the row before it in the batch, which kto's KL is estimated on."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        turned = [
            {**example, "KL_completion_ids": before["completion_ids"]}
            for example, before in zip(examples, [examples[-1], *examples[:-1]], strict=True)
        ]
        batch: dict[str, Any] = super().torch_call(turned)
        return batch


class _Kto(_Tokenised, RowMeans, KTOTrainer):  # type: ignore[misc]
    pass


class _ReferenceFree(_Tokenised, CPOTrainer):  # type: ignore[misc]
    """SimPO, and ORPO where ``odds_weight`` is given. Its log-probabilities are means over tokens."""

    odds_weight: float | None = None
    _rows = 1  # pairs of the batch

    def tokenize_row(self, feature: Any, model: Any = None) -> Any:
        return feature

    def cpo_loss(
        self, policy_chosen_logps: torch.Tensor, policy_rejected_logps: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = super().cpo_loss(
            policy_chosen_logps, policy_rejected_logps
        )
        if self.odds_weight is None:
            return found
        return losses.odds_ratio(policy_chosen_logps, policy_rejected_logps, self.odds_weight), *found[1:]

    def get_batch_loss_metrics(self, model: Any, batch: Any, train_eval: str = "train") -> Any:
        self._rows = len(batch["chosen_input_ids"]) if train_eval == "eval" else 1
        return super().get_batch_loss_metrics(model, batch, train_eval)

    def store_metrics(self, metrics: dict[str, float], train_eval: str = "train") -> None:
        for key, value in metrics.items():
            if key.endswith("nll_loss") and not self.cpo_alpha:
                continue  # it was not computed
            name = key.replace("logps/", "token_logps/")
            self._stored_metrics[train_eval][name] += [value] * self._rows


class ChosenFall(TrainerCallback):  # type: ignore[misc]
    """Warns once where the chosen answers become less likely than the reference has them."""

    def __init__(self, recipe: DpoRecipe, report: Report) -> None:
        self.loss, self.beta, self.bound = recipe.loss, recipe.temperature, recipe.chosen_fall
        self.report = report
        self.warned = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """``rewards/chosen`` is beta times the change of the log-probability since the start."""
        reward = (logs or {}).get("rewards/chosen")
        if reward is None or self.loss in REFERENCE_FREE:
            return
        fall = -float(reward) / self.beta
        if fall > self.bound and not self.warned:
            self.warned = True
            self.report(fallen(fall, self.bound, f"at step {state.global_step}"))


def build(
    recipe: DpoRecipe,
    model: Any,
    tokenizer: Any,
    datasets: tuple[Any, Any],
    *,
    checkpoints: Path,
    callbacks: Sequence[Any],
    report: Report,
) -> Any:
    """A trainer of the recipe's loss on ``datasets``, training and validation."""
    train, validation = datasets
    kind, arguments = _kind(recipe, settings(recipe.train, seed=recipe.seed, checkpoints=checkpoints))
    collator = (
        {"data_collator": _UnpairedCollator(pad_token_id=tokenizer.pad_token_id, pad_to_multiple_of=8)}
        if recipe.loss == "kto"
        else {}
    )
    trainer = kind(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        callbacks=[*callbacks, ChosenFall(recipe, report)],
        **collator,
    )
    if recipe.loss == "orpo":
        trainer.odds_weight = recipe.temperature
    if recipe.init_adapter is None and lora.REFERENCE in model.peft_config:
        model.delete_adapter(lora.REFERENCE)  # TRL's copy of an adapter that changes nothing yet
    trainer.row_lengths = _lengths(train)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _kind(recipe: DpoRecipe, common: dict[str, Any]) -> tuple[type[Any], Any]:
    """TRL's trainer of the recipe's loss, and its arguments."""
    beta, smoothing = recipe.temperature, recipe.label_smoothing or 0.0
    if recipe.loss == "kto":
        return _Kto, KTOConfig(
            **common,
            beta=beta,
            desirable_weight=recipe.desirable_weight or 1.0,
            undesirable_weight=recipe.undesirable_weight or 1.0,
            max_length=None,
        )
    if recipe.loss in REFERENCE_FREE:
        simpo = recipe.loss == "simpo"
        gamma = SIMPO_GAMMA if recipe.gamma is None else recipe.gamma
        return _ReferenceFree, CPOConfig(
            **common,
            loss_type="simpo",  # whose log-probabilities are means over tokens, as orpo's
            beta=beta,
            label_smoothing=smoothing,
            simpo_gamma=gamma if simpo else 0.0,
            cpo_alpha=(recipe.sft_weight or 0.0) if simpo else 1.0,  # orpo's own first term
            max_length=recipe.data.max_tokens,
        )
    sft = [recipe.sft_weight] if recipe.sft_weight else []
    return _Dpo, DPOConfig(
        **common,
        loss_type=[recipe.loss, *(["sft"] if sft else [])],
        loss_weights=[1.0, *sft],
        beta=beta,
        label_smoothing=smoothing,
        max_length=None,
        pad_to_multiple_of=8,
    )


def _lengths(rows: Any) -> NDArray[np.int64]:
    """Tokens of each row with its longest answer, (rows,)."""
    columns = [name for name in _ANSWERS if name in rows.column_names]
    longest = np.max([list_lengths(rows, name) for name in columns], axis=0)
    prompt = list_lengths(rows, "prompt_ids") if "prompt_ids" in rows.column_names else 0
    lengths: NDArray[np.int64] = longest + prompt
    return lengths
