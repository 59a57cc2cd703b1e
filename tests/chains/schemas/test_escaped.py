"""Which patterns name a character that stands in JSON as something else."""

from __future__ import annotations

import pytest

from chains.schemas.escaped import names_escaped


@pytest.mark.parametrize(
    "pattern",
    [
        *('^"a"$', r"^a\"$", r"^C:\\a$", r"^\x22a$", r"^\u0022$", r"^\u{5c}$", r"^\x0a$"),
        *(r"^\n$", r"\t", r"\r", r"\f", r"\v", r"\0", r"\cA", "a\nb"),
        *(r"^[\"]$", '["a]', r"[\\/]", r"[\t-\r]", r"[\x00-\x1f]", r"[\b]", "[\n]", '[]"]', r"[a\-\n]"),
    ],
)
def test_one_that_does(pattern: str) -> None:
    assert names_escaped(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("^a$", r"^\d+\.\w\b\s\S\D\W\/\-$", r"^[\w.+-]+@[a-z]+\.[a-z]{2,}$", r"\x41\u0041\p{L}"),
        *("[^a]", r'[^"\\\n]', ".", "[!-~]", r"[\x00-\x7f]", r"[\s]", "[a-]", "[]a]", ""),
    ],
)
def test_one_that_does_not(pattern: str) -> None:
    assert not names_escaped(pattern)
