"""Several texts at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
from numpy.typing import NDArray

from router.encoding.beside import BesideEncoder
from router.encoding.encoder import TextEncoder, Vectors


class Meeting:
    """Gives a text's length as its vector, for as many texts at once as ``together`` asks for."""

    identity, inner, words = "meeting", 0, frozenset({"a"})

    def __init__(self, together: int) -> None:
        self.together = threading.Barrier(together, timeout=10)
        self.threads: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.threads.append(threading.current_thread().name)
        self.together.wait()
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([text == "a" for text in texts])


def test_texts_are_encoded_at_once_and_come_back_in_order() -> None:
    meeting = Meeting(3)
    with ThreadPoolExecutor(3, thread_name_prefix="encoder") as pool:
        beside = BesideEncoder(cast(TextEncoder, meeting), pool)
        assert beside.encode(["aa", "aaaa", "a"])[:, 0].tolist() == [2, 4, 1]
        assert len(set(meeting.threads)) == 3
        assert (beside.identity, beside.inner, beside.words) == ("meeting", 0, frozenset({"a"}))
        assert beside.learned(["a", "b"]).tolist() == [True, False]


def test_one_text_needs_no_other_thread() -> None:
    meeting = Meeting(1)
    with ThreadPoolExecutor(3, thread_name_prefix="encoder") as pool:
        found = BesideEncoder(cast(TextEncoder, meeting), pool).encode(["aaa"])
    assert found[:, 0].tolist() == [3]
    assert meeting.threads == [threading.current_thread().name]
