"""Tool calls of a served model: whether it calls when it should, in the right form, the right tool.

Every turn of the assistant in a held-out conversation is asked anew, greedily, with the true turns before it,
and compared with what stands there; the order of parallel calls is nobody's.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jsonschema import Draft202012Validator, SchemaError, ValidationError

from training.data.formats.conversations import Row
from training.data.row.fields import FieldError
from training.errors import RequestRefused
from training.evaluation.measures import Measure, ratio
from training.evaluation.part import Done, Result
from training.served import openai_form, said
from training.served.endpoint import Endpoint, each

MARKERS = ("<tool_call>", "</tool_call>", "<|tool_call", "[TOOL_CALLS]", "<function=")
Call = tuple[str, Any]  # name and arguments; of one that is right these may be an Accepting


@runtime_checkable
class Accepting(Protocol):
    """Arguments of which several are right."""

    def accepts(self, made: Any) -> bool: ...
    def as_json(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked, and the calls that are right; none: an answer in words is."""

    where: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]]
    wanted: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Made:
    """The calls of one answer."""

    calls: Sequence[Call]  # those that can be read
    number: int  # of all that were tried, one that leaked into the text included
    faults: Sequence[str]  # of form
    misfits: Sequence[str]  # calls that don't fit a tool's schema, or name no tool

    @property
    def tried(self) -> bool:
        """Whether a tool was to be called, in whatever form."""
        return self.number > 0


@dataclass(frozen=True, slots=True)
class Calls:
    """Turns that are asked anew."""

    name: str
    turns: Sequence[Turn]
    dropped: Mapping[str, int]
    max_new_tokens: int

    @property
    def requests(self) -> int:
        """One a turn."""
        return len(self.turns)

    async def ask(self, endpoint: Endpoint, done: Done) -> Result:
        """Trigger precision, recall and F1; accuracies, of turns without a right call too. See ``Part``."""
        answers = await each(self.turns, lambda turn: self._made(endpoint, turn), done)
        pairs = list(zip(self.turns, answers, strict=True))
        details = [
            {
                "row": turn.where,
                "wanted": [(name, _plain(right)) for name, right in turn.wanted],
                "called": list(made.calls),
                "faults": [*made.faults, *made.misfits],
            }
            for turn, made in pairs
        ]
        return Result(_measures(pairs), details)

    async def _made(self, endpoint: Endpoint, turn: Turn) -> Made:
        body = {
            "messages": list(turn.messages),
            "tools": list(turn.tools),
            "temperature": 0,
            "max_tokens": self.max_new_tokens,
        }
        try:
            return read(await endpoint.chat(body), turn.tools)
        except RequestRefused as exc:
            raise RequestRefused(exc.status, f"{turn.where}: {exc}") from exc


def turns_of(row: Row) -> list[Turn]:
    """Each turn of the assistant in ``row`` that follows something.

    Raises:
        FieldError: a tool's parameters are no JSON schema.
    """
    refuse_broken_schemas(row.tools, "tools")
    whole = openai_form.messages(row.messages)
    found = []
    for at, message in enumerate(row.messages):
        if message["role"] == "assistant" and at and message.get("weight") != 0:
            wanted = [
                (call["function"]["name"], call["function"].get("arguments", {}))
                for call in message.get("tool_calls") or ()
            ]
            found.append(Turn(f"{row.where} messages.{at}", whole[:at], row.tools, wanted))
    return found


def refuse_broken_schemas(tools: Sequence[Mapping[str, Any]], at: str) -> None:
    """Make sure that an answer can be held beside the ``tools``, which stand in the field ``at``.

    Raises:
        FieldError: a tool's parameters are no JSON schema.
    """
    for i, tool in enumerate(tools):
        try:
            Draft202012Validator.check_schema(_parameters(tool))
        except SchemaError as exc:
            raise FieldError(f"{at}.{i}.parameters", f"is no JSON schema: {exc.message}") from exc


