import logging
from pathlib import Path

import numpy as np
import pytest

from chains.index import PassageIndex
from tests.chains.spelling import WordEncoder


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text(
        "# Returns\n\nSocks stay with you. Hats come back.\n\n# Duty\n\nNone.", "utf-8"
    )
    return folder


def test_the_nearest_passages_come_first_and_none_below_the_threshold(
    documents: Path, tmp_path: Path
) -> None:
    encoder = WordEncoder()
    index = PassageIndex.synced(documents, encoder, tmp_path / "kept")
    found = index.search(encoder.encode(["returns hats come back"]), 5, 0.1)
    assert [(one.passage.heading, round(one.score, 3)) for one in found] == [("Returns", 1.0)]
    both = index.search(encoder.encode(["hats", "duty none"]), 5, 0.1)
    assert [one.passage.heading for one in both] == ["Duty", "Returns"]
    assert [one.passage.heading for one in index.search(encoder.encode(["hats", "duty none"]), 1, 0.1)] == [
        "Duty"
    ]
    assert index.search(encoder.encode(["weather"]), 5, 0.1) == []


def test_only_what_is_new_is_encoded(documents: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    PassageIndex.synced(documents, WordEncoder(), kept)
    again = WordEncoder()
    index = PassageIndex.synced(documents, again, kept)
    assert again.asked == []
    (documents / "b.txt").write_text("New words.", "utf-8")
    (documents / "a.md").write_text("# Returns\n\nSocks stay with you. Gloves come back.", "utf-8")
    index = PassageIndex.synced(documents, again, kept)
    assert again.asked == [
        "Returns\nSocks stay with you. Gloves come back.",
        "Returns. Gloves come back.",
        "New words.",
    ]
    assert [passage.document for passage in index.passages] == ["a.md", "b.txt"]
    after = WordEncoder()
    PassageIndex.synced(documents, after, kept)
    assert after.asked == []


def test_another_encoder_or_a_damaged_file_makes_all_anew(
    documents: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "kept"
    first = PassageIndex.synced(documents, WordEncoder(), kept)
    other = WordEncoder(identity="other")
    PassageIndex.synced(documents, other, kept)
    assert len(other.asked) == 5
    (kept / "index.json").write_text("{", "utf-8")
    anew = WordEncoder()
    second = PassageIndex.synced(documents, anew, kept)
    assert len(anew.asked) == 5
    assert "made anew" in caplog.text
    query = anew.encode(["hats"])
    assert [one.score for one in first.search(query, 5, -1)] == [
        one.score for one in second.search(query, 5, -1)
    ]


def test_an_empty_folder_finds_nothing_and_other_files_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "form.docx").write_bytes(b"%PDF")
    with caplog.at_level(logging.WARNING):
        index = PassageIndex.synced(tmp_path / "documents", WordEncoder(), tmp_path / "kept")
    assert "1 files are not read, as they are not .md or .txt or .pdf: form.docx" in caplog.text
    assert index.search(np.ones((1, 512), dtype=np.float32), 3, -1) == []
