"""Functions that a recipe could name as generators of rows, each wrong in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from tests.training.rows import said


def raises_at_once(rows: int, seed: int) -> NoReturn:
    """Before its first row."""
    raise KeyError("colour")


def raises_later(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """Behind its second row."""
    yield said("red", "blue")
    yield said("red", "green")
    raise ZeroDivisionError("division by zero")


def forgets_to_return(rows: int, seed: int) -> None:
    """Gives None."""


def refuses(rows: int, seed: int, colour: str) -> list[dict[str, Any]]:
    """Refuses the value of an argument."""
    raise ValueError(f"no colour {colour!r}")


def gives_words(rows: int, seed: int) -> list[str]:
    """Gives what is no row."""
    return ["red"]


def grow_long(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """Its first ten rows are short."""
    yield from (said(f"red {number}", "blue " * (300 if number > 9 else 1)) for number in range(rows))
