"""Numbers in bodies of JSON, as its schemas have them: no text and no boolean is one."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)  # 5.0 is a whole number too; behind the bounds, or the schema loses them
Number = Annotated[float, Field(strict=True)]
