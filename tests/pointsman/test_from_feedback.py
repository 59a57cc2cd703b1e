"""Rows that come of rated answers, and the command that writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from service.kept.feedback import FILE
from service.kept.own_file import OwnFile
from tests.pointsman.conftest import Run
from tests.service.parts import write_settings
from training.building import rated
from training.building.rated import rows_of
from training.data.formats import conversations, preferences
from training.data.formats.pair import Pair

QUESTION = [{"role": "user", "content": "How long may I return it?"}]


def line(name: str, score: float, answer: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "adapter": "support@0123456789ab",
        "chain": "direct",
        "score": score,
        "messages": QUESTION,
        "tools": None,
        "answer": None if answer is None else {"role": "assistant", "content": answer},
        "better": None,
        **more,
    }


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_good_and_bad_answers_to_one_question_are_a_pair() -> None:
    found = rows_of([line("a", 1, "60 days"), line("b", 0, "30 days"), line("c", 1, "60 days")], "support")
    assert found.pairs == [{"prompt": QUESTION, "chosen": [said("60 days")], "rejected": [said("30 days")]}]
    assert found.conversations == [{"messages": [*QUESTION, said("60 days")]}]
    [pair] = [preferences.pairs(one) for one in found.pairs]
    assert isinstance(pair, Pair)
    assert pair.chosen["content"] == "60 days"
    assert conversations.messages(found.conversations[0]).messages[-1]["content"] == "60 days"


def test_a_correction_is_a_pair_by_itself() -> None:
    found = rows_of([line("a", 0, "30 days", better="60 days")], "support")
    assert [(one["chosen"], one["rejected"]) for one in found.pairs] == [
        ([said("60 days")], [said("30 days")])
    ]
    assert len(found.conversations) == 1


def test_what_can_not_be_learned_from_is_counted_by_its_reason() -> None:
    found = rows_of(
        [
            line("a", 0, "30 days"),
            line("a", 1, "30 days"),  # before, and taken back
            line("b", 1, None),
            line("c", 1, "in Leeds", chain="react"),
            line("d", 1, "42", adapter="math@0123456789ab"),
        ],
        "support",
    )
    assert (found.pairs, found.conversations, found.ratings) == ([], [], 5)
    assert found.dropped == dict.fromkeys(
        (rated.ALONE, rated.SECOND, rated.UNKNOWN, rated.STEPS, rated.OTHER), 1
    )


def test_the_command_writes_both_files(run: Run, tmp_path: Path) -> None:
    settings = write_settings(tmp_path, "http://127.0.0.1:9")
    words = ("data", "from-feedback", "--alias", "support", "--out", tmp_path / "rows")
    config = ("--config", tmp_path / "pointsman.yaml")
    assert "keep: texts" in run(*words, *config).stderr
    file = OwnFile(settings.state / FILE)
    file.write(line("a", 0, "30 days", better="60 days"))
    file.close()
    other = run(*words[:2], "--alias", "suport", "--out", tmp_path / "none", *config)
    assert (other.exit_code, (tmp_path / "none").exists()) == (1, False)
    assert "1 ratings, and none is of the alias 'suport'" in other.stderr
    ended = run(*words, *config)
    assert ended.exit_code == 0, ended.output
    assert "1 ratings: 1 pairs, 1 rows" in ended.stdout
    for name in ("pairs", "rows"):
        [row] = (tmp_path / "rows" / f"{name}.jsonl").read_text("utf-8").splitlines()
        assert "60 days" in json.dumps(json.loads(row))
