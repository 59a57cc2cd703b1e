"""What the training bench gives its contenders, and its table."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from deploy.bench import packed_loss, ppo_split
from deploy.bench.training import ROWS, STAGES, STEPS, rows, write_recipe
from deploy.bench.training_leg import WARM_UP, Leg, Probe
from deploy.bench.training_page import ELSEWHERE, table
from tests.training.rows import ROOT
from training import recipe as recipes
from training.recipe import DpoRecipe, SftRecipe


@pytest.mark.parametrize("stage", STAGES)
def test_all_contenders_are_given_one_recipe_of_rows_enough(tmp_path: Path, stage: str) -> None:
    recipe = recipes.load(write_recipe(tmp_path, stage, learning_rate=0.5))
    assert isinstance(recipe, SftRecipe | DpoRecipe)
    assert recipe.train.learning_rate == 0.5
    assert STEPS * recipe.train.batch_rows < ROWS  # no row comes twice, in no order
    answers = [row["messages"][1:] if stage == "sft" else row["chosen"] for row in rows(stage)]
    assert len(answers) == ROWS
    # of different length, so there is padding to save
    assert {answer["content"].count("\n") for (answer,) in answers} >= {0, 3}
    assert all(row["chosen"] != row["rejected"] for row in rows(stage) if stage == "dpo")


def test_the_table_compares_neighbours() -> None:
    """TRL takes 10 and 20 s for 100 tokens of 200 laid, ours 8 and 10 s: 1.25 and 2 times as fast."""
    plain = [Leg(s, s, 100, 200, 500.0, [2.0, 1.0]) for s in (10.0, 20.0)]
    ours = [Leg(s, s / 2, 100, 125, 600.0, [3.0, 1.5]) for s in (8.0, 10.0)]
    alike = [Leg(s, s, 100, 100, 600.0, [3.0, 1.5 + 1e-3]) for s in (8.0, 10.0)]
    lines = table({"ours": ours, "plain": plain, "alike": alike}).splitlines()
    assert lines[3] == "| the same, to TRL as documented | 1.62 (1.25 to 2.00) | 1 | 1.62 (1.25 to 2.00) |"
    assert lines[4].startswith("| tokens a second of CPU, to TRL as documented | 3.25 (2.50 to 4.00) | 1 |")
    assert "| 20.0% | 50.0% | 0.0% |" in lines[6]
    assert lines[-1] == "| farthest from Pointsman's loss at any step |  |  | 1.0e-03 |"
    assert {line.count("|") for line in lines} == {5}


def test_packed_rows_cost_what_they_cost_alone(tmp_path: Path) -> None:
    found = packed_loss.measure(write_recipe(tmp_path, "sft"), limit=6)
    assert found.rows == 6 > found.blocks
    assert found.tokens * 2 < found.apart  # some nats a token, as the base has never read them
    assert found.difference < 1e-5
    half = replace(found, packed=found.apart / 2)
    assert half.difference == pytest.approx(found.apart / 2 / found.tokens)


def test_what_is_measured_elsewhere_has_a_place_that_is_there() -> None:
    """By GitHub's rule for headings: lower case, no marks but dashes, and spaces as dashes."""
    places = re.findall(r"\]\((\w+\.md)#([^)]+)\)", ELSEWHERE)
    assert len(places) == 5
    for file, anchor in places:
        text = (ROOT / "docs" / file).read_text("utf-8")
        headings = re.findall(r"(?m)^#+ (.*)$", text)
        assert anchor in [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings]
    for module in re.findall(r"python -m ([\w.]+)", ELSEWHERE):
        assert importlib.util.find_spec(module)


def test_a_probe_counts_what_is_trained_on_behind_the_warm_up() -> None:
    model = torch.nn.Identity()
    probe = Probe(SimpleNamespace(register_forward_pre_hook=lambda *_, **__: None), pad=0)
    batch = {"input_ids": torch.tensor([[5, 6, 7], [5, 0, 0]])}
    for step in range(1, WARM_UP + 4):
        probe._count(model, (), batch)
        probe.on_step_end(None, SimpleNamespace(global_step=step, max_steps=WARM_UP + 2), None)
    assert (probe.leg.tokens, probe.leg.laid) == (2 * 4, 2 * 6)
    probe._count(model.eval(), (), batch)
    assert probe.leg.laid == 2 * 6


def test_the_parts_of_a_step_add_up() -> None:
    found = {"sampling_seconds": [3.0, 3.0], "scoring_seconds": [1.0, 0.0], "learning_seconds": [1.0, 2.0]}
    lines = ppo_split.table(found).splitlines()
    assert lines[2] == "| sampling | 3.00 (3.00 to 3.00) | 60% |"
    assert lines[-1] == "| all | 5.00 (5.00 to 5.00) | |"
