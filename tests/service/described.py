"""What the tests of the OpenAPI document share: the document, and the schemas in it."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from tests.service.conftest import Running

USER = {"role": "user", "content": "where is my parcel"}


async def document(running: Running) -> dict[str, Any]:
    answer = await running.http.get("/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


def schema_of(found: dict[str, Any], path: str, method: str, status: str | None) -> Draft202012Validator:
    """The validator of a request (no status) or of an answer."""
    operation = found["paths"][path][method]
    place = operation["requestBody"] if status is None else operation["responses"][status]
    schema = {**next(iter(place["content"].values())).get("schema", {}), "components": found["components"]}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
