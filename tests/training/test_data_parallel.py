"""Two processes with whole weights each: they learn what one would."""

from __future__ import annotations

from pathlib import Path

from tests.training import side_by_side
from tests.training.conftest import Recipe
from tests.training.preferences import LABELS
from tests.training.rows import CONVERSATIONS
from tests.training.test_run import quiet
from training import run


def _train(recipes: list[Path], runs: Path) -> None:
    for recipe in recipes:
        run.train(recipe, runs=runs, report=quiet)


def test_two_processes_make_what_one_makes(recipe: Recipe, tmp_path: Path) -> None:
    plan = {"train.batch_rows": 2, "train.accumulate": 2, "train.log_every": 1, "train.evaluate_every": 2}
    plan["data.validation_rows"] = 5
    odd = plan | {"train.accumulate": 4}  # 13 rows: a step of four batches, one of three, the last of one row
    virtual: dict[str, dict[str, object]] = {
        "prefix": {"tokens": 3, "hidden_size": 8},
        "p_tuning": {"tokens": 3, "hidden_size": 8, "encoder": "lstm"},
        "p_tuning_v2": {"tokens": 3},
        "prompt_tuning": {"tokens": 3},
    }
    recipes = [
        *(
            recipe(CONVERSATIONS[:18], name=method, method=method, lora=None, **{method: options}, **odd)
            for method, options in virtual.items()
        ),
        recipe(LABELS[:18], name="kto", stage="dpo", form="labels", loss="kto", **odd),
        recipe(CONVERSATIONS[:18], name="qlora", method="qlora", **odd),
    ]
    alone = [run.train(path, runs=tmp_path / "alone", report=quiet) for path in recipes]
    side_by_side.both(tmp_path / "meeting", _train, recipes, tmp_path / "shared")
    for made in alone:
        side_by_side.assert_alike(made, tmp_path / "shared" / made.parent.name / "artefact")
