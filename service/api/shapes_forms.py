"""What the OpenAPI document says of the forms and guides of an answer."""

from __future__ import annotations

from service.api.shapes import NOTHING, SAID, SWITCH, TEXT, Schema, closed
from service.body.forms import FORM_NAME
from service.body.known import FORM, FORMATS, JSON_SCHEMA, STRUCTURED_OUTPUTS


def _given(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


_PERHAPS: Schema = {"type": ["object", "null"]}
FORMED: Schema = {"type": "string", "pattern": f"^{FORM_NAME.pattern}$"}
_NAMED_FORM: Schema = {"name": FORMED, "strict": SWITCH, "description": SAID, "schema": {"type": "object"}}
_OTHER_FORM: Schema = {
    "json_schema": {"anyOf": [closed(JSON_SCHEMA, {**_NAMED_FORM, "schema": _PERHAPS}), NOTHING]}
}
RESPONSE_FORMAT: Schema = {
    "anyOf": [
        closed(FORM, {**_OTHER_FORM, "type": {"enum": ["text", "json_object", "structural_tag"]}}, "type"),
        closed(
            FORM,
            {
                "type": {"const": "json_schema"},
                "json_schema": closed(JSON_SCHEMA, _NAMED_FORM, "name", "schema"),
            },
            *("type", "json_schema"),
        ),
        NOTHING,
    ]
}
_WANTED: Schema = {  # of structured outputs
    "json": {"anyOf": [_PERHAPS, {"type": "string", "pattern": r"^[ \t\n\r]*\{[\s\S]*\}[ \t\n\r]*$"}]},
    "regex": SAID,
    "choice": {"anyOf": [{"type": "array", "minItems": 1, "items": TEXT}, NOTHING]},
    "grammar": {"type": ["string", "null"], "minLength": 1},
    "json_object": {"enum": [True, None]},
    "whitespace_pattern": SAID,
    **dict.fromkeys(("disable_any_whitespace", "disable_additional_properties"), SWITCH),
}
STRUCTURED: Schema = {
    "anyOf": [
        {**closed(STRUCTURED_OUTPUTS, _WANTED), "oneOf": [_given(name) for name in FORMATS]},
        NOTHING,
    ]
}
