"""Rows come in several forms; a bad one is named with its place, its field and the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Recipe
from tests.training.rows import CONVERSATIONS, read, said, write_rows
from training import run
from training.data.formats import learned
from training.data.formats.conversations import Row
from training.data.reading import sources
from training.errors import BadRows, SourceError
from training.recipe import GeneratorSource


def generated(rows: int, seed: int, word: str = "red") -> Iterator[dict[str, Any]]:
    """A generator as recipes name them."""
    for i in range(rows):
        yield said(word, f"{seed} {i}")


def careless(rows: int, seed: int) -> Iterator[object]:
    """A generator whose second row is wrong."""
    yield said("red", "blue")
    yield {"messages": [{"role": "usr", "content": "x"}]}


def test_all_bad_rows_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good = json.dumps(said("red?", "blue"))
    bad = [
        '{"messages": [',
        '{"messages": [{"role": "usr", "content": "x"}]}',
        '{"message": []}',
        '{"messages": [{"role": "user", "content": 7}]}',
        '{"messages": []}',
        '["red"]',
    ]
    path.write_text("\n".join([good, *bad, "", good]), encoding="utf-8")
    with pytest.raises(BadRows) as caught:
        read(path, "messages")
    text = str(caught.value)
    assert text.startswith("6 bad rows\n")
    assert f"{path}:2: is not JSON" in text
    assert f"{path}:3: messages.0.role: must be one of system, developer, user, assistant, tool" in text
    assert "found 'usr'" in text
    assert f"{path}:4: messages: must be a list; the row has message" in text
    assert f"{path}:5: messages.0.content: must be a text, found 7" in text
    assert f"{path}:6: messages: is empty; give at least one message" in text
    assert f"{path}:7: must be an object, found ['red']" in text


def test_a_row_with_images_is_not_learned_without_them(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "<image>who?"}, {"role": "assistant", "content": "Ann"}]
    rows = [{"messages": turns, "images": []}, {"messages": turns, "images": ["ann.jpg"]}]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(BadRows, match=rf"^1 bad row\n  {path}:2: images: belongs to the row"):
        read(path, "messages")


def test_many_bad_rows_are_counted_not_listed(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"text": i} for i in range(25)])
    with pytest.raises(BadRows, match=r"^25 bad rows\n(.*\n){10}  \.\.\. and 15 more$"):
        read(path, "text", "cpt")


def test_bad_rows_of_all_sources_come_in_one_report(recipe: Recipe, tmp_path: Path) -> None:
    first = write_rows(tmp_path / "first.jsonl", [*CONVERSATIONS, {"messages": []}])
    second = write_rows(tmp_path / "second.jsonl", [{"instruction": "red?"}])
    path = recipe(
        **{
            "data.sources": [
                {"path": str(first), "format": "messages"},
                {"path": str(second), "format": "alpaca"},
                {"generator": f"{__name__}:careless", "rows": 2},
            ]
        }
    )
    with pytest.raises(BadRows) as caught:
        run.train(path, runs=tmp_path / "runs", report=lambda _: None)
    assert [row.where for row in caught.value.rows] == [
        f"{first}:{len(CONVERSATIONS) + 1}",
        f"{second}:1",
        f"{__name__}:careless() row 2",
    ]


def test_a_text_has_no_turns_for_sft(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"text": "red"}])
    assert read(path, "messages", "cpt") == [Row(text="red")]
    with pytest.raises(BadRows, match=r"rows\.jsonl:1: text: .*give messages, or use stage: cpt"):
        read(path, "messages", "sft")


def test_a_source_that_can_not_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.jsonl: no such file; paths are seen from"):
        read(tmp_path / "none.jsonl", "text", "cpt")
    with pytest.raises(SourceError, match="holds no rows"):
        read(write_rows(tmp_path / "empty.jsonl", []), "text", "cpt")
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9t\xe9")
    with pytest.raises(SourceError, match="can't be read as UTF-8"):
        read(tmp_path / "latin.jsonl", "text", "cpt")
    for name, why in {
        "no.such.module:rows": "can't be imported",
        f"{__name__}:nothing": "has no 'nothing'",
        f"{__name__}:CONVERSATIONS": "is not a function",
    }.items():
        source = GeneratorSource(generator=name, rows=3)
        with pytest.raises(SourceError, match=why):
            learned.read(sources.parts(source, 0)[0], "sft")
    source = GeneratorSource(generator=f"{__name__}:generated", rows=3, arguments={"colour": "red"})
    with pytest.raises(SourceError, match=r"does not take these arguments: .*colour"):
        learned.read(sources.parts(source, 0)[0], "sft")


def test_a_generator_that_refuses_its_arguments_is_heard() -> None:
    source = GeneratorSource(
        generator="deploy.demo.text.corpus:adapter_rows", rows=3, arguments={"adapter": "moth"}
    )
    with pytest.raises(SourceError, match="no adapter 'moth' in the demo; there are support"):
        learned.read(sources.parts(source, 0)[0], "sft")


def test_a_generators_rows_are_the_same_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PART_ROWS", 4)
    source = GeneratorSource(generator=f"{__name__}:generated", rows=10, arguments={"word": "blue"})
    parts = sources.parts(source, 7)
    assert [part.rows for part in parts] == [4, 4, 2]
    rows = [row for part in parts for row in learned.read(part, "sft")]
    assert len({row.canonical() for row in rows}) == 10  # a seed of its own each
    assert rows == [row for part in sources.parts(source, 7) for row in learned.read(part, "sft")]
    assert rows != [row for part in sources.parts(source, 8) for row in learned.read(part, "sft")]
