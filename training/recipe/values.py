"""Values of a recipe that have a form of their own, with what is said of another one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from pointsman import artefact


def _named(name: str) -> str:
    if artefact.ALIAS.fullmatch(name):
        return name
    fitting = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63]
    raise ValueError(
        "must be small letters of a to z, digits, - and _, up to 63 of them, and begin with a letter or digit"
        + (f", such as {fitting!r}" if fitting else "")
    )


def _function(name: str) -> str:
    """``name``, the import string of a function.

    Raises:
        ValueError: it has another form.
    """
    if not re.fullmatch(r"[\w.]+:\w+", name):
        module, _, last = name.rpartition(".")
        meant = (
            f"; is {module}:{last} meant?" if re.fullmatch(r"[\w.]+", module) and last.isidentifier() else ""
        )
        raise ValueError(f"must be package.module:function, with a colon before the function{meant}")
    return name


def _local(path: Any) -> Any:
    """``path`` of a file on this machine.

    Raises:
        ValueError: it is an address.
    """
    if isinstance(path, str) and "://" in path:
        raise ValueError("is an address, and a source is a file: download it and give its path")
    return path


Name = Annotated[str, AfterValidator(_named)]
Function = Annotated[str, AfterValidator(_function)]
LocalPath = Annotated[Path, BeforeValidator(_local)]
