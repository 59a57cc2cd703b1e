import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from chains.errors import ToolDefinitionError, ToolFailure, ToolNotFound
from chains.tool_call import result_text
from chains.tools import tool_by_name, tool_from, tool_schema


class Place(BaseModel):
    title: str
    zip: int = 0


def find(
    parcel_id: Annotated[str, Field(description="its number")],
    kind: Literal["letter", "box"],
    model_schema: int = 3,
    tags: list[str] | None = None,
) -> dict[str, Any]:
    """Find a parcel
    by its number.

    Args: nobody reads this.
    """
    return {"parcel": parcel_id, "kind": kind, "n": model_schema, "tags": tags, "ort": "北京"}


async def call(function: Any, arguments: object, seconds: float = 5, characters: int = 1000) -> str:
    result = await tool_from(function).call(arguments, seconds, characters)
    assert result.failed == result.text.startswith("error: ")
    return result.text


def test_the_schema_is_compact_and_always_the_same_text() -> None:
    expected = (
        '{"type": "function", "function": {"name": "find", "description": "Find a parcel by its number.", '
        '"parameters": {"type": "object", "properties": {"parcel_id": {"type": "string", "description": '
        '"its number"}, "kind": {"type": "string", "enum": ["letter", "box"]}, "model_schema": {"type": '
        '"integer", "default": 3}, "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, '
        '{"type": "null"}], "default": null}}, "required": ["parcel_id", "kind"]}}}'
    )
    assert json.dumps(tool_schema(find)) == expected
    assert json.dumps(tool_from(find).schema) == expected


def test_a_property_named_title_stays() -> None:
    def go(place: Place, title: str, only: Literal["x"]) -> None:
        """Go."""

    schema = tool_schema(go)["function"]["parameters"]
    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["properties"]["only"] == {"type": "string", "enum": ["x"]}
    assert schema["$defs"]["Place"]["properties"]["title"] == {"type": "string"}
    assert "title" not in schema["$defs"]["Place"]


def test_no_arguments_is_an_empty_object() -> None:
    def ping() -> str:
        """Ping."""
        return "pong"

    parameters = tool_schema(ping)["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {}, "required": []}


def test_a_function_that_is_no_tool_is_refused() -> None:
    def silent(x: int) -> int:
        return x

    def untyped(x) -> int:  # type: ignore[no-untyped-def]
        """Doc."""
        return 0

    def starred(*x: int) -> int:
        """Doc."""
        return 0

    def odd(x: threading.Thread) -> int:
        """Doc."""
        return 0

    refused: list[tuple[Callable[..., Any], str]] = [
        (silent, "no docstring"),
        (untyped, "no type"),
        (starred, "named"),
        (odd, "JSON"),
    ]
    for function, message in refused:
        with pytest.raises(ToolDefinitionError, match=message):
            tool_schema(function)


async def test_a_call_checks_converts_and_answers_in_json() -> None:
    text = await call(find, {"parcel_id": "PX1", "kind": "box", "model_schema": "4"})
    assert text == '{"parcel": "PX1", "kind": "box", "n": 4, "tags": null, "ort": "北京"}'


async def test_wrong_arguments_are_told_all_at_once() -> None:
    text = await call(find, {"kind": "bag", "colour": "red"})
    assert text.startswith("error: wrong arguments for find: ")
    assert all(name in text for name in ("parcel_id", "kind", "colour"))
    assert "wrong arguments" in await call(find, [1])


async def test_nested_arguments_arrive_as_their_types() -> None:
    def go(place: Place) -> str:
        """Go."""
        return f"{place.title} {place.zip}"

    assert await call(go, {"place": {"title": "Bonn", "zip": 53111}}) == "Bonn 53111"


async def test_failures_are_text_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fails(how: str) -> None:
        """Fail."""
        raise {"value": ValueError("no parcel PX1"), "tool": ToolFailure("closed")}.get(
            how, RuntimeError("secret: /etc/x")
        )

    assert await call(fails, {"how": "value"}) == "error: no parcel PX1"
    assert await call(fails, {"how": "tool"}) == "error: closed"
    with caplog.at_level(logging.ERROR, "chains.tool_call"):
        assert await call(fails, {"how": "other"}) == "error: fails failed (RuntimeError)"
    assert "secret" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), KeyboardInterrupt()])
async def test_a_tool_that_would_end_its_thread_is_told_as_one_that_failed(error: BaseException) -> None:
    def leave() -> None:
        """Leave."""
        raise error

    assert await call(leave, {}) == "error: leave failed (RuntimeError)"


async def test_a_coroutine_that_exits_does_not_end_the_gateway() -> None:
    async def leave() -> None:
        """Leave."""
        sys.exit()

    assert await call(leave, {}) == "error: leave failed (SystemExit)"


async def test_a_result_that_holds_itself_is_told() -> None:
    def ring() -> list[object]:
        """Ring."""
        found: list[object] = []
        found.append(found)
        return found

    assert (await call(ring, {})).startswith("error: Circular reference")


async def test_a_synchronous_tool_does_not_block_the_loop() -> None:
    gate = threading.Event()

    def wait() -> str:
        """Wait."""
        return "open" if gate.wait(5) else "shut"

    task = asyncio.create_task(call(wait, {}))
    await asyncio.sleep(0.01)
    assert not task.done()
    gate.set()
    assert await task == "open"


async def test_the_time_limit_holds_for_both_kinds() -> None:
    gate = threading.Event()

    def slow() -> bool:
        """Slow."""
        return gate.wait(5)

    async def never() -> None:
        """Never."""
        await asyncio.Event().wait()

    assert await call(slow, {}, seconds=0.02) == "error: slow did not answer within 0.02 s"
    assert await call(never, {}, seconds=0.02) == "error: never did not answer within 0.02 s"
    gate.set()


async def test_long_results_are_cut_and_say_so() -> None:
    def long() -> str:
        """Long."""
        return "包" * 500

    assert await call(long, {}, characters=3) == "包包包 ... (cut, 500 characters in all)"


def test_text_stays_text_and_the_rest_is_json() -> None:
    assert result_text("plain") == "plain"
    assert result_text(None) == "null"
    assert result_text([Place(title="ü")]) == '[{"title": "ü", "zip": 0}]'
    assert result_text({1}) == "[1]"


def test_installed_tools_are_found_by_name() -> None:
    assert tool_by_name("track_parcel").name == "track_parcel"
    with pytest.raises(ToolNotFound, match=r"no tool 'nope'; known: .*track_parcel"):
        tool_by_name("nope")
