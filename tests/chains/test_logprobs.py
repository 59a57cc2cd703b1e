from hypothesis import given
from hypothesis import strategies as st

from chains.logprobs import ContentTokens
from chains.splitter import Kind, Splitter
from tests.chains.tokens import entry

TOKENS = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<th", "ink>", "</", "think", ">", "<", " ", "\n", "a", "包", "b c"]
    )
)


def kept(tokens: list[str], *kinds: Kind, at_once: bool) -> list[str]:
    found = ContentTokens(*kinds)
    pieces = [tokens] if at_once else [[token] for token in tokens]
    entries = [one for piece in pieces for one in found.feed([entry(token) for token in piece])]
    return [str(one["token"]) for one in entries + found.end()]


def test_the_tokens_of_the_reasoning_and_of_its_tags_go() -> None:
    tokens = ["<think>", "\n", "1", "+", "1", "\n", "</think>", "\n\n", "It", " is", " ", "2", "<|im_end|>"]
    assert kept(tokens, "reasoning", at_once=False) == ["It", " is", " ", "2", "<|im_end|>"]


def test_a_tag_may_be_cut_into_any_tokens() -> None:
    tokens = ["<", "thi", "nk>a", "<", "b", "</thi", "nk", ">", " c", "<d"]
    assert kept(tokens, "reasoning", at_once=False) == [" c", "<d"]


def test_reasoning_that_never_ends_leaves_no_token() -> None:
    assert kept(["<think>", "1", "<|im_end|>"], "reasoning", at_once=False) == []


def test_without_a_tag_every_token_stays() -> None:
    tokens = [" ", "4", "<", "2", "\n"]
    assert kept(tokens, "reasoning", "call", at_once=False) == tokens


@given(TOKENS)
def test_the_pieces_make_no_difference(tokens: list[str]) -> None:
    assert kept(tokens, "reasoning", at_once=True) == kept(tokens, "reasoning", at_once=False)


@given(st.lists(st.sampled_from(["<think>", "</think>", " ", "\n", "a", "包", "b c", "<"])))
def test_tokens_that_hold_whole_tags_make_the_content(tokens: list[str]) -> None:
    splitter = Splitter("reasoning")
    parts = splitter.feed("".join(tokens)) + splitter.end()
    content = "".join(part.text for part in parts if part.kind == "content")
    assert "".join("".join(kept(tokens, "reasoning", at_once=False)).split()) == "".join(content.split())
