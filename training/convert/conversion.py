"""``pointsman convert``: the way from each method's result to what vLLM serves.

========================  ==========================================  ==============================
method of any stage       to lora                                     to base
========================  ==========================================  ==============================
lora, qlora               as it is                                    merged into the base
pissa                     exact, of twice the rank                    merged into the base
dora                      truncated by singular values                merged into the base
full, freeze              truncated by singular values                as it is
prefix, prompt, p tuning  distilled                                   none
========================  ==========================================  ==============================

QLoRA's update is merged into the base as it was, never into its 4-bit form (PEFT #2321). What cpt makes is
a base, as by full, unless it has an alias; one with a vocabulary of its own becomes no LoRA.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointsman import artefact
from training.convert import heldout, low_rank
from training.convert.appearing import appearing
from training.convert.distil import distil
from training.convert.fidelity import Fidelity, measure
from training.convert.result import Result, opened
from training.convert.route import Lost, Target, advice, gives_base, method, refuse_idle, refuse_rank, route
from training.data.preparing.collection import Prepared, Report
from training.errors import ConversionError
from training.methods import choice, lora
from training.models import base
from training.runs import provenance

RANK = 16  # of a truncated or distilled LoRA, where none is given
STEPS, LEARNING_RATE = 300, 3e-3  # of distillation, likewise
FAR = 0.05  # nats per token, from which on a warning is given where no bound is


@dataclass(frozen=True, slots=True)
class Options:
    """How a conversion goes, where it can go in several ways; None: as is usual."""

    rank: int | None = None  # of the LoRA
    steps: int | None = None  # of distillation
    learning_rate: float | None = None  # of distillation, the highest
    max_kl: float | None = None  # nats per token

    @property
    def given(self) -> list[str]:
        """Those that belong to some ways alone, as the command line calls them."""
        named = {"--rank": self.rank, "--steps": self.steps, "--learning-rate": self.learning_rate}
        return [name for name, value in named.items() if value is not None]


def convert(result: Path, to: Target, out: Path, options: Options, report: Report) -> Fidelity:
    """Convert the artefact in ``result`` and write the new one to ``out``; both are compared before.

    Raises:
        ArtefactError, ConversionError: it can't be converted so, an option has no part in it, or ``out``
            exists, or another process is making it.
        ConversionError: the error is over ``options.max_kl``; nothing is written then.
    """
    source = opened(result)
    report(f"{source.version}: {route(source.recipe, to)}")
    refuse_idle(source.recipe, to, options.given)
    if to == "lora":
        refuse_rank(source.recipe, options.rank, RANK)
    with appearing(out) as growing:
        rows = source.rows(report)
        own = source.model()
        held_out = heldout.sequences(source.recipe, rows.validation, own, report)
        lost = WAYS[to](source, own, rows, options=options, folder=growing, report=report)
        served = (
            base.load_model(str(growing)).eval() if to == "base" else lora.load(source.base_model(), growing)
        )
        found = measure(own, served, held_out)
        report(f"measured: {found}")
        away = f"the converted model is {found.kl:.2e} nats per token away from {source.version}"
        if options.max_kl is not None and found.kl > options.max_kl:
            raise ConversionError(
                f"{away}, over --max-kl {options.max_kl:g}; {advice(source.recipe, to, lost)}"
            )
        if options.max_kl is None and found.kl > FAR:
            report(f"warning: {away}, so it says other things; {advice(source.recipe, to, lost)}")
        _write_manifest(growing, source, to, found, lost.error)
    return found


def _to_lora(
    source: Result, own: Any, rows: Prepared[Any], *, options: Options, folder: Path, report: Report
) -> Lost:
    recipe, rank = source.recipe, options.rank or RANK
    if gives_base(recipe):
        found = low_rank.of_models(source.base_model(), own, rank)
    elif method(recipe) == "pissa":
        start = lora.read(source.folder / choice.PISSA_START)
        found = low_rank.between(start, lora.matrices(own), options.rank)
    elif method(recipe) == "dora":
        found = low_rank.of_models(source.base_model(), source.merged_model(), rank)
    elif recipe.lora:
        for name in (artefact.WEIGHTS, artefact.CONFIG):
            shutil.copyfile(source.folder / name, folder / name)
        return Lost()
    else:
        student = distil(
            own,
            source.base_model(),
            rows.train,
            rank=rank,
            steps=options.steps or STEPS,
            learning_rate=LEARNING_RATE if options.learning_rate is None else options.learning_rate,
            seed=recipe.seed,
            report=report,
        )
        lora.write(lora.matrices(student), folder, str(recipe.base))
        return Lost()
    if not found.matrices:
        raise ConversionError(f"{source.folder} changed no linear layer of its base, so a LoRA can't hold it")
    if found.left_out:
        report(
            f"warning: {found.left_out:,} weights outside the linear layers changed too, of embeddings, "
            "norms or biases; no LoRA of any rank holds those, and --to base does"
        )
    report(f"rank {found.rank}: {found.error:.2e} of the linear layers' change is lost")
    lora.write(found.matrices, folder, str(recipe.base))
    return Lost(found.error, outside=found.left_out > 0)


def _to_base(
    source: Result, own: Any, rows: Prepared[Any], *, options: Options, folder: Path, report: Report
) -> Lost:
    base.save(source.merged_model(), base.load_tokenizer(source.tokenizer), folder)
    return Lost()


WAYS = {"lora": _to_lora, "base": _to_base}


def _write_manifest(folder: Path, source: Result, to: Target, found: Fidelity, error: float | None) -> None:
    measured = {
        "convert_kl": found.kl,
        "convert_top1": found.top1,
        "convert_own_loss": found.own_loss,
        "convert_loss": found.loss,
        "convert_tokens": float(found.tokens),
    }
    if error is not None:
        measured["convert_weight_error"] = error
    artefact.write_manifest(
        folder,
        source.manifest.model_copy(
            update={
                "method": "full" if to == "base" else "lora",
                "converted_from": method(source.recipe),
                "parent": source.version,
                "metrics": source.manifest.metrics | measured,
                "code": provenance.code(),
                "libraries": provenance.libraries(),
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        ),
    )
