"""Which brackets of an answer name passages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.citations import CitationReader, place_of


def read(text: str, cut: int) -> tuple[str, list[int]]:
    """What is given out, and which of three passages are named."""
    reader = CitationReader(known=3)
    out = "".join(reader.feed(text[at : at + cut]) for at in range(0, len(text), cut)) + reader.end()
    return out, reader.named


@pytest.mark.parametrize("cut", [1, 2, 100])
@pytest.mark.parametrize(
    ("text", "given", "named"),
    [
        ("a [1] b [2].", "a [1] b [2].", [1, 2]),
        ("a [3][1] [1]", "a [3][1] [1]", [3, 1]),
        ("a [3][1]", "a [3][1]", [3, 1]),
        ("[2] says so", "[2] says so", [2]),
        ("a [1, 2,9] b", "a [1, 2] b", [1, 2]),
        ("a [0] b [4].", "a b.", []),
        ("a [1-3] [ 2 ]", "a [1-3] [ 2 ]", [1, 2, 3]),
        ("a [2–3; 1]", "a [2–3; 1]", [2, 3, 1]),
        ("a [2-7] [5-9].", "a [2, 3].", [2, 3]),
        ("(a) [1] and (see [2])", "(a) [1] and (see [2])", [1, 2]),
        ("归你[1]，[2]。", "归你[1]，[2]。", [1, 2]),
        ("a [x] [12", "a [x] [12", []),
        ("ends [", "ends [", []),
        ("[1234]  two  spaces ", "[1234]  two  spaces ", []),
        ("a [3-1]", "a [3-1]", []),
        ("see [9](a.html) and [1]", "see [9](a.html) and [1]", [1]),
    ],
)
def test_citations_are_read_however_the_text_is_cut(
    text: str, given: str, named: list[int], cut: int
) -> None:
    assert read(text, cut) == (given, named)


@pytest.mark.parametrize("cut", [1, 2, 100])
@pytest.mark.parametrize(
    "code",
    [
        "list[0] = arr[2];",
        "a[1][0] f(x)[7] {}[8] m2[9]",
        "x = [7, 8]",
        "`x [7]`",
        "`` ` [7] ``",
        "```python\nx [7]\n`\ny [8]\n```\n",
        "1. ```\nx [7]\n   ````\n",
        "~~~\nx [7]\n```\n[8]\n~~~\n",
        "```x [7]```",
        "```\nx = '```' [7]\n```\n",
    ],
)
def test_brackets_of_code_stay_and_cite_nothing(code: str, cut: int) -> None:
    assert read(f"{code} see [1] [9]", cut) == (f"{code} see [1]", [1])


@pytest.mark.parametrize("cut", [1, 100])
def test_a_backtick_without_its_pair_makes_no_code_of_the_next_line(cut: int) -> None:
    assert read("a ` b [2]\nc [1] [9]", cut) == ("a ` b [2]\nc [1]", [1])


BITS = ["[", "]", "1", "9", " ", ",", "-", "`", "```", "~~~", "\n", "a", "(", "=", "[1]", " [9]", "归"]


@given(st.lists(st.sampled_from(BITS), max_size=14).map("".join))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_cuts_change_nothing(text: str) -> None:
    assert read(text, 1) == read(text, 3) == read(text, 1_000)


def test_a_place_is_where_a_passage_is_named_first() -> None:
    text = "list[0] holds it [2, 3]; so [1-3] and `[4]`."
    assert text[place_of(2, text) :].startswith("[2, 3]")
    assert place_of(3, text) == place_of(2, text)
    assert text[place_of(1, text) :].startswith("[1-3]")
    assert place_of(4, text) == len(text)
