"""Rows that a function writes, which a recipe names by its import string.

A module is looked for in the folder that the command runs in too, behind all that is installed.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from training.errors import SourceError
from training.recipe import GeneratorSource


def rows(source: GeneratorSource, rows: int | None, seed: int, start: int = 0) -> Iterator[tuple[str, Any]]:
    """Where each of the generator's ``rows`` stands, counted from ``start``, and what it holds.

    Raises:
        SourceError: there is no such generator, it refuses its arguments, or it fails.
    """
    generate = resolve(source.generator)
    number = start
    try:
        inspect.signature(generate).bind(rows=rows, seed=seed, **source.arguments)
    except TypeError as exc:
        raise SourceError(f"{source.generator}: does not take these arguments: {exc}") from exc
    try:
        given = generate(rows=rows, seed=seed, **source.arguments)
        if not isinstance(given, Iterable):
            raise SourceError(f"{source.label}: must give rows to go through, gave {type(given).__name__}")
        for number, row in enumerate(given, start + 1):
            yield f"{source.label} row {number}", row
    except SourceError:
        raise
    except ValueError as exc:  # how a function refuses the value of an argument, here or at its first row
        raise SourceError(f"{source.label}: {exc}") from exc
    except Exception as exc:  # the user's own code, which may raise anything
        where = f" behind row {number}" if number > start else ""
        raise SourceError(f"{source.label}: failed{where}: {type(exc).__name__}: {exc}") from exc


def resolve(name: str) -> Callable[..., Any]:
    """The function that an import string, ``package.module:function``, names.

    Raises:
        SourceError: there is none.
    """
    module_name, _, function_name = name.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise SourceError(f"{name}: {module_name!r} is no module's name; it must be package.module:function")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # which worker processes are given too
    importlib.invalidate_caches()  # a module may be written after this process began
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as exc:  # a module runs as it is imported, and may raise anything
        kind = "" if isinstance(exc, ImportError) else f"{type(exc).__name__}: "
        unfound = isinstance(exc, ModuleNotFoundError) and f"{module_name}.".startswith(f"{exc.name}.")
        where = f"; it must be installed, or stand in {folder}, where the command runs" if unfound else ""
        raise SourceError(f"{name}: can't be imported: {kind}{exc}{where}") from exc
    try:
        function = getattr(module, function_name)
    except AttributeError:
        raise SourceError(f"{name}: {module_name} has no {function_name!r}") from None
    if not callable(function):
        raise SourceError(f"{name}: is not a function")
    return function  # type: ignore[no-any-return]
