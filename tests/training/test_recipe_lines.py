"""What is wrong across the fields of a recipe is told on the line of the key that it is about."""

from __future__ import annotations

from pathlib import Path

from tests.training.asking import Online
from tests.training.refused import problems

RECIPE = """\
stage: sft
name: tiny
alias: tiny
base: none
method: full
init_adapter: none
qlora: {}
lora: {rank: 4}
data:
  sources:
    - path: none.jsonl
      format: pairs
train: {learning_rate: 0.1}
"""


def test_each_is_told_at_its_key(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE.replace("pairs", "text"), encoding="utf-8")
    found = problems(path)
    assert [(problem.line, problem.field) for problem in found] == [
        (6, "init_adapter"),
        (7, "qlora"),
        (8, "lora"),
    ]
    assert found[1].message == "belongs to the method qlora, not to the method full; remove it"
    path.write_text(RECIPE, encoding="utf-8")
    (only,) = problems(path)
    assert (only.line, only.field) == (12, "data.sources.0.format")
    assert only.message.startswith("this stage reads text")


def test_a_key_that_is_not_written_has_the_line_of_what_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    changes = {
        "method: full": "method: prefix",
        "init_adapter: none": "packing: true",
        "qlora: {}": "seed: 1",
    }
    text = RECIPE.replace("pairs", "text").replace("lora: {rank: 4}", "trackers: []")
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    assert [(problem.line, problem.field) for problem in problems(path)] == [(6, "packing")]


def test_the_policys_too(online: Online) -> None:
    path = online("ppo", **{"lora.dropout": 0.1})
    lines = path.read_text(encoding="utf-8").splitlines()
    (only,) = problems(path)
    assert only.field == "lora.dropout"
    assert only.line is not None
    assert lines[only.line - 1].strip() == "dropout: 0.1"
