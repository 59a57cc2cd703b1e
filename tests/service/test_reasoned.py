"""The tokens of reasoning in a usage: told by vLLM, counted by us, or left out; streamed as whole.

The engine of these tests writes tokens as it is told to, as many a chunk as it is told to.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chains.cot import Cot, CotOptions
from chains.events import Finish
from chains.testing import asked, events_of
from service.errors import EngineRefused
from service.reasoned import CountedReasoning, Tags
from tests.service.streaming import sse

END = "<|end|>"
OPEN, CLOSE = "<think>", "</think>"
THOUGHT = [OPEN, "\n", "12", " +", " 30", "\n", CLOSE, "\n\n", "It", " is", " 42", ".", END]
SPELT = ["<th", "ink>\n", "12", " +", " 30", "\n</", "thi", "nk>\n", "It", " is", " 42", ".", END]
TWICE = [OPEN, "a", CLOSE, "b", OPEN, "c", "d", CLOSE, "e", END]


@dataclass
class Writer:
    """Writes ``words``, ``many`` tokens a chunk; the number of a token is its place in ``words``' order."""

    words: Sequence[str]
    many: int = 1
    choices: int = 1
    tells: bool = True  # its tokens, where it is asked to
    details: Any = None  # what it says of the reasoning itself
    takes_out: bool = False  # it has a parser of reasoning
    bodies: list[Mapping[str, Any]] = field(default_factory=list)
    looks: int = 0  # at the tokenizer

    def __post_init__(self) -> None:
        self.vocabulary = list(dict.fromkeys([*self.words, OPEN[:4], OPEN[4:], CLOSE[:4], CLOSE[4:]]))

    async def text_of(self, tokens: Sequence[int]) -> str:
        self.looks += 1
        return "".join(self.vocabulary[token] for token in tokens)

    async def tokens_of(self, text: str) -> list[int]:
        whole = text in self.vocabulary
        return [self.vocabulary.index(part) for part in ([text] if whole else [text[:4], text[4:]])]

    def _usage(self, choices: int, tokens: int) -> dict[str, Any]:
        written = choices * tokens
        usage = {"prompt_tokens": 3, "completion_tokens": written, "total_tokens": 3 + written}
        return {**usage, "completion_tokens_details": self.details}

    def _choice(
        self, kind: str, index: int, words: Sequence[str], asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        text = "".join(word for word in words if word != END)
        said = {"role": "assistant", "content": text}
        if self.takes_out:
            said = {"content": "", "reasoning": text}
        tells = self.tells and asked.get("return_token_ids")
        numbers = {"token_ids": list(map(self.vocabulary.index, words))} if tells else {}
        reason = "stop" if kind == "message" or END in words else None
        return {"index": index, kind: said, "finish_reason": reason, **numbers}

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        self.bodies.append(body)
        choices = [self._choice("message", index, self.words, body) for index in range(self.choices)]
        answer = {"id": "x", "choices": choices, "usage": self._usage(self.choices, len(self.words))}
        return json.dumps(answer | {"prompt_token_ids": [1]}).encode()

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        self.bodies.append(body)
        for begin in range(0, len(self.words), self.many):
            end = min(begin + self.many, len(self.words))
            for index in range(self.choices):
                chunk = {"id": "x", "choices": [self._choice("delta", index, self.words[begin:end], body)]}
                yield sse(chunk | {"usage": self._usage(1, end)})
        yield sse({"id": "x", "choices": [], "usage": self._usage(self.choices, len(self.words))})
        yield b"data: [DONE]\n\n"


def counted(engine: Writer) -> CountedReasoning:
    return CountedReasoning(engine, Tags(engine.text_of, engine.tokens_of))


async def whole_of(engine: Writer, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await counted(engine).complete({"messages": [], **body}))
    return found


async def chunks_of(engine: Writer, **body: Any) -> list[dict[str, Any]]:
    data = b"".join([data async for data in counted(engine).stream({"messages": [], **body})])
    lines = data.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def told(answer: Mapping[str, Any]) -> Any:
    return (answer["usage"]["completion_tokens_details"] or {}).get("reasoning_tokens")


CASES = {
    "tags of one token": (THOUGHT, 5),
    "tags in pieces": (SPELT, 3),  # a token that is partly a tag is the tag's
    "no reasoning": (["It", " is", END], 0),
    "two passages": (TWICE, 3),
    "never closed": (THOUGHT[:5], 4),
    "a tag in pieces before one that is whole": (["<th", "ink>", "a", CLOSE, OPEN, "b", "c", CLOSE, END], 3),
    "a closing tag alone": (["a", CLOSE, "b", END], 0),
}


@pytest.mark.parametrize(("words", "count"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("many", [1, 2, 3, 100])
async def test_what_lies_between_the_tags_is_counted(words: Sequence[str], count: int, many: int) -> None:
    assert told(await whole_of(Writer(words))) == count
    chunks = await chunks_of(Writer(words, many))
    assert told(chunks[-1]) == count
    assert chunks[-1]["choices"] == []


async def test_the_count_goes_along_a_stream() -> None:
    """So that one that is left early is counted to there; each chunk's usage is its choice's."""
    chunks = await chunks_of(Writer(THOUGHT, choices=2))
    own = [told(chunk) for chunk in chunks[:-1] if chunk["choices"][0]["index"] == 0]
    assert own == [0, 1, 2, 3, 4, 5, *[5] * 7]
    assert told(chunks[-1]) == told(await whole_of(Writer(THOUGHT, choices=2))) == 10


async def test_tags_of_one_token_are_looked_up_once() -> None:
    engine = Writer(THOUGHT)
    asking = counted(engine)
    for _ in range(3):
        await asking.complete({"messages": []})
    assert engine.looks == 2  # that each of them is that token


async def test_what_the_engine_counts_is_left_to_it() -> None:
    engine = Writer(THOUGHT, details={"reasoning_tokens": 77}, takes_out=True)
    assert told(await whole_of(engine)) == 77
    assert {told(chunk) for chunk in await chunks_of(engine)} == {77}


async def test_what_is_not_known_exactly_is_left_out() -> None:
    silent, parsed = Writer(THOUGHT, tells=False), Writer(THOUGHT, takes_out=True)
    for engine in (silent, parsed):
        assert told(await whole_of(engine)) is None
        assert {told(chunk) for chunk in (await chunks_of(engine))[3:]} == {None}

    async def refuse(_: object) -> Any:
        raise EngineRefused(404, "no /tokenize")

    engine = Writer(THOUGHT)
    answer = json.loads(await CountedReasoning(engine, Tags(refuse, refuse)).complete({"messages": []}))
    assert told(answer) is None
    assert answer["choices"][0]["message"]["content"].endswith("It is 42.")


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (['{"a": "', OPEN, "b", CLOSE, '"}', END], 0),
        (['{"', "<th", "ink>", "b", END], 0),
        ([" ", OPEN, "b", "c", CLOSE, "1", OPEN, "d", END], 2),
        (["<th", "ink>", "b", CLOSE, OPEN, "d", END], 1),
    ],
)
async def test_guided_text_is_not_counted_but_for_what_is_thought_before_it(
    words: list[str], count: int
) -> None:
    body = {"response_format": {"type": "json_object"}}
    assert told(await whole_of(Writer(words), **body)) == count
    for many in (1, 2, 5):
        assert told((await chunks_of(Writer(words, many), **body))[-1]) == count


async def test_an_answer_that_goes_on_thinking_begins_inside() -> None:
    last = {"role": "assistant", "content": "<think>\n1"}
    body = {"messages": [last], "continue_final_message": True}
    words = [" +", " 1", CLOSE, "2", END]
    assert told(await whole_of(Writer(words), **body)) == 2
    assert told((await chunks_of(Writer(words), **body))[-1]) == 2
    assert told(await whole_of(Writer(words), messages=[last])) == 0


async def test_numbers_of_tokens_are_for_who_asks() -> None:
    engine = Writer(THOUGHT)
    whole = await whole_of(engine)
    assert "token_ids" not in json.dumps(whole)
    assert "prompt_token_ids" not in whole
    assert "token_ids" not in json.dumps(await chunks_of(engine))
    assert all(body["return_token_ids"] for body in engine.bodies)
    numbers = [engine.vocabulary.index(word) for word in THOUGHT]
    assert (await whole_of(engine, return_token_ids=True))["choices"][0]["token_ids"] == numbers
    chunks = await chunks_of(engine, return_token_ids=True)
    assert [chunk["choices"][0]["token_ids"][0] for chunk in chunks[:-1]] == numbers


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chain_sums_what_its_calls_reasoned(stream: bool) -> None:
    """Of a sample that is left early too; one that nobody counted leaves the sum unknown."""
    for tells, reasoned in ((True, 5), (False, None)):
        engine = counted(Writer(THOUGHT, tells=tells))
        (*_, last) = await events_of(Cot(), asked(stream), engine)
        assert isinstance(last, Finish)
        assert (last.usage.completion_tokens, last.usage.reasoning_tokens) == (13, reasoned)
    voting = Cot(CotOptions(samples=3))
    (*_, last) = await events_of(voting, asked(stream), counted(Writer(THOUGHT)))
    assert isinstance(last, Finish)
    assert last.usage.reasoning_tokens is not None
    assert 10 <= last.usage.reasoning_tokens <= 15
    stopped = asked(stream, parameters={"stop": "42"})
    (*_, last) = await events_of(Cot(), stopped, counted(Writer(THOUGHT)))
    assert isinstance(last, Finish)
    assert (last.usage.completion_tokens, last.usage.reasoning_tokens) == (11, 5)
