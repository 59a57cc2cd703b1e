"""Cuts documents into passages: short enough for an encoder to read whole, and never across a heading.

Markdown (``.md``) is cut at its headings, which a passage keeps; plain text (``.txt``) has none. A PDF is cut
at its pages, each a document of its own (``terms.pdf#page=3``). Paragraphs stay whole where they can, long
ones are cut behind a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.errors import DocumentsUnreadable
from chains.pdf import pages_of, reads_pdf

_PDF = ".pdf"
SUFFIXES = (".md", ".txt", _PDF)
_ROOM = 800  # in letters; the carried encoder reads 256 tokens, about a thousand English letters
_IDEOGRAPH = 4  # letters that one takes the room of: it is a token of its own
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document, as it is searched and cited."""

    document: str  # path in the folder, with /, and the page of a PDF
    heading: str  # those above it, "Returns > Deadlines"; "": none
    text: str

    @property
    def views(self) -> tuple[str, ...]:
        """What its vectors are made of: all of it, and each sentence under the innermost heading.

        A question is about one sentence, mostly, and what stands around that moves the vector of the whole.
        """
        whole = f"{self.heading}\n{self.text}" if self.heading else self.text
        head = self.heading.rpartition(" > ")[2]
        return (whole, *(f"{head}. {sentence}" if head else sentence for sentence in self._sentences()))

    def paragraph(self, view: int) -> str:
        """The paragraph with the sentence of a view; all of the text for the first, which is of all of it."""
        sentence = ["", *self._sentences()][view]
        return next(part for part in self.text.split("\n\n") if sentence in part) if view else self.text

    def _sentences(self) -> list[str]:
        return [sentence for sentence in _SENTENCE.split(self.text) if sentence.strip()]


@dataclass(frozen=True, slots=True)
class Library:
    """What a folder of documents holds."""

    passages: tuple[Passage, ...]
    others: tuple[str, ...]  # files that are no documents, by their path in the folder
    unreadable: tuple[str, ...]  # a sentence for each document that can't be read


def passages_in(folder: Path) -> Library:
    """The passages of all documents in ``folder`` and below; blocks.

    Hidden files and folders are left out. A link to a file that lies outside of ``folder`` can't be read.

    Raises:
        DocumentsUnreadable: there are documents, and none of them can be read.
    """
    suffixes = SUFFIXES if reads_pdf() else SUFFIXES[:-1]
    passages: list[Passage] = []
    others: list[str] = []
    unreadable: list[str] = []
    documents = 0
    real = folder.resolve()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if _hidden(inside) or not path.is_file():
            continue
        if path.suffix.lower() not in suffixes:
            others.append(inside.as_posix())
            continue
        documents += 1
        try:
            if not (target := path.resolve()).is_relative_to(real):
                raise DocumentsUnreadable(
                    f"{path} is a link out of the folder, to {target}; copy the file into the folder"
                )
            passages += _read(path, inside.as_posix())
        except DocumentsUnreadable as exc:
            unreadable.append(str(exc))
    if unreadable and len(unreadable) == documents:
        raise DocumentsUnreadable(f"no document in {folder} can be read: {'; '.join(unreadable)}")
    return Library(tuple(passages), tuple(others), tuple(unreadable))


def may_hold(folder: Path, path: Path) -> bool:
    """Whether a change at ``path`` may change what :func:`passages_in` finds in ``folder``.

    ``path`` may be gone, so one without a suffix is taken for a folder.
    """
    if not path.is_relative_to(folder):
        return False
    inside = path.relative_to(folder)
    return not _hidden(inside) and (inside.suffix.lower() in ("", *SUFFIXES) or path.is_dir())


def _hidden(inside: Path) -> bool:
    return any(part.startswith(".") for part in inside.parts)


def _read(path: Path, name: str) -> list[Passage]:
    """The passages of the document ``path``, which is called ``name``.

    Raises:
        DocumentsUnreadable
    """
    if path.suffix.lower() == _PDF:
        pages = enumerate(pages_of(path), start=1)
        return [passage for number, page in pages for passage in cut(f"{name}#page={number}", page)]
    try:
        return cut(name, path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise DocumentsUnreadable(f"{path} can't be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise DocumentsUnreadable(f"{path} is not UTF-8: {exc.reason} at byte {exc.start}") from exc


def cut(document: str, text: str) -> list[Passage]:
    """The passages of one document, in order."""
    sections = _sections(text) if document.lower().endswith(".md") else [("", text)]
    return [Passage(document, heading, passage) for heading, body in sections for passage in _passages(body)]


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Headings and what stands under them."""
    above: list[tuple[int, str]] = []
    lines: list[str] = []
    fence: str | None = None
    for line in text.splitlines():
        if (mark := _FENCE.match(line)) and fence in (None, mark[1]):
            fence = mark[1] if fence is None else None
        heading = _HEADING.fullmatch(line) if fence is None else None
        if heading is None:
            lines.append(line)
            continue
        yield _joined(above), "\n".join(lines)
        level, lines = len(heading[1]), []
        above = [*(one for one in above if one[0] < level), (level, heading[2])]
    yield _joined(above), "\n".join(lines)


def _joined(above: Sequence[tuple[int, str]]) -> str:
    return " > ".join(title for _, title in above if title)


def _passages(body: str) -> Iterator[str]:
    """``body`` in pieces that fit, made of whole paragraphs where these fit."""
    held = ""
    for paragraph in re.split(r"\n\s*\n", body):
        for piece in _pieces(paragraph.strip()):
            longer = f"{held}\n\n{piece}" if held else piece
            if held and _size(longer) > _ROOM:
                yield held
                longer = piece
            held = longer
    if held:
        yield held


def _pieces(paragraph: str) -> Iterator[str]:
    """``paragraph`` whole if it fits, else cut behind sentences, else anywhere."""
    if _size(paragraph) <= _ROOM:
        if paragraph:
            yield paragraph
        return
    held = ""
    for sentence in filter(None, _SENTENCE.split(paragraph)):
        longer = f"{held} {sentence}" if held else sentence
        if held and _size(longer) > _ROOM:
            yield held
            longer = sentence
        while _size(longer) > _ROOM:
            most = _ROOM // _IDEOGRAPH
            yield longer[:most]
            longer = longer[most:]
        held = longer
    if held:
        yield held


def _size(text: str) -> int:
    return len(text) + (_IDEOGRAPH - 1) * len(_IDEOGRAPHS.findall(text))
