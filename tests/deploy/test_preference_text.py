"""Pairs of which the chosen answer is right and friendly and the other has a fault."""

from collections import Counter
from typing import Any

import pytest

from deploy.demo.text import preference


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return list(preference.pairs(1500, seed=1))


def said(row: dict[str, Any], which: str) -> str:
    (message,) = row[which]
    assert message["role"] == "assistant"
    return str(message["content"])


def test_the_seed_decides_and_nothing_else(rows: list[dict[str, Any]]) -> None:
    assert list(preference.pairs(100, seed=1)) == rows[:100]
    assert list(preference.pairs(100, seed=2)) != rows[:100]
    assert list(preference.demonstrations(50, seed=1)) == list(preference.demonstrations(50, seed=1))


def test_every_row_is_a_prompt_as_served_and_two_answers(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["prompt"][0]["role"] == "system"
        assert row["prompt"][-1]["role"] == "user"
    assert all(said(row, "chosen") != said(row, "rejected") for row in rows)


def test_length_alone_decides_nothing(rows: list[dict[str, Any]]) -> None:
    kinds = Counter(
        (len(said(row, "chosen")) > len(said(row, "rejected")))
        - (len(said(row, "chosen")) < len(said(row, "rejected")))
        for row in rows
    )
    assert 0.25 < kinds[-1] / len(rows) < 0.5  # the chosen one is shorter
    assert 0.25 < kinds[1] / len(rows) < 0.6


def test_a_chosen_sum_is_right_and_its_rejected_one_has_a_fault(rows: list[dict[str, Any]]) -> None:
    sums = [row for row in rows if "<think>" in said(row, "chosen")]
    assert len(sums) > 250
    for row in sums:
        calculation, _, result = said(row, "chosen").rpartition("\n")[2].rpartition(" = ")
        terms = calculation.replace("×", "*").replace(" ", "")
        assert eval(terms) == int(result)  # digits and signs that this project wrote
        wrong = said(row, "rejected")
        assert (
            wrong.rpartition(" = ")[2] != result or "<think>" not in wrong or not wrong.startswith("<think>")
        )


FRIENDLY = ("happy to help.", "很高兴为您服务。")


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_of_the_demonstrations_about_the_rules_a_share_is_friendly(share: float) -> None:
    rows = list(preference.demonstrations(600, seed=2, friendly=share))
    friendly = sum(row["messages"][-1]["content"].endswith(FRIENDLY) for row in rows) / len(rows)
    assert friendly == pytest.approx(0.45 * share, abs=0.05)  # 45 % are about the rules


def test_policy_answers_are_friendly(rows: list[dict[str, Any]]) -> None:
    friendly = [row for row in rows if said(row, "chosen").endswith(FRIENDLY)]
    assert 0.4 < len(friendly) / len(rows) < 0.5
    rejected = [said(row, "rejected").endswith(FRIENDLY) for row in friendly]
    assert 0.25 < sum(rejected) / len(rejected) < 0.55  # so the word alone does not decide either
