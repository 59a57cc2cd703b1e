"""What a chain gets that asks the engine once."""

from __future__ import annotations

import pytest

from chains.answer import Answer, Piece, ask
from chains.events import Usage
from chains.testing import Said, ScriptedEngine


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("said", "text"),
    [(Said(["It is ", "", "here."]), "It is here."), (Said(calls=[("f", "{}")], reason="tool_calls"), "")],
    ids=["text", "call"],
)
async def test_every_piece_holds_text(stream: bool, said: Said, text: str) -> None:
    answer = Answer()
    pieces = [piece async for piece in ask(ScriptedEngine([said]), {"messages": []}, stream, answer)]
    assert Piece("", "") not in pieces
    assert "".join(piece.content for piece in pieces) == text
    assert (answer.reason, answer.usage) == (said.reason, Usage(10, 5))
    assert len(answer.calls) == len(said.calls)
