"""What models write as a tool and its input, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chains.action_input import arguments_in, final_answer, tool_named

TOOLS = ["track_parcel", "track_parcels", "change_address"]
ONE = {"properties": {"parcel_id": {"type": "string"}}, "required": ["parcel_id"]}
TWO = {
    "properties": {"parcel_id": {"type": "string"}, "address": {"type": "string"}},
    "required": ["parcel_id", "address"],
}
NUMBER = {"properties": {"days": {"type": "integer"}, "note": {"type": "string"}}, "required": ["days"]}


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("track_parcel", ("track_parcel", None)),
        ("`track_parcel`", ("track_parcel", None)),
        ("Track Parcel.", ("track_parcel", None)),
        ("track_parcels", ("track_parcels", None)),
        ("[track_parcel]", ("track_parcel", None)),
        ('track_parcel("PX1")', ("track_parcel", '"PX1"')),
        ("track_parcel[PX1]", ("track_parcel", "PX1")),
        ('track_parcel(parcel_id="PX1")', ("track_parcel", 'parcel_id="PX1"')),
        ('track_parcel\n{"parcel_id": "PX1"}', ("track_parcel", '{"parcel_id": "PX1"}')),
        (
            '{"name": "track_parcel", "arguments": {"parcel_id": "PX1"}}',
            ("track_parcel", '{"parcel_id": "PX1"}'),
        ),
        ('{"action": "track_parcel", "action_input": "PX1"}', ("track_parcel", "PX1")),
        ('[{"name": "track_parcel", "arguments": "PX1"}]', ("track_parcel", "PX1")),
        ("I will use change_address for this", ("change_address", None)),
        ("track_parcel to see where it is", ("track_parcel", None)),
        ("teleport\nnow", ("teleport", None)),
    ],
)
def test_a_tool_is_found_in_what_names_it(written: str, found: tuple[str, str | None]) -> None:
    assert tool_named(written, TOOLS) == found


@pytest.mark.parametrize(
    ("written", "schema", "found"),
    [
        ('{"parcel_id": "PX1"}', ONE, {"parcel_id": "PX1"}),
        ('```json\n{"parcel_id": "PX1"}\n```\nNow I wait.', ONE, {"parcel_id": "PX1"}),
        ('```\n{"parcel_id": "PX1"}', ONE, {"parcel_id": "PX1"}),
        ('{"parcel_id": "PX1"} and then I wait', ONE, {"parcel_id": "PX1"}),
        ("{'parcel_id': 'PX1', 'x': None}", ONE, {"parcel_id": "PX1", "x": None}),
        ('{"parcel_id": "PX1",}', ONE, {"parcel_id": "PX1"}),
        ("{“parcel_id”：“PX1”}", ONE, {"parcel_id": "PX1"}),
        ('{"parcel_id": "a\nb"}', ONE, {"parcel_id": "a\nb"}),
        ("PX1", ONE, {"parcel_id": "PX1"}),
        ('"PX1"', ONE, {"parcel_id": "PX1"}),
        ("`PX1`\nI wait for it.", ONE, {"parcel_id": "PX1"}),
        ("parcel_id: PX1", ONE, {"parcel_id": "PX1"}),
        ('parcel_id="PX1", address="1 Elm Road"', TWO, {"parcel_id": "PX1", "address": "1 Elm Road"}),
        ("parcel_id：PX1，address：榆树路1号", TWO, {"parcel_id": "PX1", "address": "榆树路1号"}),
        ("7", NUMBER, {"days": 7}),
        ("seven", NUMBER, {"days": "seven"}),
        ("", ONE, {}),
        ("None", ONE, {}),
        (None, ONE, {}),
        ('{"parcel_id": "PX', ONE, None),
        ('{"parcel_id": "PX1"', ONE, {"parcel_id": "PX1"}),
        ('{"parcel_id": {"a": ["it\'s [1", 2', ONE, {"parcel_id": {"a": ["it's [1", 2]}}),
        ("{“parcel_id”：“PX1”", ONE, {"parcel_id": "PX1"}),
        ('`{"parcel_id": "PX1"}`', ONE, {"parcel_id": "PX1"}),
        ('{"parcel_id": ["PX1"}', ONE, None),
        ("{'parcel_id': 'PX1'} or {x", ONE, {"parcel_id": "PX1"}),
        ('{"parcel_id": "PX1",', ONE, None),
        ("PX1", TWO, None),
        ('[["a"]]', {"properties": {"rows": {"type": "array"}}}, {"rows": [["a"]]}),
        ("{" * 5_000, ONE, None),
        ("{1: {2}}", ONE, None),
    ],
)
def test_arguments_are_found_in_what_was_written(
    written: str | None, schema: dict[str, Any], found: dict[str, Any] | None
) -> None:
    assert arguments_in(written, schema) == found


ROWS = {"properties": {"rows": {"type": "array"}}}
OWN = '{"parcel_id": "PX1"}'


@pytest.mark.parametrize(
    ("written", "schema", "found"),
    [
        ('"{\\"parcel_id\\": \\"PX1\\"}"', ONE, {"parcel_id": "PX1"}),
        (f"'{OWN}'", ONE, {"parcel_id": "PX1"}),
        (f'"{OWN}"', ONE, {"parcel_id": "PX1"}),
        (f"[{OWN}]", ONE, {"parcel_id": "PX1"}),
        ('["PX1"]', ONE, {"parcel_id": "PX1"}),
        ("{parcel_id: PX1}", ONE, {"parcel_id": "PX1"}),
        ("{ days: 7, note: 'by hand, soon' }", NUMBER, {"days": 7, "note": "by hand, soon"}),
        (f'{{"arguments": {OWN}}}', ONE, {"parcel_id": "PX1"}),
        (f'{{"input": {OWN}}}', ONE, {"parcel_id": "PX1"}),
        (f'[{{"name": "track_parcel", "arguments": {OWN}}}]', ONE, {"parcel_id": "PX1"}),
        (f'{{"action": "track_parcel", "action_input": [{OWN}]}}', ONE, {"parcel_id": "PX1"}),
        (f'{{"tool": "track_parcel", "tool_input": {json.dumps(OWN)}}}', ONE, {"parcel_id": "PX1"}),
        (f'```json\n{{"parameters": {OWN}}}\n```', ONE, {"parcel_id": "PX1"}),
    ],
)
def test_what_stands_around_the_arguments_goes(
    written: str, schema: dict[str, Any], found: dict[str, Any]
) -> None:
    assert arguments_in(written, schema, "track_parcel") == found


@pytest.mark.parametrize(
    ("written", "schema", "found"),
    [
        ('{"input": {"id": "PX1"}}', ONE, {"input": {"id": "PX1"}}),
        ('{"input": "PX1"}', ONE, {"input": "PX1"}),
        (f'{{"input": {OWN}, "days": 1}}', ONE, {"input": {"parcel_id": "PX1"}, "days": 1}),
        (
            f'{{"name": "change_address", "arguments": {OWN}}}',
            ONE,
            {"name": "change_address", "arguments": {"parcel_id": "PX1"}},
        ),
        (
            f'{{"input": {OWN}}}',
            {"properties": {"input": {}, "parcel_id": {}}},
            {"input": {"parcel_id": "PX1"}},
        ),
        (f'{{"arguments": {OWN}}}', {}, {"arguments": {"parcel_id": "PX1"}}),
        ('["PX1"]', ROWS, {"rows": ["PX1"]}),
        ("{parcel_id: PX1, address: 1 Elm Road, Bath}", TWO, None),
        ("{id: PX1}", ONE, None),
        ("{parcel_id: PX1", ONE, None),
        (f"[{OWN}]", ROWS, {"rows": [{"parcel_id": "PX1"}]}),
        (f"[{OWN}, {OWN}]", ROWS, {"rows": [{"parcel_id": "PX1"}] * 2}),
        (f"'{OWN}'", {"properties": {"code": {"type": "string"}}}, {"code": OWN}),
    ],
)
def test_what_may_be_read_in_two_ways_is_left_as_it_was_written(
    written: str, schema: dict[str, Any], found: dict[str, Any] | None
) -> None:
    assert arguments_in(written, schema, "track_parcel") == found


@pytest.mark.parametrize(
    ("action", "written", "answer"),
    [
        ("Final Answer", "42", "42"),
        ('{"action": "Final Answer", "action_input": {"answer": "42"}}', None, "42"),
        ("Final Answer", '{"a": "1", "b": "2"}', '{"a": "1", "b": "2"}'),
        ("Final Answer", '"no end', '"no end'),
        ("final answers", "42", None),
        ("Finish[42]", None, "42"),
        ("`finish[see [1]\nand 2]`.", None, "see [1]\nand 2"),
        ("Finish[42]\nSee [1].", None, "42"),
        ("Finish the form", "42", None),
        ("track_parcel", "Final Answer: 42", None),
    ],
)
def test_an_answer_is_told_from_a_tool(action: str, written: str | None, answer: str | None) -> None:
    assert final_answer(action, written, TOOLS) == answer


def test_a_tool_may_be_named_like_the_answer() -> None:
    assert final_answer("Final Answer", "42", ["final_answer"]) is None
    assert final_answer("Finish[42]", None, ["finish"]) is None
    assert tool_named("Final Answer", ["final_answer"]) == ("final_answer", None)
