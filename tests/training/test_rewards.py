"""Rewards: rules and models added up, and what is wrong with one says so."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.errors import RewardError
from training.online import rewards
from training.online.answers import Answers
from training.online.prompts import Prompt
from training.online.rewards import Rewards
from training.online.scoring import columns
from training.recipe import ModelReward, RuleReward

ASKED = [[{"role": "user", "content": "red?"}], [{"role": "user", "content": "blue?"}]]
SAID = ["red it is", "no"]


class ByLength:
    """A stand-in for a trained reward model: the longer the last message, the better."""

    def __init__(self) -> None:
        self.read: list[list[Mapping[str, Any]]] = []

    def score(self, conversations: Sequence[Sequence[Mapping[str, Any]]]) -> Any:
        self.read += [list(conversation) for conversation in conversations]
        return np.array([len(conversation[-1]["content"]) for conversation in conversations], np.float32)


def rule(name: str, weight: float = 1.0) -> RuleReward:
    return RuleReward(rule=f"tests.training.asking:{name}", weight=weight)


def test_rules_and_models_add_up_by_their_weights() -> None:
    model = ByLength()
    loaded = rewards.load([rule("holds_wanted", 2.0)])
    both = Rewards((*loaded.parts, rewards.model("model", -0.1, model)))
    total, means = both.score(ASKED, SAID, {"wanted": ["red", "blue"]})
    assert total.tolist() == pytest.approx([2 * 1 - 0.9, 0 - 0.2])
    assert means == {"holds_wanted": 0.5, "model": 5.5}
    assert model.read[0] == [*ASKED[0], {"role": "assistant", "content": "red it is"}]


def test_a_rule_may_have_nothing_to_say() -> None:
    loaded = rewards.load([rule("holds_wanted")])
    total, means = loaded.score(ASKED, SAID, {"wanted": [None, "no"]})
    assert total.tolist() == [0, 1]
    assert means == {"holds_wanted": 1.0}
    assert loaded.score(ASKED, SAID, {"wanted": [None, None]})[1] == {}


def test_a_rule_of_trl_works_as_it_is() -> None:
    """TRL's own reward functions are called so: conversational completions, and columns by name."""
    loaded = rewards.load([RuleReward(rule="trl.rewards:think_format_reward")])
    total, _ = loaded.score(ASKED, ["<think>\nred\n</think>\nRed.", "Red."], {"wanted": ["a", "b"]})
    assert total.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", r"the rule broken failed: TypeError: .*wanted.*columns wanted, and needs \*\*columns"),
        ("one_too_few", "the reward one_too_few gave 1 numbers for 2 answers"),
        ("no_such", r"^rewards\.0\.rule: .*has no 'no_such'"),
        ("QUESTIONS", r"^rewards\.0\.rule: .*is not a function"),
    ],
)
def test_a_rule_that_is_none_says_why(name: str, message: str) -> None:
    with pytest.raises(RewardError, match=message):
        rewards.load([rule(name)]).score(ASKED, SAID, {"wanted": ["red", "blue"]})


def test_numbers_that_are_none_are_refused() -> None:
    def endless(**_: object) -> list[float | None]:
        return [math.inf, 0.0]

    with pytest.raises(RewardError, match="infinite"):
        rewards.rule("endless", 1.0, endless).score(ASKED, SAID, {})

    class Lost:
        def score(self, conversations: Sequence[Sequence[Mapping[str, Any]]]) -> list[float]:
            return [math.nan] * len(conversations)

    with pytest.raises(RewardError, match="the reward model gave nan, which is no score"):
        rewards.model("model", 1.0, Lost()).score(ASKED, SAID, {})


def test_a_text_is_no_number_and_an_exit_is_an_error() -> None:
    def told(**_: object) -> Any:
        return ["0.5", 1.0]

    with pytest.raises(RewardError, match=r"told gave something that is no list .*: '0\.5' is a text"):
        rewards.rule("told", 1.0, told).score(ASKED, SAID, {})

    def ending(**_: object) -> Any:
        sys.exit(0)

    with pytest.raises(RewardError, match="the rule ending failed: SystemExit: 0"):
        rewards.rule("ending", 1.0, ending).score(ASKED, SAID, {})


def test_a_reward_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RewardError, match=r"^rewards\.1\.model: .*none: no such folder; .* rm makes one"):
        rewards.load([rule("vowels"), ModelReward(model=tmp_path / "none")])


def test_columns_are_those_of_all_rows() -> None:
    rows = [Prompt((), (), {"a": 1}), Prompt((), (), {"b": 2})]
    assert columns(rows) == {"a": [1, None], "b": [None, 2]}


def test_texts_are_without_the_end_of_turn(tokenizer: Any) -> None:
    ids = list(tokenizer("red parcel", add_special_tokens=False)["input_ids"])
    answers = Answers([[*ids, tokenizer.eos_token_id], ids], [True, False])
    assert answers.texts(tokenizer) == ["red parcel", "red parcel"]
