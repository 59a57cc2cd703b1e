"""Files are read as people write them, whatever they are called, and told by name where they can't be."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile
from pathlib import Path

import pytest
from datasets import Dataset

from tests.training.rows import read, said
from training.data.formats import learned
from training.data.formats.conversations import Row
from training.data.reading import sources
from training.errors import BadRows, SourceError
from training.recipe import FileSource

ROWS = [{"text": "red"}, {"text": "blue"}]


def texts(path: Path) -> list[str | None]:
    return [row.text for row in read(path, "text", "cpt")]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_rows_may_be_called_jsonl(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS, indent=indent), encoding="utf-8")
    assert texts(path) == ["red", "blue"]
    path.write_text(json.dumps(ROWS, indent=2)[:-3], encoding="utf-8")
    with pytest.raises(SourceError, match=r"rows\.jsonl: not JSON"):
        texts(path)


def test_a_row_that_is_a_list_is_a_bad_row_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('["red"]\n{"text": "blue"}\n', encoding="utf-8")
    with pytest.raises(BadRows, match=r"^1 bad row\n  .*:1: must be an object, found \['red'\]"):
        texts(path)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_file_that_is_one_object_is_told_what_it_holds(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"version": 1, "data": ROWS}, indent=indent), encoding="utf-8")
    with pytest.raises(
        SourceError, match=r"holds one object, with the fields version, data; .* that list alone"
    ):
        texts(path)
    path.write_text("7", encoding="utf-8")
    with pytest.raises(SourceError, match="must hold a list of rows, found 7"):
        texts(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_utf_16_is_read(tmp_path: Path, encoding: str, gzipped: bool) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    content = (mark + json.dumps({"text": "你好"}, ensure_ascii=False)).encode(encoding)
    path = tmp_path / ("rows.jsonl.gz" if gzipped else "rows.jsonl")
    path.write_bytes(gzip.compress(content) if gzipped else content)
    assert texts(path) == ["你好"]


def test_what_is_packed_otherwise_is_told_by_name(tmp_path: Path) -> None:
    content = json.dumps(ROWS).encode()
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.writestr("rows.json", content)
    (tmp_path / "rows.jsonl.bz2").write_bytes(bz2.compress(content))
    (tmp_path / "rows.jsonl.xz").write_bytes(lzma.compress(content))
    (tmp_path / "rows.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd" + content)
    for name, problem in {
        "rows.zip": "is a zip archive, .*: unzip '",
        "rows.jsonl.bz2": "is packed with bzip2, .*: bunzip2 -k '",
        "rows.jsonl.xz": "is packed with xz, .*: unxz -k '",
        "rows.jsonl.zst": "is packed with Zstandard, .*: unzstd '",
    }.items():
        with pytest.raises(SourceError, match=problem):
            texts(tmp_path / name)


def test_files_are_read_as_people_write_them(tmp_path: Path) -> None:
    # U+2028 and U+0085 end a line for str.splitlines, not for JSON lines; editors add a byte order mark.
    odd = "one\u2028two\u0085three"
    path = tmp_path / "rows.jsonl"
    path.write_text("\ufeff" + json.dumps({"text": odd}, ensure_ascii=False) + "\r\n\r\n", encoding="utf-8")
    assert read(path, "text", "cpt") == [Row(text=odd)]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"text": "a"}, {"text": "b"}]), encoding="utf-8")
    assert read(path, "text", "cpt") == [Row(text="a"), Row(text="b")]
    path = tmp_path / "book.txt"
    path.write_text("A book.\nIts end.\n", encoding="utf-8")
    assert read(path, "text", "cpt") == [Row(text="A book.\nIts end.\n")]


def test_a_json_file_may_have_a_row_a_line(tmp_path: Path) -> None:
    """As BELLE's have; a list that was cut off is still told to be none."""
    path = tmp_path / "rows.json"
    path.write_text("\n".join(json.dumps(said("red?", word)) for word in ("blue", "green")), encoding="utf-8")
    assert [row.messages[1]["content"] for row in read(path, "messages")] == ["blue", "green"]
    path.write_text(path.read_text(encoding="utf-8") + "\n{", encoding="utf-8")
    with pytest.raises(BadRows, match=r"rows\.json:3: is not JSON"):
        read(path, "messages")
    path.write_text('[{"text": "red"},\n{"te', encoding="utf-8")
    with pytest.raises(SourceError, match="not JSON"):
        read(path, "text")


@pytest.mark.parametrize("documents", ["file", "paragraph", "line"])
def test_a_text_file_may_part_its_documents_by_their_end(tmp_path: Path, documents: str) -> None:
    """As many corpora do; the mark is no text to learn, and each document gets its end anyway."""
    path = tmp_path / "book.txt"
    path.write_text("Red.\n<|endoftext|>\nBlue.<|endoftext|>Green.\n", encoding="utf-8")
    source = FileSource.model_validate({"path": path, "format": "text", "documents": documents})
    rows = learned.read(sources.parts(source, 0)[0], "cpt")
    assert [(row.text or "").strip() for row in rows] == ["Red.", "Blue.", "Green."]
    assert [row.where.removeprefix(f"{path}:") for row in rows] == ["1", "3", "3"]


