"""What is in a file of rows: JSON, a row a line or a list, or text; gzipped or not, UTF-8 or UTF-16."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from training.data.row import json_text
from training.data.row.fields import names, shown
from training.errors import BadRow, SourceError
from training.models.tokenizer import END_OF_TEXT

_GZIP, _UTF16 = b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")
_PARQUET, _POINTER = b"PAR1", b"version https://git-lfs.github.com/spec/"
_PACKED = {  # what a file begins with → its kind, and what unpacks it
    b"PK\x03\x04": ("a zip archive", "unzip"),
    b"\x28\xb5\x2f\xfd": ("packed with Zstandard", "unzstd"),
    b"BZh9": ("packed with bzip2", "bunzip2 -k"),
    b"\xfd7zXZ\x00": ("packed with xz", "unxz -k"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "7z x"),
}
_TABLES = {  # how datasets reads them
    ".parquet": ("from_parquet", ""),
    ".arrow": ("from_file", ""),
    ".csv": ("from_csv", ""),
    ".tsv": ("from_csv", ", sep='\\t'"),
}


def from_file(
    path: Path, documents: Literal["file", "paragraph", "line"] = "file"
) -> Iterator[tuple[str, Any]]:
    """Where each row of a file stands, and what it holds: any JSON, or a BadRow where it is none.

    ``documents`` says what a row of a .txt file is; white space alone is none, and <|endoftext|> ends one.

    Raises:
        SourceError: there is no such file, or it can't be read.
    """
    content = _content(path)
    suffix = suffix_of(path)
    if suffix == ".txt":
        for first, text in _documents(content, documents):
            whole = documents == "file" and END_OF_TEXT not in content
            yield str(path) if whole else f"{path}:{first}", {"text": text}
    elif _is_one_value(content, suffix):
        for number, row in enumerate(_listed(path, content), 1):
            yield f"{path} row {number}", row
    else:
        for number, line in enumerate(content.split("\n"), 1):  # splitlines cuts inside JSON texts, at U+2028
            if line.strip():
                where = f"{path}:{number}"
                yield where, _parsed(where, line)


def _of_hub(path: Path) -> str:
    """What is said more of one that has the form of a hub's id of a data set."""
    if path.is_absolute() or path.suffix or len(path.parts) != 2:
        return ""
    return f". A hub's data set is downloaded first (`hf download --repo-type dataset {path}`)"


def suffix_of(path: Path) -> str:
    """How the file's name ends, without .gz."""
    return _ungzipped(path).suffix.lower()


def _ungzipped(path: Path) -> Path:
    return path.with_suffix("") if path.suffix == ".gz" else path


def _content(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file; paths are seen from {Path.cwd()}{_of_hub(path)}") from None
    except IsADirectoryError:
        raise SourceError(f"{path}: is a folder; a source is one file, so name each that is in it") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise SourceError(f"{path}: is gzip, and broken or cut off: {exc}") from exc
    except OSError as exc:
        raise SourceError(f"{path}: can't be read: {exc.strerror}") from exc
    _refuse_others(path, content)
    encoding = "utf-16" if content.startswith(_UTF16) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        where = f"{path}:{line}" if encoding == "utf-8-sig" else str(path)
        raise SourceError(
            f"{where}: can't be read as {encoding.upper().removesuffix('-SIG')} text: {exc.reason} at byte "
            f"{exc.start:,} of {len(content):,}; write the file in UTF-8, for instance by iconv, or whole if "
            "it was cut off"
        ) from exc


def _refuse_others(path: Path, content: bytes) -> None:
    """Make sure that ``content`` is text, by what it begins with, and the file's name.

    Raises:
        SourceError: with what it is, and how it becomes rows.
    """
    suffix = suffix_of(path)
    parquet = content.startswith(_PARQUET)
    if suffix == ".parquet" and not (parquet and content.endswith(_PARQUET)):
        raise SourceError(
            f"{path}: is no whole Parquet file, which begins and ends with PAR1; was it cut off? Copy it anew"
        )
    if suffix in _TABLES or parquet:
        kind = ".parquet" if parquet else suffix
        read, more = _TABLES[kind]
        rows = f"Dataset.{read}('{path}'{more})"
        out = _ungzipped(path).with_suffix(".rows.jsonl" if suffix == ".jsonl" else ".jsonl")
        write = f"{rows}.to_json('{out}', force_ascii=False)"
        raise SourceError(
            f"{path}: a {kind} file is a table, and rows are read from JSON. This writes them: "
            f'python -c "from datasets import Dataset; {write}"'
        )
    for begins, (kind, unpack) in _PACKED.items():
        if content.startswith(begins):
            raise SourceError(f"{path}: is {kind}, of which gzip alone is read; unpack it: {unpack} '{path}'")
    if content.startswith(_POINTER):
        raise SourceError(
            f"{path}: is a pointer of Git LFS, and not the file itself; `git lfs pull` fetches that"
        )


def _is_one_value(content: str, suffix: str) -> bool:
    """Whether a file is one JSON value, mostly a list of rows, and not a row a line, whatever it is called.

    BELLE's .json files have a row a line; a list on lines of its own may be called .jsonl.
    """
    first, _, rest = content.strip().partition("\n")
    try:
        one_line = json_text.loads(first, keys_once=True) if first else None
    except ValueError:
        return suffix == ".json" or first.startswith("[")
    if isinstance(one_line, dict):
        return suffix == ".json" and not rest
    return suffix == ".json" or (isinstance(one_line, list) and not rest)


def _listed(path: Path, content: str) -> list[Any]:
    try:
        rows = json_text.loads(content, keys_once=True)
    except ValueError as exc:
        raise SourceError(f"{path}: not JSON: {exc}; one row a line is a .jsonl file") from exc
    if isinstance(rows, dict):
        raise SourceError(
            f"{path}: holds one object, with the fields {names(rows)}; a .json file must hold a list of "
            "rows. If it is a row, put [ ] around it; if a field holds them, make a file of that list alone"
        )
    if not isinstance(rows, list):
        raise SourceError(f"{path}: a .json file must hold a list of rows, found {shown(rows)}")
    return rows


def _documents(content: str, documents: str) -> Iterator[tuple[int, str]]:
    """Each document of a text, and the number of its first line."""
    end = rf"\n?{re.escape(END_OF_TEXT)}\n?"
    parting = {"file": end, "paragraph": rf"{end}|\n(?:[^\S\n]*\n)+", "line": rf"{end}|\n"}[documents]
    line = 1
    for text in re.split(f"({parting})", content):
        if text.strip() and END_OF_TEXT not in text:
            yield line, text
        line += text.count("\n")


def _parsed(where: str, line: str) -> Any:
    try:
        return json_text.loads(line, keys_once=True)
    except ValueError as exc:
        return BadRow(where, "", f"is not JSON: {exc}; a .jsonl file has one whole object a line")
