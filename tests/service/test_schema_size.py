"""A schema that would take the engine minutes to compile is refused, whatever field it comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.body.options import check_options
from service.errors import InvalidRequest

TEXT = {"type": "string"}


def holding(properties: int) -> dict[str, Any]:
    """A schema of ``2 * properties + 2`` members."""
    return {"type": "object", "properties": {f"p{number}": TEXT for number in range(properties)}}


def formats(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}},
        {"structured_outputs": {"json": schema}},
        {"structured_outputs": {"json": json.dumps(schema)}},
    ]


@pytest.mark.parametrize("field", range(3))
def test_a_huge_schema_is_refused_by_name(field: int) -> None:
    check_options(formats(holding(2_499))[field], most=1)
    body = formats(holding(2_500))[field]
    with pytest.raises(
        InvalidRequest, match=r"holds 5,002 keywords, names and values; at most 5,000"
    ) as caught:
        check_options(body, most=1)
    assert caught.value.parameter == next(iter(body))


@pytest.mark.parametrize("schema", [{"enum": list(range(5_000))}, {"anyOf": [holding(5)] * 500}])
def test_values_and_branches_count_too(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="at most 5,000 are taken"):
        check_options(formats(schema)[0], most=1)
