"""routes.yaml → the table that says, for each intent, which prompt, chain, adapter and tools serve it.

Everything that the file names is looked up when it is read, so a route in the table can be run. All that is
wrong, in the file and in the prompts, comes in one report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.errors import ChainError
from chains.events import Chain, Limits
from chains.registry import chain_by_name
from chains.tools import tool_by_name
from pointsman.document import DocumentError, Location, Problem, lines_of, parse, read
from prompts.errors import MissingVariables, PromptError, UnknownVariables
from prompts.library import PromptLibrary
from prompts.template import PromptTemplate
from router.errors import RowsError
from router.evaluation import Row, read_rows
from router.examples import RoutingExamples
from router.policy import Policy
from service.errors import RoutesRejected
from service.policy import policy_of, policy_problems
from service.routes_document import FALLBACK, RoutesDocument, TrackDocument
from service.settings import LimitSettings


@dataclass(frozen=True)
class Route:
    """A route that can be run."""

    intent: str  # FALLBACK for the one that abstentions take
    parent: str | None
    description: str
    prompt: PromptTemplate | None
    variables: Mapping[str, Any]
    chain_name: str
    chain: Chain
    adapter: str | None  # alias; None: the base
    tools: tuple[str, ...]
    sampling: Mapping[str, Any]
    limits: Limits


@dataclass(frozen=True)
class RouteTable:
    """All routes of one file, the examples that the router is fitted on, and the policy over it."""

    routes: Mapping[str, Route]
    fallback: Route
    examples: RoutingExamples = field(repr=False)
    policy: Policy = field(repr=False)

    def route(self, intent: str | None) -> Route:
        """The route of ``intent``; None abstained."""
        return self.fallback if intent is None else self.routes[intent]

    def all(self) -> tuple[Route, ...]:
        """Every route, the fallback last."""
        return (*self.routes.values(), self.fallback)


def load_table(path: Path, prompts: Path, limits: LimitSettings) -> RouteTable:
    """The table in ``path`` over the templates in the folder ``prompts``; blocks.

    Raises:
        RoutesRejected: with everything that is wrong in the file and in the folder.
    """
    broken: list[DocumentError] = []
    library: PromptLibrary | None = None
    try:
        library = PromptLibrary.load(prompts)
    except DocumentError as exc:
        broken.append(exc)
    try:
        text = read(path)
        document = parse(RoutesDocument, text, path)
        more, problems = _example_rows(document, path.parent)
        problems += _problems(document, more, text, library)
        if problems:
            raise DocumentError(path, problems)
    except DocumentError as exc:
        broken.append(exc)
    if broken or library is None:
        raise RoutesRejected([line for error in broken for line in _lines(error)])
    return _table(document, more, library, limits)


def _table(
    document: RoutesDocument, more: Sequence[Row], library: PromptLibrary, limits: LimitSettings
) -> RouteTable:
    def made(intent: str, description: str, track: TrackDocument, parent: str | None = None) -> Route:
        bounds = {**limits.model_dump(), **track.limits.model_dump(exclude_none=True)}
        return Route(
            intent=intent,
            parent=parent,
            description=description,
            prompt=library.get(track.prompt) if track.prompt is not None else None,
            variables=track.variables,
            chain_name=track.chain,
            chain=chain_by_name(track.chain),
            adapter=track.adapter,
            tools=track.tools,
            sampling=track.sampling.model_dump(exclude_none=True),
            limits=Limits(**bounds),
        )

    examples = {
        route.intent: (*route.examples, *(row.text for row in more if row.intent == route.intent))
        for route in document.routes
    }
    return RouteTable(
        routes={
            route.intent: made(route.intent, route.description, route, route.parent)
            for route in document.routes
        },
        fallback=made(FALLBACK, "requests that belong to no other route", document.fallback),
        examples=RoutingExamples(
            {intent: texts for intent, texts in examples.items() if texts},
            (*document.out_of_scope, *(row.text for row in more if row.intent is None)),
        ),
        policy=policy_of(document),
    )


def _example_rows(document: RoutesDocument, folder: Path) -> tuple[list[Row], list[Problem]]:
    """The rows of ``example_files``, and what is wrong with them."""
    rows: list[Row] = []
    problems: list[Problem] = []
    known = {None, *(route.intent for route in document.routes)}
    for index, name in enumerate(document.example_files):
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


def _problems(
    document: RoutesDocument, more: Sequence[Row], text: str, library: PromptLibrary | None
) -> list[Problem]:
    lines = lines_of(text)
    problems: list[Problem] = []

    def report(place: Location, message: str) -> None:
        shown = next((place[:n] for n in range(len(place), 0, -1) if place[:n] in lines), ())
        problems.append(Problem(lines.get(shown), ".".join(map(str, place)), message))

    tracks: list[tuple[Location, TrackDocument]] = [(("fallback",), document.fallback)]
    seen: set[str] = set()
    for index, route in enumerate(document.routes):
        tracks.append((("routes", index), route))
        if route.intent in seen:
            report(("routes", index, "intent"), f"the intent {route.intent!r} is given twice")
        seen.add(route.intent)
    learned = {route.intent for route in document.routes if route.examples}
    learned |= {row.intent for row in more if row.intent is not None}
    for place, message in policy_problems(document, learned):
        report(place, message)
    for place, track in tracks:
        if library is not None:
            for inside, message in _prompt_problems(track, library):
                report((*place, *inside), message)
        for inside, message in _chain_problems(track):
            report((*place, *inside), message)
    return problems


def _prompt_problems(track: TrackDocument, library: PromptLibrary) -> Iterable[tuple[Location, str]]:
    if track.prompt is None:
        for key in ("variables", "parameters"):
            if getattr(track, key):
                yield (key,), "there is no prompt that could use them"
        return
    try:
        template = library.get(track.prompt)
        for name in track.parameters:
            if name not in template.variables:
                yield ("parameters", name), str(UnknownVariables(str(template), [name], template.variables))
        template.render([], track.variables)
    except MissingVariables as exc:
        unsure = [name for name in exc.names if name in track.parameters]
        hint = "; a parameter may not be found: give it a value under variables, used then" if unsure else ""
        yield ("prompt",), f"{exc}{hint}"
    except PromptError as exc:
        yield ("prompt",), str(exc)


def _chain_problems(track: TrackDocument) -> Iterable[tuple[Location, str]]:
    try:
        chain_by_name(track.chain)
    except ChainError as exc:
        yield ("chain",), str(exc)
    for index, name in enumerate(track.tools):
        try:
            tool_by_name(name)
        except ChainError as exc:
            yield ("tools", index), str(exc)


def _lines(error: DocumentError) -> list[str]:
    """Each problem as ``file:line: field: message``; a library's files keep their own names."""
    nested = getattr(error, "errors", None)
    if nested:
        return [line for one in nested for line in _lines(one)]
    return [
        ": ".join(
            part
            for part in (
                f"{error.path}:{problem.line}" if problem.line else str(error.path),
                problem.field,
                problem.message,
            )
            if part
        )
        for problem in error.problems
    ]
