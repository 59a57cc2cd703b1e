"""The form that a client asks for: ``response_format``, or vLLM's ``structured_outputs``."""

from __future__ import annotations

import re

from service.body.kinds import SWITCH, check_kind
from service.body.known import FORM, FORMATS, JSON_SCHEMA, STRUCTURED_OUTPUTS
from service.body.shown import shown
from service.errors import InvalidRequest

FORM_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # OpenAI's, of a schema


def check_form(form: object) -> None:
    """``response_format``; whether its schema can be used is looked at elsewhere.

    Raises:
        InvalidRequest
    """
    if form is None:
        return
    if not isinstance(form, dict):
        raise InvalidRequest(
            f"response_format must be an object with a type, found {shown(form)}", "response_format"
        )
    FORM.check(form, "response_format")
    schema = form.get("json_schema")
    if not isinstance(schema, dict | None):
        raise InvalidRequest(
            f"response_format.json_schema must be an object with a name and a schema, found {shown(schema)}",
            "response_format.json_schema",
        )
    if schema is not None:
        JSON_SCHEMA.check(schema, "response_format.json_schema")
        check_kind("response_format.json_schema.strict", schema.get("strict"), SWITCH)
        name = schema.get("name")
        if isinstance(name, str) and not FORM_NAME.fullmatch(name):  # what is no text, the engine refuses
            raise InvalidRequest(
                "response_format.json_schema.name must be 1 to 64 of a-z, A-Z, 0-9, _ and -, found "
                f"{name[:80]!r}",
                "response_format.json_schema.name",
            )


def check_guide(wanted: object) -> None:
    """``structured_outputs``, vLLM's own.

    Raises:
        InvalidRequest
    """
    if wanted is None:
        return
    if not isinstance(wanted, dict):
        raise InvalidRequest(
            f"structured_outputs must be an object with one of {', '.join(FORMATS)}; found {shown(wanted)}",
            "structured_outputs",
        )
    STRUCTURED_OUTPUTS.check(wanted, "structured_outputs")
    check_kind("structured_outputs.json_object", wanted.get("json_object"), SWITCH)
    given = [name for name in FORMATS if wanted.get(name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or (f"only {', '.join(map(str, wanted))}" if wanted else "none")
        raise InvalidRequest(
            f"structured_outputs must hold exactly one of {', '.join(FORMATS)}; found {found}",
            "structured_outputs",
        )
