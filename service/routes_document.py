"""routes.yaml as it is written: strict models. What they name is looked up in :mod:`service.routes`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from pointsman.artefact import ALIAS_FORM, is_served_alias
from pointsman.document import Document
from router.deciding.rules import Rule, keywords
from router.errors import PatternError
from router.examples import WRONG_COST
from router.text.pattern import checked
from service.sections import Positive, Seconds

FALLBACK = "fallback"  # what the log and the headers call the intent of an abstention
CLIENT_TOOLS = "client_tools"  # and that of one whose request brings tools

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Unit = Annotated[float, Field(ge=0, le=1)]


def _usable(pattern: str) -> str:
    try:
        checked(pattern)
    except PatternError as exc:
        raise ValueError(f"the pattern {exc}") from exc
    return pattern


Pattern = Annotated[str, AfterValidator(_usable)]  # a regular expression that can't be slow; case is ignored
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Keyword = Annotated[Text, Field(max_length=100)]


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
    parameters: dict[str, Pattern] = Field(default_factory=dict)  # of the prompt too, found in what is said
    chain: str = "direct"
    options: dict[str, Any] = Field(default_factory=dict)  # of the chain; paths are seen from this file
    adapter: str | None = None  # an alias; None: the base
    tools: tuple[str, ...] = ()
    sampling: SamplingDocument = SamplingDocument()
    limits: LimitsDocument = LimitsDocument()

    @field_validator("adapter")
    @classmethod
    def _is_alias(cls, adapter: str | None) -> str | None:
        if adapter is not None and not is_served_alias(adapter):
            raise ValueError(f"an adapter is named by its alias, {ALIAS_FORM}")
        return adapter


class RouteDocument(TrackDocument):
    """One intent and how it is answered."""

    intent: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")  # goes into headers
    description: str = ""
    parent: str | None = (
        None  # the intent that takes over where its children together are sure, and none alone
    )
    aside: bool = False  # no track, as small talk is none: what follows it goes on as before, or begins anew
    examples: tuple[Text, ...] = ()  # none: only a rule or a child leads here

    @field_validator("intent")
    @classmethod
    def _not_fallback(cls, intent: str) -> str:
        if intent == FALLBACK:
            raise ValueError(f"{FALLBACK!r} is what an abstention is called")
        if intent == CLIENT_TOOLS:
            raise ValueError(f"{CLIENT_TOOLS!r} is what one is called that has tools of its own")
        return intent


class RuleDocument(Document):
    """What decides before the model: any of ``keywords``, as whole words, or a ``pattern``."""

    name: Name
    intent: str | None  # null: belongs to no route
    keywords: tuple[Keyword, ...] = Field(default=(), max_length=500)
    pattern: Pattern | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.keywords) == (self.pattern is not None):
            raise ValueError("a rule has either keywords or a pattern")
        return self

    def rule(self) -> Rule:
        """The rule as the router takes it."""
        expression = keywords(self.keywords) if self.pattern is None else checked(self.pattern)
        return Rule(self.name, self.intent, expression)


class RoutesDocument(Document):
    """routes.yaml."""

    version: Literal[1]
    fallback: TrackDocument
    client_tools: TrackDocument = TrackDocument()  # in its place, where the client brings tools
    out_of_scope: tuple[Text, ...] = ()
    example_files: tuple[str, ...] = ()  # JSONL beside this file: {"text", "intent"}, null is out of scope
    rules: tuple[RuleDocument, ...] = ()  # the first that matches decides
    switch_cost: Unit = (
        0.02  # confidence that another adapter must be ahead, for 1,000 characters said before
    )
    wrong_cost: Annotated[float, Field(ge=0.1, le=100)] = (
        WRONG_COST  # of a wrong route, where abstaining on a request that has one costs 1
    )
    routes: tuple[RouteDocument, ...] = Field(min_length=2)

    @field_validator("client_tools")
    @classmethod
    def _brings_all(cls, track: TrackDocument) -> TrackDocument:
        if track.tools:
            raise ValueError("has tools of the client's only: leave out tools")
        if track.parameters:
            raise ValueError("belongs to no intent, so no parameters are found: leave out parameters")
        return track