def read(choice: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> Made:
    """The calls of an answer in OpenAI's form, and everything that is wrong with them."""
    message = choice["message"]
    schemas = {str(tool["function"]["name"]): _parameters(tool) for tool in tools}
    calls: list[Call] = []
    faults: list[str] = []
    misfits: list[str] = []
    given = said.calls(message)
    for call in given:
        if not isinstance(call, Mapping):
            faults.append(f"a call must be an object, found {call!r}")
            continue
        function = said.function(call)
        name, text = function.get("name"), function.get("arguments")
        if call.get("type") != "function" or not call.get("id"):
            faults.append("a call needs the type function and an id")
        try:
            arguments = json.loads(text) if isinstance(text, str) else None
        except ValueError:
            arguments = None
        if not isinstance(name, str) or not isinstance(arguments, dict):
            faults.append(f"arguments must be the JSON text of an object, found {text!r}")
            continue
        calls.append((name, arguments))
        if name not in schemas:
            misfits.append(f"there is no tool {name!r}")
        elif problem := _misfit(arguments, schemas[name]):
            misfits.append(f"{name}: {problem}")
    if given and choice.get("finish_reason") != "tool_calls":
        faults.append(f"finish_reason must be tool_calls, found {choice.get('finish_reason')!r}")
    text = said.parted(message).text
    leaked = next((mark for mark in MARKERS if mark in text), None)
    if leaked:
        faults.append(f"the text holds {leaked}, a call that was not recognised")
    return Made(calls, len(given) + (leaked is not None), faults, misfits)


def _measures(pairs: Sequence[tuple[Turn, Made]]) -> dict[str, Measure]:
    """Shares over the turns where a call is right, or where none is, or where one was made."""
    wanted = [float(bool(turn.wanted)) for turn, _ in pairs]
    tried = [float(made.tried) for _, made in pairs]
    left_alone = [(1 - a) * (1 - b) for a, b in zip(wanted, tried, strict=True)]
    both = [a * b for a, b in zip(wanted, tried, strict=True)]
    names = [([name for name, _ in turn.wanted], [name for name, _ in made.calls]) for turn, made in pairs]
    well_formed = [float(made.tried and not made.faults) for _, made in pairs]
    fitting = [float(len(made.calls) - len(made.misfits)) for _, made in pairs]
    right_tools = [float(bool(asked) and alike(asked, called)) for asked, called in names]
    right = [float(bool(turn.wanted) and alike(turn.wanted, made.calls, _answers)) for turn, made in pairs]
    return {
        "trigger_precision": ratio(both, tried),
        "trigger_recall": ratio(both, wanted),
        "trigger_f1": ratio(  # 2 TP / (2 TP + FP + FN)
            [2 * one for one in both], [a + b for a, b in zip(wanted, tried, strict=True)]
        ),
        "form_accuracy": ratio(well_formed, tried),
        "schema_accuracy": ratio(fitting, [float(made.number) for _, made in pairs]),
        "tool_accuracy": ratio(right_tools, wanted),
        "argument_accuracy": ratio(right, wanted),
        "irrelevance_accuracy": ratio(left_alone, [1 - one for one in wanted]),
    }


def alike(wanted: Sequence[Any], made: Sequence[Any], same: Callable[[Any, Any], bool] = operator.eq) -> bool:
    """Whether both hold the same, as often, in any order: the calls of one turn are made side by side."""
    left = list(made)
    for one in wanted:
        at = next((i for i, other in enumerate(left) if same(one, other)), None)
        if at is None:
            return False
        del left[at]
    return not left


def _answers(wanted: Call, made: Call) -> bool:
    (name, right), (called, arguments) = wanted, made
    if name != called:
        return False
    return right.accepts(arguments) if isinstance(right, Accepting) else bool(right == arguments)


def _plain(right: Any) -> Any:
    return right.as_json() if isinstance(right, Accepting) else right


def _parameters(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    return tool["function"].get("parameters") or {}


def _misfit(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    try:
        Draft202012Validator(schema).validate(arguments)
    except ValidationError as exc:
        return f"{exc.json_path}: {exc.message}"
    return ""
