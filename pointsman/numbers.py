"""Numbers in bodies of JSON, as its schemas have them: no text and no boolean is one."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole), Field(strict=True)]  # 5.0 is one too
Number = Annotated[float, Field(strict=True)]
