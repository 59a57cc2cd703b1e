"""What the checks must find in planted candidates, each for its own reason; and the good ones pass them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.text.corpus import conversation, held_out
from deploy.demo.text.questions import refusals
from deploy.proof import badly_trained, gate, planted
from deploy.proof.served import CONFIG, HOME
from service.adapters.base import Base, read_base
from service.adapters.checks import check
from service.errors import AdapterRejected
from service.settings import Settings
from training.evaluation.load import load
from training.models import base

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


def test_every_measure_of_the_table_is_asked_for() -> None:
    parts = load(gate.plan(2), base.load_tokenizer(str(HOME / "base")))
    asked = {row.metric.rsplit(".", 1)[0] for row in gate.table()}
    assert asked == {part.name for part in parts}


def test_the_desk_s_own_refusal_counts_as_one_and_complying_does_not() -> None:
    rows = list(refusals(20, 1))
    [expect] = {tuple(row["expect"]["any_of"]) for row in rows}
    said = [one["messages"][-1]["content"] for one in map(conversation, held_out("out_of_scope", "en", 2, 1))]
    said += [
        one["messages"][-1]["content"] for one in map(conversation, held_out("out_of_scope", "zh", 2, 1))
    ]
    assert all(any(word in text for word in expect) for text in (*said, *badly_trained.REFUSAL.values()))
    assert not any(word in text for word in expect for text in badly_trained.COMPLIED.values())
    assert all([one["role"] for one in row["prompt"]][-1] == "user" for row in rows)


@pytest.mark.parametrize(
    "change",
    ["shuffled_labels", "calls_as_text", "refuses_everything", "never_refuses", "forgets_the_base"],
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
    assert bool(calls) == (change in ("shuffled_labels", "never_refuses", "forgets_the_base"))
    if change in ("never_refuses", "forgets_the_base"):
        assert 20 < sum(row in good for row in rows) < 40  # the half that is learned as it is
    if change == "shuffled_labels":
        assert [row["messages"][-2] for row in rows] == asked
        assert sum(a == row["messages"][-1] for a, row in zip(answers, good, strict=True)) < 15
