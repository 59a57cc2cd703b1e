from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.splitter import Kind, Splitter
from chains.stop import StopAt

FRAGMENTS = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "<",
        "</",
        "<thi",
        "nk>",
        " ",
        "\n",
        "a",
        "包",
        "b c",
    ]
)


def split(pieces: list[str], *kinds: Kind) -> dict[str, str]:
    splitter = Splitter(*kinds)
    parts = [part for piece in pieces for part in splitter.feed(piece)] + splitter.end()
    joined = {"content": "", "reasoning": "", "call": ""}
    for part in parts:
        assert part.text
        joined[part.kind] += part.text
    return joined


@pytest.mark.parametrize(
    ("text", "content", "reasoning"),
    [
        ("<think>\na\nb\n</think>\n\nanswer", "answer", "a\nb"),
        ("\n <think>a</think>answer \n", "answer \n", "a"),
        (" no tag\n", " no tag\n", ""),
        ("1 < 2 and <thin", "1 < 2 and <thin", ""),
        ("<think>never closed \n", "", "never closed"),
        ("<think>a</thin", "", "a</thin"),
        ("<think></think>x", "x", ""),
        ("one <think>a</think> two <think>b</think> three", "one\n\ntwo\n\nthree", "a\n\nb"),
        ("<think>a <think> b</think>c", "c", "a <think> b"),
        ("stray </think> stays", "stray </think> stays", ""),
        ("", "", ""),
    ],
)
def test_reasoning_and_content_come_apart(text: str, content: str, reasoning: str) -> None:
    assert split([text], "reasoning") == {"content": content, "reasoning": reasoning, "call": ""}


@given(st.lists(FRAGMENTS, max_size=14).map("".join), st.lists(st.integers(0, 90), max_size=10))
def test_any_cutting_gives_the_same_parts(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    whole = split([text], "reasoning", "call")
    assert split(pieces, "reasoning", "call") == whole
    assert split(list(text), "reasoning", "call") == whole


@given(st.text(alphabet="ab <>/think\n", max_size=60).filter(lambda text: "<think>" not in text))
def test_text_without_a_tag_passes_unchanged(text: str) -> None:
    assert split(list(text), "reasoning")["content"] == text


def test_an_open_tag_is_told() -> None:
    splitter = Splitter("reasoning")
    splitter.feed("<think>hm")
    assert splitter.unclosed == "reasoning"
    splitter.feed("</think>")
    assert splitter.unclosed is None


@given(
    st.text(alphabet="abc", max_size=30),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3),
)
def test_a_stop_string_ends_the_text_wherever_it_is_cut(text: str, stops: list[str]) -> None:
    ends = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    expected = text[: min(ends)[1]] if ends else text
    for pieces in ([text], list(text)):
        stop_at = StopAt(stops)
        assert "".join(stop_at.feed(piece) for piece in pieces) + stop_at.end() == expected
        assert stop_at.reached == bool(ends)
