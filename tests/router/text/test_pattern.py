"""Which regular expressions are taken from a configuration, and that the bound on their steps holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import PatternError
from router.text import pattern
from router.text.characters import Characters, between, of_kind, one
from router.text.pattern import CHARACTERS, checked, steps


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (r"\brefunds?\b|\bmoney back\b", "Money Back, please"),
        (r"\b[A-Z]{2}-?\d{6,10}\b", "where is px-482913?"),
        (r"order (?:number|no\.?)\s*[:#]?\s*(\d+)", "Order no. : 4711"),
        (r"[€$£]\s?\d+(?:[.,]\d{2})?", "it was £ 12.50"),
        (r"[\w.+-]+@[\w-]+\.[\w.]+", "to anna.b@example.org"),
        (r"^(\d{1,3}(?:,\d{3})*|\d+)(\.\d+)?$", "12,345.67"),
        (r"(?:请|麻烦)?(?:查|查询)(?:一下)?.{0,20}包裹", "请查一下我的包裹"),
        (r"(?:a|b)*c", "abbac"),
        (r"foo.*bar", "foo and bar"),
        (r"(?:ab)*+c", "ababc"),
        (r"(?>a+)b", "aab"),
        (r"colou?r(?!ed)", "color"),
    ],
)
def test_what_cannot_be_slow_is_taken(expression: str, text: str) -> None:
    assert checked(expression).search(text)


@pytest.mark.parametrize(
    "expression",
    [
        r"(a+)+$",
        r"(a|a)*b",
        r"(a|aa)+$",
        r"(x+x+)+y",
        r"(?:\d+[-.]?)+x",
        r"(?:a?)*b",
        r"(?:k|\u212ay?)*x",  # the Kelvin sign is a k
        r"(?:ſz?|S)*x",
        r"(?:[^a]|b)*x",
        r".*foo.*bar",
        r"\d*(?=.*x)foo",
        r"a{1,30}a{1,30}a{1,30}b",
        "(?:" * 4 + "a?" + "){9}" * 4 + "b",
    ],
)
def test_what_could_be_slow_is_refused(expression: str) -> None:
    with pytest.raises(PatternError, match=r"steps on 2,001 characters.*\{0,40\}"):
        checked(expression)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("(", "missing \\), unterminated subpattern at position 0"),
        ("[z-a]", "bad character range"),
        ("a" * 1_001, "has 1001 characters; at most 1000"),
        (r"(.)\1", "refers back"),
        ("(?a)b", r"\(\?a\)"),
        ("a?", "empty text"),
        ("a|", "empty text"),
        ("(" * 490 + "a" + ")" * 490, "can be used"),
    ],
)
def test_what_is_wrong_is_said(expression: str, says: str) -> None:
    with pytest.raises(PatternError, match=says):
        checked(expression)


def test_the_slowest_that_are_taken_end() -> None:
    for expression, text in ((r"\d+x", "1"), (r"(?:aa?){10}b", "a"), (r"(?:\w\d?){9}!", "1")):
        assert checked(expression).search(text * CHARACTERS) is None


@pytest.mark.parametrize(
    ("left", "right", "apart"),
    [
        (one("a"), one("b"), True),
        (one("a"), one("A"), False),
        (one("退"), one("款"), True),
        (one("退"), of_kind("word"), False),
        (one("退"), of_kind("digit", "space"), True),
        (one("K"), one("\u212a"), False),
        (between(0x61, 0x7A), one("Q"), False),
        (between(0x4E00, 0x9FFF), one("退"), False),
        (between(0x4E00, 0x9FFF), of_kind("space", "other"), True),
        (of_kind("digit"), one("٣"), False),
        (~one("a"), one("a"), True),
        (~one("a"), one("退"), False),
        (~of_kind("word", "digit"), one("é"), True),
        (one("é"), one("É"), False),
    ],
)
def test_sets_of_characters(left: Characters, right: Characters, apart: bool) -> None:
    assert left.apart(right) is apart
    assert right.apart(left) is apart


class Matcher:
    """Backtracks over a parse tree as the engine does, and counts its comparisons of a character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0

    def search(self, expression: str) -> bool:
        tree = list(_parser.parse(expression))
        return any(self.match(tree, start, lambda _: True) for start in range(len(self.text) + 1))

    def match(self, items: list[Any], at: int, then: Callable[[int], bool]) -> bool:
        if not items:
            return then(at)
        (kind, value), rest = items[0], items[1:]
        follow = partial(self.match, rest, then=then)
        match str(kind):
            case "SUBPATTERN":
                return self.match(list(value[3]), at, follow)
            case "BRANCH":
                return any(self.match(list(branch), at, follow) for branch in value[1])
            case "MAX_REPEAT":
                return self.repeat(value, 0, at, follow)
        self.steps += 1
        letters = [value] if str(kind) == "LITERAL" else [letter for _, letter in value]
        return at < len(self.text) and ord(self.text[at]) in letters and follow(at + 1)

    def repeat(self, value: Any, count: int, at: int, follow: Callable[[int], bool]) -> bool:
        least, most, items = value

        def again(end: int) -> bool:
            return end > at and self.repeat(value, count + 1, end, follow)

        return (count < most and self.match(list(items), at, again)) or (count >= least and follow(at))


PATTERNS: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["a", "b", "[ab]", "c", "ab"]),
    lambda inside: st.one_of(
        st.lists(inside, min_size=2, max_size=3).map("".join),
        st.lists(inside, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.builds("(?:{}){}".format, inside, st.sampled_from(["?", "*", "+", "{2}", "{0,3}", "{1,2}"])),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PATTERNS, st.text("abc", min_size=6, max_size=9))
def test_no_search_takes_more_steps_than_the_bound(expression: str, text: str) -> None:
    """Against a matcher that counts, on patterns that never match, so that every way is tried."""
    matcher = Matcher(text)
    assert not matcher.search(f"{expression}d")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pattern, "CHARACTERS", len(text) + 1)
        assert matcher.steps <= steps(f"{expression}d")
