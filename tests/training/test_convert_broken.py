"""What is not whole is not converted: it is named before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from pointsman import artefact
from tests.training.conftest import Recipe
from tests.training.test_methods import METHODS
from tests.training.test_run import quiet
from training import run
from training.convert import Options, convert
from training.errors import AdapterError
from training.methods import choice
from training.models import base as bases

ADAPTERS = [method for method in METHODS if method not in choice.BASES]


def trained(recipe: Recipe, runs: Path, method: str) -> Path:
    changes: dict[str, Any] = {"lora": None} | METHODS[method] | {"train.steps": 1}
    return run.train(recipe(method=method, **changes), runs=runs, report=quiet)


def refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What convert says, which loads no model."""
    with monkeypatch.context() as patch:
        patch.setattr(bases, "load_model", lambda name: pytest.fail(f"the model {name} was loaded"))
        with pytest.raises(AdapterError, match=r"copy (both|it) anew from where") as caught:
            convert(made, "lora", made.parent / "out", Options(), quiet)
    assert not list(made.parent.glob("out*"))
    return str(caught.value)


@pytest.mark.parametrize("method", ADAPTERS)
def test_weights_of_another_shape_are_named(
    recipe: Recipe, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trained(recipe, tmp_path, method)
    held = load_file(made / artefact.WEIGHTS)
    name = min(held)
    first = held[name]
    save_file(held | {name: first.new_zeros(first.shape[0], 5)}, made / artefact.WEIGHTS)
    told = refused(made, monkeypatch)
    assert told.startswith(
        f"adapter {made / artefact.WEIGHTS} does not hold what adapter_config.json says: 1 have"
    )
    assert f"as {name}, {first.shape[0]} × 5 where {first.shape[0]} × {first.shape[1]} is said" in told

    save_file({other: weight for other, weight in held.items() if other != name}, made / artefact.WEIGHTS)
    assert f"weights are missing, as {name}" in refused(made, monkeypatch)


def test_the_rank_that_is_said_is_the_weights(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trained(recipe, tmp_path, "dora")
    config = json.loads((made / artefact.CONFIG).read_bytes())
    (made / artefact.CONFIG).write_text(json.dumps(config | {"r": 6}), encoding="utf-8")
    assert "28 have another shape, as " in refused(made, monkeypatch)
    (made / artefact.CONFIG).write_text("{", encoding="utf-8")
    assert f"adapter {made / artefact.CONFIG} can't be read" in refused(made, monkeypatch)


def test_where_pissa_began_is_looked_at_too(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trained(recipe, tmp_path, "pissa")
    start = made / choice.PISSA_START / artefact.WEIGHTS
    start.write_bytes(start.read_bytes()[:-100])
    assert f"{start} (" in refused(made, monkeypatch)
