"""Log-probabilities are those of the content's tokens, whole and streamed, on the chains that pass them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.cot import Cot
from chains.direct import Direct
from chains.events import Chain, Raw
from chains.gathered import Gathered
from chains.joined import JoinedTokens
from chains.sse import EventReader
from chains.testing import ScriptedEngine, asked, events_of
from tests.chains.tokens import entry

END = "<|im_end|>"
SUM = ["34", " +", " 28", " =", " 6", "2", END]


def of_content(tokens: Sequence[str], pieces: Sequence[str]) -> list[str]:
    """What of ``tokens`` is kept where the content comes in ``pieces``, one beside each as far as both go."""
    known, kept = JoinedTokens(), []
    for at in range(max(len(tokens), len(pieces)) + 1):
        ended = at == max(len(tokens), len(pieces))
        kept += known.take(
            [entry(one) for one in tokens[at : at + 1]], "".join(pieces[at : at + 1]), ended=ended
        )
    return [str(one["token"]) for one in kept]


@pytest.mark.parametrize(
    ("tokens", "content", "kept"),
    [
        (SUM, "34 + 28 = 62", SUM[:-1]),
        (SUM, "34 + 28", SUM[:3]),
        (SUM, "34 + 28 = 6", SUM[:5]),
        (SUM, "34 + 2", SUM[:2]),  # " 28" is cut
        (SUM, "", []),
        (["\n\n", "62", END], "62", ["62"]),
        ([" 62", END], "62", [" 62"]),  # white space went with a tag
        (["a", "<|x|>", "b", END], "ab", ["a", "b"]),
        (["", "", "包", END], "包", ["", "", "包"]),  # as vLLM tells parts of a character
        (["�", "�", "裹", END], "包裹", ["�", "�", "裹"]),
        (["Hello", "world", END], "Hello world", ["Hello", "world"]),  # as other tokenizers tell a word
    ],
)
def test_what_is_not_of_the_content_goes(tokens: list[str], content: str, kept: list[str]) -> None:
    assert of_content(tokens, [content]) == kept
    assert of_content(tokens, ["", "", *content]) == kept


@given(st.lists(st.sampled_from(["a", "ab", " b", " ", "\n", "包", "a b"])), st.data())
def test_tokens_that_make_the_content_all_stay(tokens: list[str], data: st.DataObject) -> None:
    text, pieces = "".join(tokens), list[str]()
    while text:
        cut = data.draw(st.integers(1, len(text)))
        pieces.append(text[:cut])
        text = text[cut:]
    assert of_content([*tokens, END], pieces) == tokens


def engine_of(tokens: Sequence[str], content: str, *, stream: bool) -> ScriptedEngine:
    """One that tells the log-probabilities of all ``tokens``, and ``content`` letter by letter."""
    if not stream:
        message = {"role": "assistant", "content": content}
        logprobs = {"content": [entry(token) for token in tokens]}
        choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}
        return ScriptedEngine([json.dumps({"choices": [choice]}).encode()])
    chunks = list[dict[str, Any]]()
    for at in range(max(len(tokens), len(content))):
        entries = [entry(token) for token in tokens[at : at + 1]]
        beside = {"content": entries} if entries else None
        chunks.append({"delta": {"content": content[at : at + 1]}, "logprobs": beside, "finish_reason": None})
    chunks.append({"delta": {}, "logprobs": None, "finish_reason": "stop"})
    sent = [f"data: {json.dumps({'choices': [{'index': 0, **chunk}]})}\n\n" for chunk in chunks]
    return ScriptedEngine(["".join([*sent, "data: [DONE]\n\n"]).encode()])


async def told(chain: Chain, engine: ScriptedEngine, *, stream: bool, **more: Any) -> tuple[str, list[str]]:
    """The content, and the tokens of its log-probabilities."""
    request = asked(stream, parameters={"logprobs": True, **more})
    data = b"".join(event.data for event in await events_of(chain, request, engine) if isinstance(event, Raw))
    answer = None if data.startswith(b"data:") else json.loads(data)
    if answer is None:
        gathered = Gathered()
        for chunk in EventReader().feed(data):
            gathered.add(chunk)
        answer = gathered.answer()
    (choice,) = answer["choices"]
    entries = (choice.get("logprobs") or {}).get("content") or []
    return choice["message"]["content"], [one["token"] for one in entries]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("chain", [Direct(), Cot()], ids=["direct", "cot"])
async def test_the_token_that_ends_the_answer_goes(chain: Chain, stream: bool) -> None:
    engine = engine_of(SUM, "34 + 28 = 62", stream=stream)
    assert await told(chain, engine, stream=stream) == ("34 + 28 = 62", SUM[:-1])


@pytest.mark.parametrize("stream", [False, True])
async def test_the_tokens_of_a_stop_string_go(stream: bool) -> None:
    engine = engine_of(SUM, "34 + 28 = 62", stream=True)  # which cot cuts itself
    assert await told(Cot(), engine, stream=stream, stop=" = ") == ("34 + 28", SUM[:3])
    engine = engine_of(SUM[:5], "34 + 28", stream=stream)  # which vLLM has cut
    assert await told(Direct(), engine, stream=stream, stop=" = ") == ("34 + 28", SUM[:3])


@pytest.mark.parametrize("option", ["return_tokens_as_token_ids", "echo"])
async def test_numbers_and_a_prompt_s_text_are_not_looked_for_in_the_content(option: str) -> None:
    engine = engine_of(["token_id:7"], "62", stream=False)
    assert await told(Direct(), engine, stream=False, **{option: True}) == ("62", ["token_id:7"])


@pytest.mark.parametrize("stream", [False, True])
async def test_beside_reasoning_that_the_engine_took_out_all_tokens_stay(stream: bool) -> None:
    (said,) = engine_of(SUM, "62", stream=stream).script
    assert isinstance(said, bytes)
    engine = ScriptedEngine([said.replace(b'"content": "', b'"reasoning": "hm", "content": "', 1)])
    assert await told(Direct(), engine, stream=stream) == ("62", SUM)
