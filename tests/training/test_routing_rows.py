"""What the stage router reads: texts with their intents, and routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.spoken import spoken
from tests.training.intents import loaded, texts, write
from training import recipe as recipes
from training.errors import (
    BadRows,
    NothingToLearn,
    SourceError,
)
from training.routing import rows


def test_an_intents_name_is_one_of_its_texts(tmp_path: Path, encoder: Path) -> None:
    given = [row | {"intent": f"{row['intent']}_or-so"} if row["intent"] else row for row in texts()]
    found = rows.read(loaded(write(tmp_path, encoder, given)))
    assert rows.Labelled("fruit or so", "fruit_or-so") in found.train
    assert len(found.train) + len(found.validation) == len(texts()) - 2 + 3
    assert spoken("___") == ""


def test_routes_teach_what_they_and_their_files_hold(tmp_path: Path, encoder: Path) -> None:
    (tmp_path / "more.jsonl").write_text('{"text": "tin can", "intent": "metal"}\n', encoding="utf-8")
    routes = {
        "version": 1,
        "example_files": ["more.jsonl"],
        "out_of_scope": ["music"],
        "routes": [{"intent": "fruit", "examples": ["apple", "fig"]}, {"intent": "ruled"}],
    }
    path = tmp_path / "routes.yaml"
    path.write_text(yaml.safe_dump(routes), encoding="utf-8")
    source = recipes.FileSource(path=path, format="routes")
    found = [(row.text, row.intent) for row in rows.of_source(source, 0)]
    assert found == [("apple", "fruit"), ("fig", "fruit"), ("music", None), ("tin can", "metal")]
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(SourceError, match="is no routes file"):
        rows.of_source(source, 0)
    routes["routes"] = [{"intent": "fruit", "examples": ["apple", ""]}]
    path.write_text(yaml.safe_dump(routes), encoding="utf-8")
    with pytest.raises(BadRows, match=r"routes\.0\.examples\.1: text: is empty"):
        rows.of_source(source, 0)


def test_what_can_not_be_learned_from_is_refused(tmp_path: Path, encoder: Path) -> None:
    def refused(given: list[dict[str, Any]]) -> str:
        with pytest.raises((BadRows, NothingToLearn)) as caught:
            rows.read(loaded(write(tmp_path, encoder, given)))
        return str(caught.value)

    assert "rows.jsonl:2: intent: is missing" in refused([*texts()[:1], {"text": "pear"}])
    assert "intent: must be a name" in refused([{"text": "pear", "intent": 3}])
    assert "of 1 intent (fruit)" in refused(texts()[:4])
    assert "no intent has more than 2 examples" in refused(texts()[:2] + texts()[-4:])
