"""Which track a conversation is on: the decision on the last turn, or on an earlier one that it follows.

A turn leaves the track when it clearly means something by itself, and by enough to pay for the switch; it
keeps the track when it only answers or leans on what was said. Thanks are an aside: answered as what they
are, they leave the track where it was. What only states something ("the plates are smashed", asked what is
wrong) leaves if it is as clear beside the turn before it. Pure functions over turns and the decisions on
their texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from router.conversation import Turn, asks, is_acknowledgement, is_bare_id, is_elliptic, is_thanks
from router.decision import Decision
from router.policy import NO_POLICY, Policy

LEAVE = 0.7  # confidence at which even an elliptic turn or thanks leave the track
OVERRULE = 0.8  # confidence, alone and beside the turn before, at which even an answer leaves it
FAINT = 0.5  # of the threshold: a turn that reaches this may be decided together with the one before


def stands_alone(turn: Turn, alone: Decision) -> bool:
    """Whether the decision on ``turn`` holds whatever was said before it."""
    if is_acknowledgement(turn.text) or is_bare_id(turn.text):
        return False
    if alone.rule is not None:
        return True
    if alone.abstained:
        return False
    return not _leans(turn) or (alone.confidence >= LEAVE and not _only_answers(turn))


def joined(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Every text whose decision :func:`follow` may ask for beside those of the turns."""
    return tuple(join(before, turn) for before, turn in pairwise(turns))


def follow(turns: Sequence[Turn], decisions: Mapping[str, Decision], policy: Policy = NO_POLICY) -> Decision:
    """The decision on a conversation of one turn or more, from the decisions on its texts."""
    track = decisions[turns[0].text]
    for before, turn in pairwise(turns):
        alone = decisions[turn.text]
        after = _step(track, turn, alone, decisions[join(before, turn)])
        if after is not alone or alone.abstained or not policy.stays(track, turn, alone):
            track = after
    last, alone = turns[-1], decisions[turns[-1].text]
    return alone if _is_aside(last, alone) and not policy.stays(track, last, alone) else track


def join(before: Turn, turn: Turn) -> str:
    """Two turns as one text."""
    return f"{before.text}\n{turn.text}"


def _step(track: Decision, turn: Turn, alone: Decision, joint: Decision) -> Decision:
    if stands_alone(turn, alone):
        return alone
    if alone.rule is not None and track.abstained:
        return alone
    says_little = is_acknowledgement(turn.text) or is_bare_id(turn.text)
    leans = _leans(turn) or says_little
    if leans and not track.abstained:
        sure = not says_little and min(alone.confidence, joint.confidence) >= OVERRULE
        return alone if sure and joint.intent == alone.intent else track
    if not alone.abstained and not is_acknowledgement(turn.text):
        return alone
    faint = leans or (
        alone.confidence >= FAINT * alone.threshold and not _asks_for_another(turn, alone, joint)
    )
    return joint if faint and not joint.abstained else alone


def _is_aside(turn: Turn, alone: Decision) -> bool:
    """Whether ``turn`` thanks without having been asked, and something here is meant to answer that."""
    return is_thanks(turn.text) and not turn.answers and not alone.abstained and alone.confidence >= LEAVE


def _leans(turn: Turn) -> bool:
    """Whether ``turn`` need not be a request of its own."""
    return turn.answers or is_elliptic(turn.text)


def _only_answers(turn: Turn) -> bool:
    return turn.answers and not asks(turn.text)


def _asks_for_another(turn: Turn, alone: Decision, joint: Decision) -> bool:
    """Whether ``turn`` asks for something that the turn before it drowns."""
    return asks(turn.text) and bool(alone.top) and alone.top[0][0] != joint.intent
