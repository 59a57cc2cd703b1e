"""Text of PDF files, page by page: the one home of pypdf, which is an extra (``pdf``)."""

from __future__ import annotations

import logging
import re
from importlib.util import find_spec
from pathlib import Path

from chains.errors import DocumentsUnreadable

log = logging.getLogger("pointsman.documents")

_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])-\n(?=[a-zäöüß])")
_BETWEEN_IDEOGRAPHS = re.compile(
    r"(?<=[\u3040-\u30ff\u3400-\u9fff，。；：！？])\n(?=[\u3040-\u30ff\u3400-\u9fff])"
)
_LINE_END = re.compile(r"(?<!\n)\n(?!\n|\s*[•·▪*-] )")


def reads_pdf() -> bool:
    """Whether pypdf is installed."""
    return find_spec("pypdf") is not None


def pages_of(path: Path) -> list[str]:
    """The text of each page; "" for one that holds none, such as a scan. Blocks.

    Lines that a page breaks are put together again; paragraphs stay apart where the file has them apart.

    Raises:
        DocumentsUnreadable: it is no PDF, damaged, or locked by a password.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentsUnreadable(f"{path} is locked by a password")
        pages = [_unbroken(page.extract_text()) for page in reader.pages]
    except OSError as exc:
        raise DocumentsUnreadable(f"{path} can't be read: {exc.strerror or exc}") from exc
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise DocumentsUnreadable(f"{path} can't be read as PDF: {exc}") from exc
    if not any(pages):
        log.warning("%s holds no text: a scan has to go through character recognition first", path)
    return pages


def _unbroken(text: str) -> str:
    text = "\n".join(line.strip() for line in text.splitlines())
    text = _BETWEEN_IDEOGRAPHS.sub("", _BROKEN_WORD.sub("", text))
    return _LINE_END.sub(" ", text).strip()
