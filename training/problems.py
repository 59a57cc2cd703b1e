"""All that is wrong at once: looks that each may raise, and what they have raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec, TypeVar

from training.errors import BadRow, BadRows, NotReady, TrainingError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def tried(look: Callable[P, T], *given: P.args, **more: P.kwargs) -> tuple[T | None, list[TrainingError]]:
    """What ``look`` gives, or None and the problems that it raises."""
    try:
        return look(*given, **more), []
    except NotReady as exc:
        return None, exc.errors
    except TrainingError as exc:
        return None, [exc]


def collected(*looks: Callable[[], object]) -> list[TrainingError]:
    """The problems that ``looks`` raise, in order."""
    return [problem for look in looks for problem in tried(look)[1]]


def each(given: Iterable[R], make: Callable[[R], T]) -> list[T]:
    """What ``make`` makes of each of ``given``.

    Raises:
        BadRows: behind the last one, the rows of all that it raises this for.
    """
    made: list[T] = []
    bad: list[BadRow] = []
    for one in given:
        try:
            made.append(make(one))
        except BadRows as exc:
            bad += exc.rows
    if bad:
        raise BadRows(bad)
    return made


def refuse(problems: Sequence[TrainingError]) -> None:
    """Raise them.

    Raises:
        TrainingError: the only one; NotReady: they are several.
    """
    if len(problems) > 1:
        raise NotReady(list(problems))
    for only in problems:
        raise only
