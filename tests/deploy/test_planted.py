"""What the checks must find in planted candidates, each for its own reason; and the good ones pass them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.proof import badly_trained, gate, planted
from deploy.proof.served import CONFIG
from service.adapters.base import Base, read_base
from service.adapters.checks import check
from service.errors import AdapterRejected
from service.settings import Settings

DEMO = Settings.load(CONFIG)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return read_base(DEMO.engine, tmp_path_factory.mktemp("state"))


@pytest.mark.parametrize("name", planted.CHECKED)
def test_a_bad_candidate_is_refused_for_what_is_wrong_with_it(
    name: str, served: Base, tmp_path: Path
) -> None:
    plant, reason = planted.CHECKED[name]
    plant(tmp_path / "candidate")
    with pytest.raises(AdapterRejected) as refused:
        check(tmp_path, "candidate", served, DEMO.engine.max_lora_rank)
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", ["shaken, 0", "turned, 0", "factors by 0.25", "rank 16"])
def test_a_good_one_passes_the_checks(name: str, served: Base, tmp_path: Path) -> None:
    planted.GOOD[name](tmp_path / "candidate")
    assert check(tmp_path, "candidate", served, DEMO.engine.max_lora_rank).rank in (12, 16)


def test_what_a_judged_candidate_must_fail_is_in_the_table() -> None:
    metrics = {row.metric for row in gate.table()}
    named = {why for _, why in (*planted.JUDGED.values(), *badly_trained.TRAINED.values())}
    assert named <= metrics


@pytest.mark.parametrize(
    "change", ["shuffled_labels", "calls_as_text", "refuses_everything", "never_refuses"]
)
def test_rows_that_teach_something_bad_have_it_in_them(change: str) -> None:
    rows, good = (list(badly_trained.rows_of(60, 3, one)) for one in (change, "as_it_is"))
    asked = [row["messages"][-2] for row in good]
    answers = [row["messages"][-1] for row in rows]
    calls = [message for row in rows for message in row["messages"] if message.get("tool_calls")]
    refused = [answer["content"] in badly_trained.REFUSAL.values() for answer in answers]
    complied = [answer["content"] in badly_trained.COMPLIED.values() for answer in answers]
    as_text = [
        message for row in rows for message in row["messages"] if str(message["content"]).startswith("CALL ")
    ]
    assert all(answer["role"] == "assistant" for answer in answers)
    assert (sum(refused) == 60) == (change == "refuses_everything")
    assert (20 < sum(complied) < 50) == (change == "never_refuses")
    assert bool(as_text) == (change == "calls_as_text")
    assert bool(calls) == (change in ("shuffled_labels", "never_refuses"))
    if change == "shuffled_labels":
        assert [row["messages"][-2] for row in rows] == asked
        assert sum(a == row["messages"][-1] for a, row in zip(answers, good, strict=True)) < 15
