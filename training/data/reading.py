"""What is in a file of rows: JSON, a row a line or a list of them, or text; gzipped or not."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from training.data import json_text
from training.errors import BadRow, SourceError
from training.models.tokenizer import END_OF_TEXT

_GZIP, _UTF16 = b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")
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
    elif suffix == ".json" and not _has_a_row_a_line(content):
        try:
            rows = json_text.loads(content)
        except ValueError as exc:
            raise SourceError(f"{path}: not JSON: {exc}; one row a line is a .jsonl file") from exc
        if not isinstance(rows, list):
            raise SourceError(f"{path}: a .json file must hold a list of rows")
        for number, row in enumerate(rows, 1):
            yield f"{path} row {number}", row
    else:
        for number, line in enumerate(content.split("\n"), 1):  # splitlines cuts inside JSON texts, at U+2028
            if line.strip():
                where = f"{path}:{number}"
                yield where, _parsed(where, line)


def suffix_of(path: Path) -> str:
    """How the file's name ends, without .gz."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def _content(path: Path) -> str:
    if (suffix := suffix_of(path)) in _TABLES:
        read, more = _TABLES[suffix]
        rows = f"Dataset.{read}('{path}'{more})"
        write = f"{rows}.to_json('{path.with_suffix('.jsonl')}', force_ascii=False)"
        raise SourceError(
            f"{path}: a {path.suffix} file is a table, and rows are read from JSON. This writes them: "
            f'python -c "from datasets import Dataset; {write}"'
        )
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
        if content.startswith(_UTF16):
            raise SourceError(
                f"{path}: is UTF-16, as some editors save it; write it as UTF-8: "
                f"iconv -f UTF-16 -t UTF-8 '{path}' > other{path.suffix}"
            )
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file; paths are seen from {Path.cwd()}") from None
    except (EOFError, zlib.error) as exc:
        raise SourceError(f"{path}: is gzip, and broken or cut off: {exc}") from exc
    except (OSError, ValueError) as exc:
        raise SourceError(f"{path}: can't be read as UTF-8 text: {exc}") from exc


def _has_a_row_a_line(content: str) -> bool:
    """Whether a .json file is a .jsonl file by another name, as BELLE's are."""
    first, _, rest = content.lstrip().partition("\n")
    if not first.startswith("{") or not rest.strip():
        return False
    try:
        return isinstance(json_text.loads(first), dict)
    except ValueError:
        return False


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
        return json_text.loads(line)
    except ValueError as exc:
        return BadRow(where, "", f"is not JSON: {exc}; a .jsonl file has one whole object a line")
