"""routes.yaml → the table that says, for each intent, which prompt, chain, adapter and tools serve it.

Everything that the file names is looked up when it is read, so a route in the table can be run. All that is
wrong, in the file and in the prompts, comes in one report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chains.events import Chain, Limits
from chains.registry import chain_with
from pointsman.core_yaml import write_core
from pointsman.document import DocumentError, lines_of, parse, plain, problem_lines, read
from pointsman.problems import Problem
from prompts.library import PromptLibrary
from prompts.template import PromptTemplate
from router.deciding.policy import Policy
from router.examples import RoutingExamples
from router.judging.evaluation import Row
from service.crosschecks import cross_problems, example_rows, placed
from service.errors import RoutesRejected
from service.moving import Mover, laid_over
from service.policy import policy_of, policy_problems
from service.routes_document import CLIENT_TOOLS, FALLBACK, RoutesDocument, TrackDocument
from service.sections import LimitSettings

_TITLES = {FALLBACK: "the fallback route", CLIENT_TOOLS: "the route of clients' tools"}
COT = "cot"  # the chain whose adapters reason before they answer


@dataclass(frozen=True)
class Route:
    """A route that can be run."""

    intent: str  # FALLBACK for the one that abstentions take, CLIENT_TOOLS where these bring tools
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

    @property
    def title(self) -> str:
        """How the route is called in a sentence."""
        return _TITLES.get(self.intent, f"the route {self.intent!r}")


@dataclass(frozen=True)
class RouteTable:
    """All routes of one file, the examples that the router is fitted on, and the policy over it."""

    routes: Mapping[str, Route]
    fallback: Route
    client_tools: Route
    examples: RoutingExamples = field(repr=False)
    policy: Policy = field(repr=False)

    def route(self, intent: str | None, brings_tools: bool = False) -> Route:
        """The route of ``intent``; None abstained: a request that brings tools of its own is not declined."""
        if intent is not None:
            return self.routes[intent]
        return self.client_tools if brings_tools else self.fallback

    def reasons(self, adapter: str | None) -> bool:
        """Whether a route has ``adapter`` (alias or version; None: the base) reason before it answers."""
        alias = None if adapter is None else adapter.partition("@")[0]
        return any(route.chain_name == COT and route.adapter == alias for route in self.all())

    def all(self) -> tuple[Route, ...]:
        """Every route, those that belong to no intent last."""
        return (*self.routes.values(), self.client_tools, self.fallback)


def load_table(
    path: Path, prompts: Path | None, limits: LimitSettings, movers: Sequence[Mover] = ()
) -> RouteTable:
    """The table in ``path`` over the templates in the folder ``prompts``, with what moves; blocks.

    ``prompts`` is None where it is known not to exist: then only what else is wrong is told.

    Raises:
        RoutesRejected: with everything that is wrong in the file and in the folder.
    """
    broken: list[DocumentError] = []
    library: PromptLibrary | None = None
    try:
        library = None if prompts is None else PromptLibrary.load(prompts)
        if library is not None and movers:
            library = library.joined(_moved_prompts(movers))
    except DocumentError as exc:
        broken.append(exc)
    document, more = None, list[Row]()
    try:
        text, problems = _moved(read(path), path, movers)
        document, more, found = _document(text, path, library)
        problems += [replace(problem, line=None) for problem in found] if movers else found
        if problems:
            raise DocumentError(path, problems)
    except DocumentError as exc:
        broken.append(exc)
    if broken or document is None or library is None:
        raise RoutesRejected([line for error in broken for line in problem_lines(error)])
    return _table(document, more, library, limits, path.parent)


def _moved(text: str, path: Path, movers: Sequence[Mover]) -> tuple[str, list[Problem]]:
    """``text`` with what moves; its lines are others then."""
    if not movers or not isinstance(data := plain(text, path), Mapping):
        return text, []
    laid, problems = laid_over(data, movers)
    text = write_core(laid)
    return text, [Problem(None, "", problem) for problem in problems]


def _moved_prompts(movers: Sequence[Mover]) -> list[PromptTemplate]:
    return [
        PromptTemplate.read(text, Path(f"{mover.name}/{name}"))
        for mover in movers
        for name, text in mover.moves.prompts.items()
    ]


def _document(
    text: str, path: Path, library: PromptLibrary | None
) -> tuple[RoutesDocument | None, list[Row], list[Problem]]:
    """What is in ``text``, the rows of its example files, and all problems, of its form and across it."""
    document: RoutesDocument | None = None
    problems: list[Problem] = []
    try:
        document = parse(RoutesDocument, text, path)
    except DocumentError as exc:
        problems = exc.problems
    try:
        found, lines = plain(text), lines_of(text)
    except DocumentError:  # no YAML, which was told
        return None, [], problems
    data = found if isinstance(found, Mapping) else {}
    rows, wrong = example_rows(data, path.parent)
    told = {problem.field for problem in problems}  # what else is said of these follows from that
    across = cross_problems(data, lines, library, path.parent)
    problems += [*wrong, *(problem for problem in across if problem.field not in told)]
    if document is not None:
        learned = {route.intent for route in document.routes if route.examples}
        learned |= {row.intent for row in rows if row.intent is not None}
        problems += [placed(place, said, lines) for place, said in policy_problems(document, learned)]
    return document, rows, problems


def _table(
    document: RoutesDocument,
    more: Sequence[Row],
    library: PromptLibrary,
    limits: LimitSettings,
    folder: Path,
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
            chain=chain_with(track.chain, track.options, folder),
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
        client_tools=made(
            CLIENT_TOOLS, "requests with their own tools that belong to no other route", document.client_tools
        ),
        examples=RoutingExamples(
            {intent: texts for intent, texts in examples.items() if texts},
            (*document.out_of_scope, *(row.text for row in more if row.intent is None)),
            document.wrong_cost,
        ),
        policy=policy_of(document),
    )
