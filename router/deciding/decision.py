"""What the router says about one conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.deciding.rules import Fired


@dataclass(frozen=True, slots=True)
class Decision:
    """The intent of one conversation, or that it has none.

    Confidences are calibrated probabilities: of the decisions made at 0.9, nine in ten are right. What
    ``top`` leaves to 1 is the probability that the text belongs to no intent.
    """

    intent: str | None  # None where abstained
    confidence: float  # of the best intent, abstained or not; 0 for an empty text
    abstained: bool
    top: tuple[tuple[str, float], ...]  # (intent, confidence), best first, at most five
    threshold: float  # a confidence under it abstains
    nearest: tuple[tuple[str, str | None, float], ...]  # example, its intent (None: none), similarity
    text: str  # what was classified: cleaned, cut, and of an earlier turn where the track was kept
    rule: Fired | None = None  # what decided in place of the model; then the confidence is 1
    parameters: Mapping[str, str] = field(default_factory=dict)  # of the intent, found in the conversation
    resembles: str | None = None  # where abstained: what it is like, see router.model.decoys
    orders: tuple[str, ...] = ()  # sentences to the router: not read, or all that there is and so not trusted
    sentence: str | None = (
        None  # of a long text, where it is surer than the whole; top and nearest are its own
    )
    read_as: Mapping[str, str] = field(default_factory=dict)  # words of the text, see router.text.spelling


def decided_by(rule: Fired, text: str, threshold: float) -> Decision:
    """The decision that ``rule`` makes on ``text``."""
    top = () if rule.intent is None else ((rule.intent, 1.0),)
    return Decision(rule.intent, 1.0, rule.intent is None, top, threshold, (), text, rule)


def nothing_to_decide(threshold: float) -> Decision:
    """The decision on a conversation in which no user says anything."""
    return Decision(None, 0.0, True, (), threshold, (), "")