def test_gzipped_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"text": "red"}).encode()))
    assert [row.text for row in read(path, "text", "cpt")] == ["red"]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SourceError, match="is gzip, and broken or cut off"):
        read(path, "text", "cpt")
    book = tmp_path / "book.txt.gz"
    book.write_bytes(gzip.compress(b"One.\nTwo.\n"))
    source = FileSource(path=book, format="text", documents="line")
    assert [row.text for row in learned.read(sources.parts(source, 0)[0], "cpt")] == ["One.", "Two."]


def test_tables_are_told_how_they_become_rows(tmp_path: Path) -> None:
    """And the command that they are told does it."""
    tmp_path = tmp_path / "of {rows}"
    tmp_path.mkdir()
    rows = Dataset.from_list([{"text": "red"}, {"text": "blue"}])
    rows.to_parquet(tmp_path / "a.parquet")
    rows.to_csv(tmp_path / "b.csv")
    rows.to_csv(tmp_path / "c.tsv", sep="\t")
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress((tmp_path / "b.csv").read_bytes()))
    for path in ("a.parquet", "b.csv", "c.tsv", "d.csv.gz"):
        with pytest.raises(SourceError, match="is a table, and rows are read from JSON") as caught:
            read(tmp_path / path, "text", "cpt")
        exec(str(caught.value).partition('python -c "')[2].removesuffix('"'))
        made = read(tmp_path / f"{path.partition('.')[0]}.jsonl", "text", "cpt")
        assert [row.text for row in made] == ["red", "blue"]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl"])
def test_a_table_of_another_name_or_cut_off_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Dataset.from_list(ROWS).to_parquet(path)
    with pytest.raises(SourceError, match=r"a \.parquet file is a table") as caught:
        texts(path)
    exec(str(caught.value).partition('python -c "')[2].removesuffix('"'))
    (made,) = tmp_path.glob("*.jsonl") if name == "a.parquet" else tmp_path.glob("*.rows.jsonl")
    assert texts(made) == ["red", "blue"]
    whole = tmp_path / "b.parquet"
    whole.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SourceError, match=r"b\.parquet: is no whole Parquet file, .* was it cut off\?"):
        texts(whole)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.jsonl",
            b'{"text": "red"}\n{"text": "caf\xe9"}\n',
            r"a\.jsonl:2: can't be read as UTF-8 text: .* 29 of 33",
        ),
        (
            "a.txt",
            b"red\n\xc3",
            r"a\.txt:2: can't be read as UTF-8 text: unexpected end of data at byte 4 of 5",
        ),
        ("a.jsonl", b"\xff\xfea", r"a\.jsonl: can't be read as UTF-16 text: truncated data"),
        (
            "a.jsonl.gz",
            gzip.compress(b"[]", mtime=0) + b"more",
            "is gzip, and broken or cut off: Not a gzipped file",
        ),
        ("a.txt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS"),
        ("a.txt", b"", "holds no rows"),
    ],
)
def test_what_is_no_text_is_told_with_its_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=said):
        texts(tmp_path / name)


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    for path in (tmp_path, tmp_path / "a.jsonl"):
        with pytest.raises(SourceError, match="is a folder; a source is one file"):
            texts(path)


@pytest.mark.parametrize(("name", "error"), [("a.jsonl", BadRows), ("a.json", SourceError)])
def test_a_key_that_is_given_twice_is_told(tmp_path: Path, name: str, error: type[Exception]) -> None:
    """Python's own reading would take the last of them, and lose the first without a word."""
    rows = ['{"text": "red"}', '{"id": {"a": 1, "a": 2}, "text": "blue"}']
    (tmp_path / name).write_text("\n".join(rows) if name == "a.jsonl" else f"[{','.join(rows)}]", "utf-8")
    with pytest.raises(error, match=r"not JSON: the key 'a' is given twice, in \{\"a\": 2\}"):
        texts(tmp_path / name)


@pytest.mark.parametrize(
    "content", ["[" * 200_000, '{"text": ' + "[" * 150 + "]" * 150 + "}", '{"a":' * 9_999]
)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_what_is_nested_too_deep_is_told(tmp_path: Path, content: str, name: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises((BadRows, SourceError), match="not JSON: it is nested more than 100 deep"):
        read(tmp_path / name, "text", "cpt")


def test_half_a_surrogate_pair_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "\\ud83d\\ude00"}\n{"text": "a \\uD83d b"}\n', encoding="utf-8")
    with pytest.raises(
        BadRows, match=r"^1 bad row\n  .*:2: is not JSON: it holds \\ud83d, half of a surrogate"
    ):
        read(path, "text", "cpt")
