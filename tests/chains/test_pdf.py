"""Documents that are PDFs, where pypdf is installed; and what is told where it is not."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

import pytest

from chains import passages
from chains.errors import DocumentsUnreadable
from chains.index import PassageIndex
from chains.passages import passages_in
from chains.pdf import pages_of
from tests.chains.spelling import WordEncoder

needs_pypdf = pytest.mark.skipif(find_spec("pypdf") is None, reason="pypdf is not installed")


def pdf(*pages: str) -> bytes:
    """A PDF of ``pages``, each line of which is one line on the page (Latin letters alone)."""
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
    ]
    for number, page in enumerate(pages):
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in page.split("\n"))
        content = f"BT /F 12 Tf 72 720 Td {lines}ET"
        page_of = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {4 + 2 * number} 0 R"
        objects += [
            f"{page_of} /Resources << /Font << /F {font} >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    text, places = "%PDF-1.4\n", list[int]()
    for number, one in enumerate(objects, start=1):
        places.append(len(text))
        text += f"{number} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(text)}\n%%EOF\n"
    return f"{text}xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode("latin-1")


@needs_pypdf
def test_pages_are_passages_and_broken_lines_are_joined(tmp_path: Path) -> None:
    (tmp_path / "terms.PDF").write_bytes(
        pdf("Socks stay with you, and cour-\niers do\nnot ask.", "Hats come back.")
    )
    found = passages_in(tmp_path)
    assert found.others == ()
    assert [(one.document, one.heading, one.text) for one in found.passages] == [
        ("terms.PDF#page=1", "", "Socks stay with you, and couriers do not ask."),
        ("terms.PDF#page=2", "", "Hats come back."),
    ]


@needs_pypdf
@pytest.mark.parametrize("content", [b"", b"no PDF", pdf("Socks.")[:200]])
def test_a_file_that_is_no_pdf_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(content)
    with pytest.raises(DocumentsUnreadable, match=r"a\.pdf can't be read as PDF: "):
        passages_in(tmp_path)


@needs_pypdf
def test_a_scan_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "scan.pdf").write_bytes(pdf(""))
    assert pages_of(tmp_path / "scan.pdf") == [""]
    assert "scan.pdf holds no text" in caplog.text


def test_without_pypdf_a_pdf_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "reads_pdf", lambda: False)
    (tmp_path / "a.pdf").write_bytes(pdf("Socks."))
    with caplog.at_level(logging.WARNING):
        index = PassageIndex.synced(tmp_path, WordEncoder(), tmp_path / ".kept")
    assert index.passages == ()
    assert "1 files are not read" in caplog.text
    assert "a PDF is read where pypdf is installed" in caplog.text
