"""Chains by name. A chain of one's own is one class and one line under ``pointsman.chains``.

A class that a route can set up has a pydantic model as its ``Options``, and is made with one of them; a class
without is made with nothing. ``docs/chains.md`` shows both.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from chains.contract import breaches
from chains.errors import ChainBroken, ChainError, ChainNotFound, ChainOptionsError
from chains.events import Chain
from chains.options import FOLDER
from chains.resources import Resources

GROUP = "pointsman.chains"


def chain_names() -> tuple[str, ...]:
    """The names of all installed chains, sorted."""
    return tuple(sorted(_installed()))


@functools.cache
def chains_without_options() -> tuple[str, ...]:
    """The names of the installed chains that can be made without options, sorted."""
    found = []
    for name in chain_names():
        with contextlib.suppress(ChainOptionsError, ChainBroken):
            chain_by_name(name)
            found.append(name)
    return tuple(found)


@functools.cache
def chain_by_name(name: str) -> Chain:
    """The installed chain ``name`` as it is without options, always the same instance.

    Raises:
        ChainNotFound: no entry point of that name.
        ChainBroken: what it names can't be imported or made, or is no chain.
        ChainOptionsError: it can't be made without.
    """
    return chain_with(name, {}, Path())


def chain_with(name: str, options: Mapping[str, Any], folder: Path) -> Chain:
    """The installed chain ``name`` with the options of a route; paths among them are seen from ``folder``.

    Raises:
        ChainNotFound: no entry point of that name.
        ChainBroken: what it names can't be imported or made, or is no chain.
        ChainOptionsError: with all that is wrong with the options.
    """
    kind = chain_class(name)
    model: type[BaseModel] | None = getattr(kind, "Options", None)
    if model is None and options:
        raise ChainOptionsError(name, [((key,), "this chain has no options") for key in options])
    try:
        if model is None:
            return kind()
        try:
            given = model.model_validate(dict(options), context={FOLDER: folder})
        except ValidationError as exc:
            places = [(error["loc"], _message(dict(error), model)) for error in exc.errors(include_url=False)]
            raise ChainOptionsError(name, places) from exc
        return kind(given)
    except ChainError:
        raise
    except Exception as exc:  # whatever another's class raises while it is made
        raise _broken(name, exc) from exc


def warm(name: str, chain: Chain, resources: Resources) -> None:
    """Warm ``chain``, installed as ``name``. Blocks.

    Raises:
        ChainError: it can't be used as it is set up; ChainBroken, where it says so by an error of its own.
    """
    try:
        chain.warm(resources)
    except ChainError:
        raise
    except Exception as exc:  # whatever another's class raises
        raise _broken(name, exc) from exc


def chain_class(name: str) -> Callable[..., Chain]:
    """The class of the installed chain ``name``.

    Raises:
        ChainNotFound: no entry point of that name.
        ChainBroken: what it names can't be imported, or is no chain; two packages have one of that name.
    """
    installed = _installed()
    if name not in installed:
        raise ChainNotFound(name, installed)
    point = installed[name]
    if others := sorted(one.value for one in entry_points(group=GROUP) if one.name == name and one != point):
        raise ChainBroken(
            name,
            point.value,
            f"{others[0]!r} is installed under this name too; rename one in the pyproject.toml of its "
            "package, or uninstall that",
        )
    try:
        kind: Callable[..., Chain] = point.load()
    except Exception as exc:  # whatever another's package raises while it is imported
        raise _broken(name, exc) from exc
    if problems := "; ".join(breaches(kind)):
        raise ChainBroken(name, point.value, problems)
    return kind


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _broken(name: str, error: Exception) -> ChainBroken:
    return ChainBroken(name, _installed()[name].value, f"{type(error).__name__}: {error}")


def _message(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        names = (field.alias or name for name, field in model.model_fields.items())
        return f"no such option; known: {', '.join(sorted(names))}"
    if error["type"] == "missing":
        return "is required"
    message = str(error["msg"]).removeprefix("Value error, ")
    found = error["input"]
    return message if isinstance(found, Mapping) or repr(found) in message else f"{message}, found {found!r}"
