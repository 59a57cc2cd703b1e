"""routes.yaml → the table that says, for each intent, which prompt, chain, adapter and tools serve it.

Everything that the file names is looked up when it is read, so a route in the table can be run. All that is
wrong, in the file and in the prompts, comes in one report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from chains.events import Chain, Limits
from chains.registry import chain_by_name
from pointsman.artefact import ALIAS
from pointsman.document import (
    Document,
    DocumentError,
    Problem,
    lines_of,
    parse,
    plain,
    problem_lines,
    read,
)
from prompts.library import PromptLibrary
from prompts.template import PromptTemplate
from router.evaluation import Row
from router.examples import RoutingExamples
from service.crosschecks import cross_problems, example_rows
from service.errors import RoutesRejected
from service.settings import LimitSettings, Positive, Seconds

FALLBACK = "fallback"  # what the log and the headers call the intent of an abstention
COT = "cot"  # the chain whose adapters reason before they answer

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Unit = Annotated[float, Field(ge=0, le=1)]


class SamplingDocument(Document):
    """Defaults for what the client leaves out; names and meaning are OpenAI's and vLLM's."""

    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: int | None = None
    min_p: Unit | None = None
    max_tokens: Positive | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None


class LimitsDocument(Document):
    """Bounds of one run that differ from the settings'."""

    steps: Positive | None = None
    seconds: Seconds | None = None
    tool_seconds: Seconds | None = None
    tool_characters: Positive | None = None


class TrackDocument(Document):
    """How a conversation is answered."""

    prompt: str | None = None  # name or name@version; None: the conversation as it is
    variables: dict[str, Any] = Field(default_factory=dict)  # of the prompt
    chain: str = "direct"
    adapter: str | None = None  # an alias; None: the base
    tools: tuple[str, ...] = ()
    sampling: SamplingDocument = SamplingDocument()
    limits: LimitsDocument = LimitsDocument()

    @field_validator("adapter")
    @classmethod
    def _is_alias(cls, adapter: str | None) -> str | None:
        if adapter is not None and not ALIAS.fullmatch(adapter):
            raise ValueError("an adapter is named by its alias: lower-case letters, digits, - and _")
        return adapter


class RouteDocument(TrackDocument):
    """One intent and how it is answered."""

    intent: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")  # goes into headers
    description: str = ""
    examples: tuple[Text, ...] = Field(min_length=1)

    @field_validator("intent")
    @classmethod
    def _not_fallback(cls, intent: str) -> str:
        if intent == FALLBACK:
            raise ValueError(f"{FALLBACK!r} is what an abstention is called")
        return intent


class RoutesDocument(Document):
    """routes.yaml."""

    version: Literal[1]
    fallback: TrackDocument
    out_of_scope: tuple[Text, ...] = ()
    example_files: tuple[str, ...] = ()  # JSONL beside this file: {"text", "intent"}, null is out of scope
    routes: tuple[RouteDocument, ...] = Field(min_length=2)


@dataclass(frozen=True)
class Route:
    """A route that can be run."""

    intent: str  # FALLBACK for the one that abstentions take
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
    """All routes of one file, and the examples that the router is fitted on."""

    routes: Mapping[str, Route]
    fallback: Route
    examples: RoutingExamples = field(repr=False)

    def route(self, intent: str | None) -> Route:
        """The route of ``intent``; None abstained."""
        return self.fallback if intent is None else self.routes[intent]

    def reasons(self, adapter: str | None) -> bool:
        """Whether a route has ``adapter`` (alias or version; None: the base) reason before it answers."""
        alias = None if adapter is None else adapter.partition("@")[0]
        return any(route.chain_name == COT and route.adapter == alias for route in self.all())

    def all(self) -> tuple[Route, ...]:
        """Every route, the fallback last."""
        return (*self.routes.values(), self.fallback)


def load_table(path: Path, prompts: Path | None, limits: LimitSettings) -> RouteTable:
    """The table in ``path`` over the templates in the folder ``prompts``; blocks.

    ``prompts`` is None where it is known not to exist: then only what else is wrong is told.

    Raises:
        RoutesRejected: with everything that is wrong in the file and in the folder.
    """
    broken: list[DocumentError] = []
    library: PromptLibrary | None = None
    try:
        library = None if prompts is None else PromptLibrary.load(prompts)
    except DocumentError as exc:
        broken.append(exc)
    document, more = None, list[Row]()
    try:
        document, more, problems = _document(read(path), path, library)
        if problems:
            raise DocumentError(path, problems)
    except DocumentError as exc:
        broken.append(exc)
    if broken or document is None or library is None:
        raise RoutesRejected([line for error in broken for line in problem_lines(error)])
    return _table(document, more, library, limits)


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
    return document, rows, [*problems, *wrong, *cross_problems(data, lines, library)]


def _table(
    document: RoutesDocument, more: Sequence[Row], library: PromptLibrary, limits: LimitSettings
) -> RouteTable:
    def made(intent: str, description: str, track: TrackDocument) -> Route:
        bounds = {**limits.model_dump(), **track.limits.model_dump(exclude_none=True)}
        return Route(
            intent=intent,
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

    return RouteTable(
        routes={route.intent: made(route.intent, route.description, route) for route in document.routes},
        fallback=made(FALLBACK, "requests that belong to no other route", document.fallback),
        examples=RoutingExamples(
            {
                route.intent: (*route.examples, *(row.text for row in more if row.intent == route.intent))
                for route in document.routes
            },
            (*document.out_of_scope, *(row.text for row in more if row.intent is None)),
        ),
    )
