"""The form of a chat, where a chain's own events and the engine's bytes follow each other."""

from __future__ import annotations

import pytest

from chains.errors import ChainUnfinished
from chains.events import Content, Note, Raw
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
