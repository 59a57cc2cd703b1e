"""What a fit says of itself: cross-fitted recall, abstentions, and warnings about the examples."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from router.examples import OUT_OF_SCOPE, RoutingExamples
from router.model.classifier import Floats, Labels
from router.text.conversation import says_nothing

FEW = 5  # examples; an intent with fewer is warned about
CONFUSED = 0.25  # share of an intent's examples going to one other, from which the two are not told apart
_QUOTE = 60  # characters of an example in a warning
SHOWN = 20  # warnings of one kind that are spelled out

_DIGITS = re.compile(r"\d+")
_PUNCTUATION = re.compile(r"[\s.,;:!?'\"…、。]+")


@dataclass(frozen=True, slots=True)
class FitWarning:
    """One thing about the examples that will hurt in service."""

    kind: Literal[
        "few", "never_fires", "contradiction", "not_told_apart", "no_out_of_scope", "rule", "unread"
    ]
    intents: tuple[str, ...]  # the first is the one whose examples it is about
    message: str


@dataclass(frozen=True)
class FitReport:
    """Counted on the examples, each by a model and a threshold that never saw it. Rates are 0 to 1."""

    examples: int  # in scope
    intents: int
    out_of_scope: int
    recall: float  # of the examples in scope; an abstention is a miss, as in evaluation.Report
    abstained_inside: float
    abstained_outside: float | None  # None without examples out of scope
    recall_by_intent: dict[str, float]  # of those that had an example held out
    threshold: float
    warnings: tuple[FitWarning, ...]

    def __str__(self) -> str:
        outside = (
            "none given" if self.abstained_outside is None else f"{self.abstained_outside:.1%} abstained"
        )
        lines = [
            f"{self.examples} examples of {self.intents} intents, cross-fitted: "
            f"{self.recall:.1%} right, {self.abstained_inside:.1%} abstained; "
            f"{self.out_of_scope} out of scope: {outside}; threshold {self.threshold:.2f}"
        ]
        return "\n".join(lines + [f"warning: {message}" for message in messages(self.warnings)])


def messages(warnings: Iterable[FitWarning]) -> tuple[str, ...]:
    """What ``warnings`` say, at most ``SHOWN`` of each kind and how many more there are.

    Of two intents it is said once that they are not told apart.
    """
    kinds: dict[str, list[str]] = defaultdict(list)
    pairs: set[frozenset[str]] = set()
    for warning in warnings:
        if warning.kind == "not_told_apart":
            if frozenset(warning.intents) in pairs:
                continue
            pairs.add(frozenset(warning.intents))
        kinds[warning.kind].append(warning.message)
    found: list[str] = []
    for kind, said in kinds.items():
        more = len(said) - SHOWN
        found += said[:SHOWN] + ([f"{more} more of this kind ({kind})"] if more > 0 else [])
    return tuple(found)


def quoted(text: str) -> str:
    """An example as warnings quote it."""
    return repr(text if len(text) <= _QUOTE else f"{text[:_QUOTE].rstrip()} …")


def make_report(
    examples: RoutingExamples,
    labels: Labels,
    confidences: Floats,
    routed: NDArray[np.bool_],
    *,
    threshold: float,
) -> FitReport:
    """The report from ``M`` examples held out: their ``labels`` ``(M,)``, cross-fitted ``confidences``
    ``(M, K)`` and whether each is ``routed`` ``(M,)``.
    """
    inside = labels != OUT_OF_SCOPE
    chosen = confidences.argmax(axis=1)
    right = routed & (chosen == labels)
    held = set(np.unique(labels).tolist())
    by_intent = {name: float(right[labels == k].mean()) for k, name in enumerate(examples.names) if k in held}
    warnings = [
        *_few(examples),
        *_unread(examples),
        *_contradictions(examples),
        *_never_fires(examples, by_intent),
        *_not_told_apart(examples, labels, chosen),
    ]
    return FitReport(
        intents=len(examples.names),
        examples=sum(map(len, examples.intents.values())),
        out_of_scope=len(examples.out_of_scope),
        recall=float(right[inside].mean()),
        abstained_inside=float((~routed[inside]).mean()),
        abstained_outside=float((~routed[~inside]).mean()) if (~inside).any() else None,
        recall_by_intent=by_intent,
        threshold=threshold,
        warnings=tuple(warnings),
    )


def _few(examples: RoutingExamples) -> list[FitWarning]:
    found = [
        FitWarning("few", (name,), f"intent {name!r} has {_examples(len(texts))}; give {FEW} or more")
        for name, texts in examples.intents.items()
        if len(texts) < FEW
    ]
    if len(examples.out_of_scope) < FEW:
        message = (
            f"{_examples(len(examples.out_of_scope))} in out_of_scope; without {FEW} or more that resemble "
            "what users ask in vain, the router guesses where to abstain"
        )
        found.append(FitWarning("no_out_of_scope", (), message))
    return found


def _unread(examples: RoutingExamples) -> list[FitWarning]:
    """Of examples that no request can be like, since such a request is not decided on."""
    found = []
    for name, texts in examples.intents.items():
        unread = [text for text in texts if says_nothing(text)]
        if unread:
            never = f"intent {name!r} never fires: " if len(unread) == len(texts) else ""
            message = (
                f"{never}{len(unread)} of {_examples(len(texts))} of {name!r} have no letter and no digit, "
                f"such as {quoted(unread[0])}; such requests are not decided on, so give words"
            )
            found.append(FitWarning("unread", (name,), message))
    return found


def _contradictions(examples: RoutingExamples) -> list[FitWarning]:
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for name, texts in (*examples.intents.items(), ("out_of_scope", examples.out_of_scope)):
        for text in texts:
            places[_reading(text)].setdefault(name, text)
    return [
        FitWarning("contradiction", tuple(names), _contradiction(names))
        for names in places.values()
        if len(names) > 1
    ]


def _contradiction(examples: dict[str, str]) -> str:
    """``examples`` that read alike, by their intents."""
    if len(set(examples.values())) == 1:
        return f"{quoted(next(iter(examples.values())))} is an example of {' and of '.join(examples)}"
    return " and ".join(f"{quoted(text)} is an example of {name}" for name, text in examples.items())


def _examples(count: int) -> str:
    return f"{count} example" if count == 1 else f"{count} examples"


def _reading(text: str) -> str:
    """The same for texts that differ in nothing but case, punctuation and the digits of a number."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _PUNCTUATION.sub(" ", _DIGITS.sub("0", folded)).strip() or text


def _never_fires(examples: RoutingExamples, by_intent: dict[str, float]) -> list[FitWarning]:
    """Of intents with one example that can't be known."""
    return [
        FitWarning(
            "never_fires",
            (name,),
            f"intent {name!r} never fires: none of its own examples is routed to it when held out",
        )
        for name, recall in by_intent.items()
        if recall == 0 and len(examples.intents[name]) > 1
    ]


def _not_told_apart(examples: RoutingExamples, labels: Labels, chosen: Labels) -> list[FitWarning]:
    found = []
    for k, name in enumerate(examples.names):
        held = int((labels == k).sum())
        picks = np.bincount(chosen[labels == k], minlength=len(examples.names))
        picks[k] = 0
        other = int(picks.argmax())
        if picks[other] >= CONFUSED * max(1, held) and len(examples.intents[name]) > 1:
            message = f"{picks[other]} of {held} examples of {name!r} look like {examples.names[other]!r}"
            found.append(FitWarning("not_told_apart", (name, examples.names[other]), message))
    return found
