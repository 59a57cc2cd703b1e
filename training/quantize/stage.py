"""The stage ``quantize``: GPTQ by GPTQModel, calibrated on rows as they are served, its cost measured.

What is measured after it is what vLLM reads in the files that were written: :mod:`training.quantize.packed`.

``pointsman train deploy/demo/recipes/quantize.yaml``
"""

from __future__ import annotations

import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

from training.data.preparing import summary
from training.data.preparing.collection import Report
from training.data.tokens.token_rows import TokenRows
from training.errors import BaseError, QuantizeError
from training.models import base
from training.quantize import layers, process, rows
from training.recipe import QuantizeRecipe
from training.runs import curves, provenance
from training.runs.bar import Bar
from training.runs.curves import Panel
from training.runs.folder import RunFolder
from training.trainers import supervised

PANELS = (
    Panel("squared error of a layer", {"gptq_error": "o-"}, logarithmic=True, height=2),
    Panel("perplexity", {"eval_perplexity": "o--"}),
)
_SETTINGS = "quantization_config"  # in config.json


def train(recipe: QuantizeRecipe, run: RunFolder, report: Report) -> Path:
    """Quantise the recipe's base and return the new base's folder; a run that was stopped begins again.

    Raises:
        TrainingError: see the tree in :mod:`training.errors`.
    """
    began = time.monotonic()
    process.refuse_without_packages()
    identity = base.identify(recipe.base)
    shape = layers.shape(recipe)
    report(f"{recipe.name}: {shape}")
    report(f"{recipe.name}: preparing the data")
    pad = int(base.load_tokenizer(recipe.base).pad_token_id)
    prepared = rows.prepared(recipe, report)
    run.check_data(prepared.hashes, resuming=False)
    for line in summary.lines(recipe, prepared):
        report(line)

    run.metrics.unlink(missing_ok=True)
    before = rows.perplexities(_model(recipe), prepared.validation, pad)
    run.add_metrics({"step": 0} | {f"eval_{name}": value for name, value in before.items()})
    report(f"{recipe.name}: before, {_listed(before)} on held-out rows")
    if not math.isfinite(before["perplexity"]):
        raise BaseError(f"base {recipe.base}: its own perplexity is {before['perplexity']}, so it is broken")
    folder = run.path / "quantized"
    version = _quantize(recipe, prepared.train, shape.layers, folder, run, report=report)
    after = rows.perplexities(_model(recipe, folder), prepared.validation, pad)
    run.add_metrics({"step": shape.layers} | {f"eval_{name}": value for name, value in after.items()})
    curves.draw(run.read_metrics(), recipe.name, run.curves, PANELS)
    cost = after["perplexity"] / before["perplexity"] - 1
    told = f"{recipe.name}: after, {_listed(after)}: {cost:+.2%}"
    _refuse_cost(recipe, cost, told)

    metrics = {
        **{f"{name}_before": round(value, 6) for name, value in before.items()},
        **{name: round(value, 6) for name, value in after.items()},
        "perplexity_cost": round(cost, 6),
        "calibration_rows": float(len(prepared.train)),
        "calibration_tokens": float(prepared.train.tokens),
        "dropped_rows": float(sum(prepared.dropped.values())),
        "bytes_before": float(shape.before),
        "bytes": float(sum(path.stat().st_size for path in folder.glob("*.safetensors"))),
        "seconds": round(time.monotonic() - began, 1),
    }
    manifest = provenance.manifest(recipe, base=identity, data=prepared.hashes, metrics=metrics)
    libraries = manifest.libraries | {"gptqmodel": version}
    manifest = manifest.model_copy(update={"libraries": libraries})
    supervised.place(run, manifest, lambda place: _save(recipe, folder, place))
    shutil.rmtree(folder)
    report(f"{told}; the new base is {run.artefact}")
    return run.artefact


def _quantize(
    recipe: QuantizeRecipe, shown: TokenRows, total: int, folder: Path, run: RunFolder, *, report: Report
) -> str:
    """Let GPTQModel write to ``folder``, and its errors to the run's metrics; GPTQModel's version."""
    shutil.rmtree(folder, ignore_errors=True)
    bar = Bar(report)
    bar.start(total)
    try:
        done = process.quantize(_plan(recipe, shown, folder), run.path / "gptqmodel.log", bar)
    finally:
        bar.close()
    for layer in range(total):
        if errors := done.of_layer(layer):
            run.add_metrics({"step": layer + 1, "gptq_error": sum(errors) / len(errors)})
    if done.unseen:
        report(f"{done.unseen} modules saw too few rows, and were rounded to the nearest: give more rows")
    return done.version


def _refuse_cost(recipe: QuantizeRecipe, cost: float, told: str) -> None:
    if not math.isfinite(cost):
        raise QuantizeError(f"{told}: the quantised base is broken; take another group_size or 8 bits")
    if recipe.max_cost is not None and cost > recipe.max_cost:
        raise QuantizeError(
            f"{told} is over max_cost ({recipe.max_cost:.2%}); take a smaller group_size, 8 bits, or more "
            "rows that are like what it will be asked"
        )


def _plan(recipe: QuantizeRecipe, shown: TokenRows, folder: Path) -> dict[str, Any]:
    """What GPTQModel is told, see :mod:`training.quantize.gptq`."""
    import torch

    return {
        "base": str(Path(recipe.base).resolve()) if Path(recipe.base).is_dir() else recipe.base,
        "folder": str(folder.resolve()),
        "bits": recipe.bits,
        "group_size": recipe.group_size,
        "device": "cuda:0" if torch.cuda.is_available() else "cpu",
        "batch_rows": recipe.data.batch_rows,
        "rows": rows.sequences(shown),
    }


def _model(recipe: QuantizeRecipe, folder: Path | None = None) -> Any:
    """The recipe's base in float32, with the weights that vLLM will read in ``folder``, if that is given."""
    import torch

    from training.quantize import packed

    model: Any = base.load_model(recipe.base)
    names = dict(model.named_parameters())
    for name, weight in packed.weights(folder) if folder else ():
        if name not in names:
            raise QuantizeError(f"GPTQModel wrote {name}, which the base does not have; it can't be measured")
        names[name].data.copy_(weight)
    return model.to("cuda") if torch.cuda.is_available() else model


def _save(recipe: QuantizeRecipe, folder: Path, place: Path) -> None:
    """The weights of ``folder`` with the base's own config, tokenizer and template."""
    base.save_all_but_weights(recipe.base, place)
    for path in [*folder.glob("*.safetensors"), *folder.glob("*.safetensors.index.json")]:
        path.rename(place / path.name)
        (place / path.name).chmod(0o644)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))[_SETTINGS]
    base.rewrite_json(place / "config.json", {_SETTINGS: settings, "dtype": "bfloat16"})


def _listed(found: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in found.items())
