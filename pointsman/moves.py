"""What moves with a version of an adapter: routes, prompts, examples and costs, in force while it answers.

Written by who releases the version, kept by the gateway's registry, laid over routes.yaml by the service.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from pointsman.document import Document
from pointsman.numbers import Number

FIXED = ("intent", "adapter")  # of a route: its name, and the alias that it moves with


class Example(Document):
    """A text and where it belongs."""

    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1),
        Field(json_schema_extra={"pattern": r"\S"}),
    ]
    intent: str | None = Field(description="null is out of scope")


_NO_DEFAULT: dict[str, JsonValue] = {  # what each field holds where it says something
    "routes": {"minProperties": 1},
    "examples": {"minItems": 1},
    "prompts": {"minProperties": 1},
    "wrong_cost": {"type": "number"},
    "switch_cost": {"type": "number"},
}
_SOMETHING: list[JsonValue] = [
    {"required": [name], "properties": {name: schema}} for name, schema in _NO_DEFAULT.items()
]


class Moves(Document):
    """All of it is in force for a conversation, or nothing of it."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _SOMETHING})

    routes: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="by intent what its route says from then on, key by key as in routes.yaml; an intent "
        "that has no route gets one, `fallback` is what abstentions take; the alias answers them",
    )
    examples: tuple[Example, ...] = Field(default=(), description="that the router learns beside its own")
    prompts: dict[str, str] = Field(
        default_factory=dict, description="by file name the YAML of templates, beside those of the folder"
    )
    wrong_cost: Number | None = Field(default=None, ge=0.1, le=100, description="in the place of the file's")
    switch_cost: Number | None = Field(default=None, ge=0, le=1, description="in the place of the file's")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self == type(self).model_construct():
            raise ValueError("moves nothing; give routes, examples, prompts, wrong_cost or switch_cost")
        fixed = [f"routes.{i}.{key}" for i, track in self.routes.items() for key in FIXED if key in track]
        if fixed:
            raise ValueError(
                f"{', '.join(fixed)}: can't be given; a route is named by its key, and the alias answers it"
            )
        return self
