"""Patterns that can't be read, and what ECMA-262 reads alone."""

from __future__ import annotations

import pytest

from chains.schemas.unreadable import unreadable


@pytest.mark.parametrize(
    "pattern", ["[", "(", ")", "a{3,1}", "*a", "[z-a]", "\\", "(?<n", r"[^\]", "(" * 5000]
)
def test_what_is_wrong_is_told(pattern: str) -> None:
    assert unreadable(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^a$",
        "[]",
        "[^]",
        "[^][^]",
        r"\cA",
        r"\u{41}",
        r"\p{Script=Greek}",
        r"[\w-.]",
        "[]a]",
        r"\[",
        "a{",
    ],
)
def test_what_can_be_read_is(pattern: str) -> None:
    assert unreadable(pattern) is None
