"""What is wrong in routes.yaml beyond its form: between its fields, and with what they name.

Looked for in the plain data of the file, so that it is told beside what is wrong with the form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from chains.errors import ChainError, ChainOptionsError
from chains.registry import chain_with
from chains.tools import tool_by_name
from pointsman.problems import Location, Problem
from prompts.errors import MissingVariables, PromptError, UnknownVariables
from prompts.library import PromptLibrary
from router.errors import RowsError
from router.judging.evaluation import Row, read_rows


def example_rows(data: Mapping[str, Any], folder: Path) -> tuple[list[Row], list[Problem]]:
    """The rows of ``example_files``, and what is wrong with them."""
    rows: list[Row] = []
    problems: list[Problem] = []
    intents = (track.get("intent") for _, track in _tracks(data))
    known = {None, *(intent for intent in intents if isinstance(intent, str))}
    for index, name in enumerate(_texts(data.get("example_files"))):
        place = f"example_files.{index}"
        try:
            found = read_rows(folder / name)
        except RowsError as exc:
            problems.append(Problem(None, place, str(exc)))
            continue
        strange = sorted({str(row.intent) for row in found if row.intent not in known})
        if strange:
            problems.append(
                Problem(None, place, f"{name} names intents without a route: {', '.join(strange)}")
            )
        rows += found
    return rows, problems


def _tracks(data: Mapping[str, Any]) -> list[tuple[Location, Mapping[str, Any]]]:
    """All tracks as they stand in the file, whatever is wrong in them."""
    found: list[tuple[Location, Any]] = [((name,), data.get(name)) for name in ("fallback", "client_tools")]
    routes = data.get("routes")
    found += [(("routes", i), route) for i, route in enumerate(routes if isinstance(routes, list) else [])]
    return [(place, track) for place, track in found if isinstance(track, Mapping)]


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def cross_problems(
    data: Mapping[str, Any], lines: Mapping[Location, int], library: PromptLibrary | None, folder: Path
) -> list[Problem]:
    """What is wrong across fields and with what they name; paths are seen from ``folder``."""
    problems: list[Problem] = []

    def report(place: Location, message: str) -> None:
        problems.append(placed(place, message, lines))

    seen: set[str] = set()
    for place, track in _tracks(data):
        intent = track.get("intent")
        if isinstance(intent, str):
            if intent in seen:
                report((*place, "intent"), f"the intent {intent!r} is given twice")
            seen.add(intent)
        if library is not None:
            for inside, message in _prompt_problems(track, library):
                report((*place, *inside), message)
        for inside, message in _chain_problems(track, folder):
            report((*place, *inside), message)
    return problems


def placed(place: Location, message: str, lines: Mapping[Location, int]) -> Problem:
    """The problem at ``place``, with the line of the innermost part of it that stands in the file."""
    shown = next((place[:n] for n in range(len(place), 0, -1) if place[:n] in lines), ())
    return Problem(lines.get(shown), ".".join(map(str, place)), message)


def _prompt_problems(track: Mapping[str, Any], library: PromptLibrary) -> Iterable[tuple[Location, str]]:
    prompt = track.get("prompt")
    variables, parameters = _by_name(track.get("variables")), _by_name(track.get("parameters"))
    if prompt is None:
        for key, given in (("variables", variables), ("parameters", parameters)):
            if given:
                yield (key,), "there is no prompt that could use them"
    if not isinstance(prompt, str):
        return
    try:
        template = library.get(prompt)
        for name in parameters:
            if name not in template.variables:
                yield ("parameters", name), str(UnknownVariables(str(template), [name], template.variables))
        template.render([], variables)
    except MissingVariables as exc:
        unsure = any(name in parameters for name in exc.names)
        hint = "; a parameter may not be found: give it a value under variables, used then" if unsure else ""
        yield ("prompt",), f"{exc}{hint}"
    except PromptError as exc:
        yield ("prompt",), str(exc)


def _by_name(value: object) -> dict[str, Any]:
    """What of a mapping has a name; its form is told elsewhere."""
    if not isinstance(value, Mapping):
        return {}
    return {name: item for name, item in value.items() if isinstance(name, str)}


def _chain_problems(track: Mapping[str, Any], folder: Path) -> Iterable[tuple[Location, str]]:
    chain = track.get("chain")
    if isinstance(chain, str):
        try:
            chain_with(chain, _by_name(track.get("options")), folder)
        except ChainOptionsError as exc:
            for inside, message in exc.places:
                yield ("options", *inside), message
        except ChainError as exc:
            yield ("chain",), str(exc)
    tools = track.get("tools")
    for index, name in enumerate(tools if isinstance(tools, list) else []):
        if isinstance(name, str):
            try:
                tool_by_name(name)
            except ChainError as exc:
                yield ("tools", index), str(exc)
