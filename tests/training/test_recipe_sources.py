"""Sources of a recipe that would show the same rows twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.document import DocumentError
from tests.training.conftest import Recipe
from tests.training.rows import CONVERSATIONS, write_rows
from training import recipe as recipes


def test_a_source_that_is_given_twice_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    """Else one of its rows might be trained on as the other is evaluated on."""
    path = str(write_rows(tmp_path / "rows.jsonl", CONVERSATIONS))
    one = {"path": path, "format": "messages"}
    asked = {"a_word": "red"}
    written = [{"generator": "tests.training.generators:rows", "rows": 4, "arguments": asked}] * 2
    for sources, said in [
        (
            [one, one | {"weight": 2}],
            f"{path} is data.sources.0 already, .*, and give the other one the weight 3",
        ),
        (written, ".* is data.sources.0 already, .* the weight 2"),
        ([one, one | {"path": f"{tmp_path}/../{tmp_path.name}/rows.jsonl"}], ".* is data.sources.0 already"),
        ([one, one | {"answers": "last"}], ".* is data.sources.0 already"),
    ]:
        with pytest.raises(DocumentError, match=rf"data\.sources\.1: {said}"):
            recipes.load(recipe(**{"data.sources": sources}))
    other = one | {"columns": {"messages": "more"}}
    assert recipes.load(recipe(**{"data.sources": [one, other, written[0]]}))
