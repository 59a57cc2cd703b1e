"""Recipes of preference tuning: options that don't belong, and the recipe as a run writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.document import DocumentError
from tests.training.conftest import Recipe
from tests.training.preferences import Options, dpo
from tests.training.test_run import quiet
from training import recipe as recipes
from training import run


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"loss": "ipo", "label_smoothing": 0.1},
            "label_smoothing: belongs to the losses sigmoid, robust, simpo, not",
        ),
        ({"loss": "kto", "sft_weight": 1.0}, "sft_weight: belongs to the losses sigmoid, ipo, hinge"),
        ({"loss": "robust"}, "label_smoothing: robust needs it"),
        ({"lora": {"dropout": 0.1}}, r"lora\.dropout: must be 0"),
        ({"loss": "kto", "train.batch_rows": 1}, r"train\.batch_rows: kto compares"),
        ({"form": "labels"}, "rows with labels are for the loss kto, and sigmoid needs pairs"),
        ({"form": "messages"}, r"data\.sources\.0\.format: this stage reads pairs, alpaca, sharegpt, labels"),
        ({"loss": "dpo"}, "loss: .*found 'dpo'"),
        ({"stage": "rm", "form": "labels"}, r"data\.sources\.0\.format: this stage reads pairs, alpaca"),
        ({"stage": "rm", "method": "full"}, "lora: has no effect with method: full"),
        ({"stage": "rm", "lora": {"dropout": 0.1}}, r"lora\.dropout: must be 0"),
        (
            {"stage": "sft", "form": "pairs"},
            "this stage reads text, messages, prompt_completion, alpaca, sharegpt, found 'pairs'",
        ),
    ],
)
def test_an_option_that_does_not_belong_is_a_problem_of_the_recipe(
    options: Options, problem: str, recipe: Recipe
) -> None:
    with pytest.raises(DocumentError, match=problem):
        recipes.load(dpo(recipe, **options))


def test_a_recipe_as_written_out_can_be_trained_again(recipe: Recipe, tmp_path: Path) -> None:
    run.train(dpo(recipe, loss="simpo"), runs=tmp_path, report=quiet)
    written = tmp_path / "tiny" / "config.yaml"
    assert recipes.load(written) == recipes.load(dpo(recipe, loss="simpo"))
