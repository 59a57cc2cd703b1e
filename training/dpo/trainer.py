"""The trainers of dpo and its kin, on preferences that are tokens already.

A fresh adapter's reference is the base with the adapter switched off; that of an adapter to go on from is a
frozen copy of it.

IPO is on means over tokens, as its authors confirmed to TRL. ORPO is SimPO's trainer with ORPO's odds ratio:
TRL's own also learns the prompts by heart; the paper's loss (eq. 6) and LLaMA-Factory's are on the answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PrinterCallback, TrainerCallback

from training.data.preparing.collection import Report
from training.data.tokens.batches import IGNORED, length_multiple, list_column, list_lengths, table
from training.data.tokens.token_pairs import LabelledRows, PairRows
from training.data.tokens.token_rows import TokenRows
from training.dpo.learning import fallen
from training.methods import lora
from training.recipe import DpoRecipe
from training.recipe.dpo import REFERENCE_FREE, Loss
from training.trainers import four_bits, trl
from training.trainers.loop import settings
from training.trainers.supervised import Given

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
    return table(columns)


def _ids(rows: TokenRows, *, trained: bool) -> Any:
    chosen = rows.loss_mask == trained
    return list_column(rows.ids[chosen], np.add.reduceat(chosen.astype(np.int64), rows.starts))


def _labelled(rows: TokenRows) -> dict[str, Any]:
    return {
        "input_ids": list_column(rows.ids, rows.lengths),
        "attention_mask": list_column(np.ones_like(rows.ids), rows.lengths),
        "labels": list_column(np.where(rows.loss_mask, rows.ids, IGNORED).astype(np.int32), rows.lengths),
    }


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


def build(recipe: DpoRecipe, given: Given) -> Any:
    """A trainer of the recipe's loss on the pairs, or the labelled answers, that are ``given``."""
    train, validation = (
        dataset(recipe.loss, rows) for rows in (given.prepared.train, given.prepared.validation)
    )
    common = settings(recipe.train, seed=recipe.seed, checkpoints=given.run.checkpoints)
    common |= four_bits.optimiser(given.model, paged=recipe.paged)
    kind, arguments = _kind(recipe, common)
    pad = given.tokenizer.pad_token_id
    collator = (
        {"data_collator": trl.UnpairedCollator(pad_token_id=pad, pad_to_multiple_of=length_multiple())}
        if recipe.loss == "kto"
        else {}
    )
    trainer = kind(
        model=given.model,
        args=kind.Config(**arguments),
        train_dataset=train,
        eval_dataset=validation,
        processing_class=given.tokenizer,
        callbacks=[*given.callbacks, ChosenFall(recipe, given.report)],
        **collator,
    )
    four_bits.learn_in_float32(given.model)
    if recipe.loss == "orpo":
        trainer.odds_weight = recipe.temperature
    if recipe.init_adapter is None and lora.REFERENCE in given.model.peft_config:
        given.model.delete_adapter(lora.REFERENCE)  # TRL's copy of an adapter that changes nothing yet
    trainer.row_lengths = _lengths(train)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _kind(recipe: DpoRecipe, common: dict[str, Any]) -> tuple[type[Any], dict[str, Any]]:
    """The trainer of the recipe's loss, and what it is told."""
    beta, smoothing = recipe.temperature, recipe.label_smoothing or 0.0
    if recipe.loss == "kto":
        return trl.Kto, common | {
            "beta": beta,
            "desirable_weight": recipe.desirable_weight or 1.0,
            "undesirable_weight": recipe.undesirable_weight or 1.0,
            "max_length": None,
        }
    if recipe.loss in REFERENCE_FREE:
        simpo = recipe.loss == "simpo"
        gamma = SIMPO_GAMMA if recipe.gamma is None else recipe.gamma
        return trl.ReferenceFree, common | {
            "loss_type": "simpo",  # whose log-probabilities are means over tokens, as orpo's
            "beta": beta,
            "label_smoothing": smoothing,
            "simpo_gamma": gamma if simpo else 0.0,
            "cpo_alpha": (recipe.sft_weight or 0.0) if simpo else 1.0,  # orpo's own first term
            "max_length": recipe.data.max_tokens,
        }
    weights: dict[str, float] = {recipe.loss: 1.0}
    if recipe.loss == "sigmoid" and smoothing:
        weights = conservative(smoothing)
    if recipe.sft_weight:
        weights["sft"] = recipe.sft_weight
    return trl.Dpo, common | {
        "loss_type": list(weights),
        "loss_weights": list(weights.values()),
        "beta": beta,
        "label_smoothing": smoothing,
        "max_length": None,
        "pad_to_multiple_of": length_multiple(),
    }


def conservative(flipped: float) -> dict[str, float]:
    """The weights of TRL's losses whose sum is cDPO's, a share ``flipped`` being the wrong way round.

    cDPO (Mitchell, 2023, "A note on DPO with noisy preferences", eq. 3) is (1 - ε) a + ε b, where a is
    sigmoid's loss and b that of the pair turned round. TRL's sigmoid leaves ε out, and its robust is
    ((1 - ε) a - ε b) / (1 - 2ε).
    """
    return {"sigmoid": 2 - 2 * flipped, "robust": 2 * flipped - 1}


def _lengths(rows: Any) -> NDArray[np.int64]:
    """Tokens of each row with its longest answer, (rows,)."""
    columns = [name for name in _ANSWERS if name in rows.column_names]
    longest = np.max([list_lengths(rows, name) for name in columns], axis=0)
    prompt = list_lengths(rows, "prompt_ids") if "prompt_ids" in rows.column_names else 0
    lengths: NDArray[np.int64] = longest + prompt
    return lengths
