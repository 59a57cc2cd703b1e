"""A recipe that is wrong says all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.refused import lines
from tests.training.rows import RECIPES
from training import recipe as recipes
from training.recipe import GrpoRecipe, SftRecipe


def test_every_problem_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "stage: sft\n"
        "name: Tiny One\n"
        "alias: tiny\n"
        "bases: here\n"
        "data:\n"
        "  sources:\n"
        "    - {generator: no-colon, rows: 0}\n"
        "    - {path: rows.jsonl, format: csv}\n"
        "train: {learning_rat: 0.1, steps: 0}\n",
        encoding="utf-8",
    )
    found = "\n".join(lines(path))
    assert "2 name: " in found
    assert "4 bases: unknown key; did you mean 'base'?" in found
    assert "1 base: is required" in found
    assert "7 data.sources.0" in found
    assert "8 data.sources.1" in found
    assert "9 train.learning_rat: unknown key; did you mean 'learning_rate'?" in found
    assert "9 train.steps: " in found


def test_a_stage_that_there_is_not_names_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("stage: sftt\nname: x\n", encoding="utf-8")
    assert lines(path) == [f"1 stage: must be one of {', '.join(recipes.STAGES)}, found 'sftt'"]
    path.write_text("name: x\n", encoding="utf-8")
    assert lines(path) == [f"None stage: must be one of {', '.join(recipes.STAGES)}"]


def test_what_is_wrong_with_a_source_is_said_of_its_kind_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    sources = ["{generator: 'a:b', rowz: 3}", "{path: a, format: csv}", "{path: a}", "hello"]
    path.write_text(
        "stage: sft\nname: b\nalias: b\nbase: x\ntrain: {learning_rate: 1}\ndata:\n  sources:\n"
        + "".join(f"    - {source}\n" for source in sources),
        encoding="utf-8",
    )
    assert [line.partition(": must")[0] for line in lines(path)] == [
        "8 data.sources.0.rows: is required",
        "8 data.sources.0.rowz: unknown key; did you mean 'rows'?",
        "9 data.sources.1.format",
        "10 data.sources.2.format: is required",
        "11 data.sources.3",
    ]


@pytest.mark.parametrize("stage", ["ppo", "grpo"])
def test_what_is_wrong_with_prompts_and_rewards_is_said_of_their_kind_alone(
    stage: str, online: Online
) -> None:
    found = lines(
        online(stage),
        "data.sources=[{path: a}, {path: a, format: csv}, {generator: 'a:b', rowz: 3}]",
        "rewards=[{model: a, wait: 3}, {rule: no-colon}, {rule: 'a:b', weigth: 1}]",
    )
    assert [line.split(": ")[0].removeprefix("None ") for line in found] == [
        "data.sources.0.format",
        "data.sources.1.format",
        "data.sources.2.rows",
        "data.sources.2.rowz",
        "rewards.0.wait",
        "rewards.1.rule",
        "rewards.2.weigth",
    ]


def floats(value: Any, at: str = "") -> Iterator[str]:
    """The dotted path of each number with a fraction in a recipe; arguments are a function's own."""
    if isinstance(value, float):
        yield at
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        if key == "arguments":
            continue
        yield from floats(child, f"{at}.{key}" if at else str(key))


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_number_is_finite(path: Path) -> None:
    places = list(floats(recipes.load(path).model_dump(mode="json")))
    assert len(places) > int("quantize" not in path.stem)
    for place in places:
        for value in (".inf", "-.inf", ".nan"):
            assert any(f" {place}: " in line for line in lines(path, f"{place}={value}")), (place, value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("data.sources.0.weight=1e12", "data.sources.0.weight: must be less than or equal to 1000"),
        ("train.epochs=.inf", "train.epochs: must be a finite number, found inf"),
        ("lora.rank_pattern={'q_proj(': 4}", "is no regular expression: missing ), unterminated"),
        ("lora.alpha_pattern={'(?i)q_proj': 4}", "is no regular expression: global flags not at the start"),
        ("seed=4294967296", "seed: must be less than 4294967296, found 4294967296"),
        ("lora.rank=4611686018427387", "lora.rank: must be less than or equal to 1048576"),
        ("train.batch_rows=1000000000000000000000", "the value is not YAML: a whole number beyond 2**53"),
        ("lora.rank_pattern={q_proj: 0}", "lora.rank_pattern.q_proj: must be greater than 0, found 0"),
    ],
)
def test_values_that_training_would_stumble_over(recipe: Recipe, change: str, problem: str) -> None:
    assert problem in lines(recipe(), change)[0]


def test_a_freeze_that_is_no_expression_is_refused_with_its_line(recipe: Recipe) -> None:
    path = recipe(method="freeze", lora=None, freeze={"learn": "layers.[0"})
    assert "freeze.learn: is no regular expression: unterminated character set" in lines(path)[0]
    assert recipes.load(recipe(method="freeze", lora=None, freeze={"learn": "(?i)LAYERS"}))


def test_cpt_starts_from_one_thing(tmp_path: Path) -> None:
    text = (RECIPES / "base.yaml").read_text(encoding="utf-8")
    path = tmp_path / "r.yaml"
    path.write_text(text.replace("stage: cpt", "stage: cpt\nbase: here"), encoding="utf-8")
    assert "give either base (to go on from one) or model (to make one)" in lines(path)[0]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"method": "full"}, "lora: belongs to the methods lora, dora, pissa, qlora, not to the method full"),
        (
            {"prefix": {"tokens": 4}},
            "prefix: belongs to the method prefix, not to the method lora; remove it",
        ),
        ({"lora.hidden_size": 4}, "lora.hidden_size: unknown key"),
        ({"method": "dora", "init_adapter": "x"}, "init_adapter: the method dora begins anew"),
        (
            {"method": "freeze", "lora": None},
            "freeze: give one of learn_last, learn_first and learn, found none",
        ),
        ({"method": "lorra"}, "method: must be 'lora', 'dora'"),
    ],
)
def test_options_that_do_not_belong_to_the_method_are_refused(
    recipe: Recipe, changes: dict[str, Any], problem: str
) -> None:
    assert problem in lines(recipe(**changes))[0]


def test_a_method_has_its_own_options_and_no_others(recipe: Recipe) -> None:
    found = recipes.load(recipe(method="p_tuning", lora=None))
    assert isinstance(found, SftRecipe)
    assert found.p_tuning
    assert (found.p_tuning.tokens, found.lora, found.prefix) == (20, None, None)
    assert SftRecipe.model_validate(found.model_dump(mode="json")) == found  # as a run's config holds it


def test_a_null_that_scales_rewards_is_no_none(online: Online) -> None:
    (only,) = lines(online("grpo"), "scale_rewards=null")
    assert "scale_rewards: is empty; write none to divide by nothing" in only
    found = recipes.load(online("grpo"))
    assert isinstance(found, GrpoRecipe)
    assert found.scale_rewards == "group"


def test_what_rloo_has_not_is_refused_together(online: Online) -> None:
    found = lines(online("rloo"), "loss=grpo", "scale_rewards=none")
    assert [line.partition(" (")[0] for line in found] == [
        f"None {name}: belongs to the algorithm grpo, not to rloo" for name in ("loss", "scale_rewards")
    ]
