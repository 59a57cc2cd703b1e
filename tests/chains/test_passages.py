import re
from pathlib import Path

import pytest

from chains.errors import DocumentsUnreadable
from chains.passages import Library, Passage, cut, may_hold, passages_in

HANDBOOK = """\
About us.

# Returns #

Within 30 days.

Not for socks.

## Refunds

```
# no heading
```

After a week.

# Damage
"""


def test_markdown_is_cut_at_its_headings_and_keeps_them() -> None:
    assert cut("a.md", HANDBOOK) == [
        Passage("a.md", "", "About us."),
        Passage("a.md", "Returns", "Within 30 days.\n\nNot for socks."),
        Passage("a.md", "Returns > Refunds", "```\n# no heading\n```\n\nAfter a week."),
    ]


def test_plain_text_has_no_headings() -> None:
    assert cut("a.txt", "# one\n\ntwo") == [Passage("a.txt", "", "# one\n\ntwo")]


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(f"Paragraph {n} says a little." for n in range(200)),
        " ".join(f"Sentence {n} says a little." for n in range(200)),
        "".join(f"第{n}句话说的不多。" for n in range(200)),
        "x" * 5_000,
        "字" * 5_000,
    ],
)
def test_what_is_long_is_cut_into_pieces_that_fit_and_nothing_is_lost(text: str) -> None:
    passages = [passage.text for passage in cut("a.txt", text)]
    assert len(passages) > 1
    assert "".join("".join(passages).split()) == "".join(text.split())
    for passage in passages:
        assert len(passage) <= (800 if passage.isascii() else 200 + 600)
        assert len([letter for letter in passage if letter > "\u3000"]) <= 200


def test_a_passage_is_seen_whole_and_by_its_sentences() -> None:
    passage = Passage("a.md", "Returns > Refunds", "After a week. 十天以内。到账。")
    assert passage.views == (
        "Returns > Refunds\nAfter a week. 十天以内。到账。",
        "Refunds. After a week.",
        "Refunds. 十天以内。",
        "Refunds. 到账。",
    )


def test_a_folder_is_read_at_any_depth_and_what_is_no_document_is_named(tmp_path: Path) -> None:
    (tmp_path / "b" / ".git").mkdir(parents=True)
    (tmp_path / "b" / "c.MD").write_text("\ufeff# T\n\nc", "utf-8")
    (tmp_path / "a.txt").write_text("a", "utf-8")
    (tmp_path / "form.docx").write_bytes(b"%PDF")
    (tmp_path / "b" / ".git" / "x.md").write_text("hidden", "utf-8")
    assert passages_in(tmp_path) == Library(
        (Passage("a.txt", "", "a"), Passage("b/c.MD", "T", "c")), others=("form.docx",), unreadable=()
    )


def test_a_document_that_cannot_be_read_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"caf\xe9")
    (tmp_path / "b.md").write_text("b", "utf-8")
    library = passages_in(tmp_path)
    assert library.passages == (Passage("b.md", "", "b"),)
    (problem,) = library.unreadable
    assert re.search(r"a\.md is not UTF-8: .* at byte 3", problem)


def test_a_link_is_followed_within_the_folder_and_never_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    (tmp_path / "docs" / "..data").mkdir(parents=True)
    (tmp_path / "docs" / "..data" / "a.md").write_text("a", "utf-8")
    folder = tmp_path / "linked"
    folder.symlink_to(tmp_path / "docs")
    (folder / "a.md").symlink_to("..data/a.md")
    (folder / "b.txt").symlink_to("../secret.txt")
    library = passages_in(folder)
    assert library.passages == (Passage("a.md", "", "a"),)
    (problem,) = library.unreadable
    assert problem == (
        f"{folder / 'b.txt'} is a link out of the folder, to {tmp_path / 'secret.txt'}; "
        "copy the file into the folder"
    )


def test_documents_of_which_none_can_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"caf\xe9")
    (tmp_path / "form.docx").write_bytes(b"")
    with pytest.raises(DocumentsUnreadable, match=r"no document in .* can be read: .*a\.md is not UTF-8"):
        passages_in(tmp_path)


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("docs/a.md", True),
        ("docs/b/a.PDF", True),
        ("docs/b", True),
        ("docs", True),
        ("docs/a.docx", False),
        ("docs/.a.md.swp", False),
        ("docs/.git/a.md", False),
        ("other/a.md", False),
    ],
)
def test_which_changes_may_be_of_documents(path: str, may: bool) -> None:
    assert may_hold(Path("/x/.hidden/docs"), Path("/x/.hidden") / path) is may
