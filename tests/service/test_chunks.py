"""The form of a chat, where a chain's own events and the engine's bytes follow each other."""

from __future__ import annotations

import pytest

from chains.errors import ChainError, ChainUnfinished
from chains.events import Content, Finish, Note, Raw, Usage
from service.api.chunks import ChatForm


def test_a_note_before_the_engines_bytes_leaves_the_end_to_the_engine() -> None:
    form = ChatForm("m")
    assert list(form.chunks(Note("search", {}))) == []
    assert form.pass_on(Raw(b"data: [DONE]\n\n")) == b"data: [DONE]\n\n"
    form.end()


def test_events_without_their_last_are_an_error() -> None:
    form = ChatForm("m")
    assert len(list(form.chunks(Content("It is")))) == 2
    with pytest.raises(ChainUnfinished):
        form.end()


def test_no_events_and_one_behind_the_last_are_errors() -> None:
    form = ChatForm("m")
    with pytest.raises(ChainUnfinished):
        form.end()
    last, late = Finish("stop", Usage()), Content("more")
    assert b"[DONE]" in b"".join(form.chunks(last))
    with pytest.raises(ChainError, match="'Content' after its Finish"):
        list(form.chunks(late))
    with pytest.raises(ChainError, match="'Content' after its Finish"):
        ChatForm("m").completion([last, late])
