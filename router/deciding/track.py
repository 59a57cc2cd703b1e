"""Which track a conversation is on: the decision on the last turn, or on an earlier one that it follows.

A turn leaves the track when it clearly means something by itself, and by enough to pay for the switch; it
keeps the track when it only answers or leans on what was said. What only states something ("the plates are
smashed", asked what is wrong; "5 mugs, not 4") leaves if it is as clear beside the turn before it, or very
sure, and stays if it means nothing alone but names again what was named. Asides are no track: thanks, and
what the policy calls one, are answered as what they are and leave the track where it was, and after nothing
but asides a turn is decided as a first one. Pure functions over turns and the decisions on their texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from router.deciding.decision import Decision
from router.deciding.policy import NO_POLICY, Policy
from router.text.conversation import (
    Turn,
    asks,
    is_acknowledgement,
    is_bare_id,
    is_elliptic,
    is_thanks,
    points_back,
    words_in,
)

LEAVE = 0.7  # confidence at which even an elliptic turn or thanks leave the track,
ASIDE = 0.85  # an elliptic aside, which many a follow-up looks like,
SURE = 0.97  # and a few words that ask for nothing
FITS = 0.9  # confidence beside the turn before, at which a few words that mean nothing alone stay
OVERRULE = 0.8  # confidence, alone and beside the turn before, at which even an answer leaves it
FAINT = 0.5  # of the threshold: a turn that reaches this may be decided together with the one before
BRIEF = 4  # words: what has no more and means nothing alone may be about what was said
FEW = 5  # words: a statement or an aside of no more may be a correction or a remark on it


def stands_alone(turn: Turn, alone: Decision, policy: Policy = NO_POLICY) -> bool:
    """Whether the decision on ``turn`` holds whatever was said before it."""
    if _says_little(turn):
        return False
    if alone.rule is not None:
        return True
    if alone.abstained or alone.confidence < _enough(turn, alone, policy):
        return False
    return not _only_answers(turn)


def joined(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Every text whose decision :func:`follow` may ask for beside those of the turns."""
    return tuple(join(before, turn) for before, turn in _beside(turns))


def follow(turns: Sequence[Turn], decisions: Mapping[str, Decision], policy: Policy = NO_POLICY) -> Decision:
    """The decision on a conversation of one turn or more, from the decisions on its texts."""
    track = found = decisions[turns[0].whole]
    for before, turn in _beside(turns):
        alone = decisions[turn.whole]
        found = _step(track, turn, alone, decisions[join(before, turn)], policy)
        if _is_thanks(turn, alone, policy):
            found = alone
        if found is alone and not alone.abstained and policy.stays(track, turn, alone):
            found = track
        if not (found is alone and _goes_back(track, turn, alone, policy)):
            track = found
    return found


def join(before: Turn, turn: Turn) -> str:
    """Two turns as one text."""
    return f"{before.text}\n{turn.text}"


def _beside(turns: Sequence[Turn]) -> Iterator[tuple[Turn, Turn]]:
    """Each turn but the first, behind the last one before it that says something of its own."""
    before = turns[0]
    for turn in turns[1:]:
        yield before, turn
        if not (_says_little(turn) or points_back(turn.text)):
            before = turn


def _step(track: Decision, turn: Turn, alone: Decision, joint: Decision, policy: Policy) -> Decision:
    if stands_alone(turn, alone, policy) or (alone.rule is not None and track.abstained):
        return alone
    if track.intent in policy.asides:
        return track if alone.abstained and _follows_an_aside(turn) else alone
    if track.abstained:
        return _together(turn, alone, joint)
    return _on_track(track, turn, alone, joint, policy)


def _on_track(track: Decision, turn: Turn, alone: Decision, joint: Decision, policy: Policy) -> Decision:
    if _says_little(turn):
        return track
    agrees = not alone.abstained and joint.intent == alone.intent
    if _leans(turn):
        known = turn.answers or turn.echoes or points_back(turn.text)
        if alone.abstained and joint.abstained and not known:
            return alone  # a short question about nothing that is known
        return alone if agrees and min(alone.confidence, joint.confidence) >= OVERRULE else track
    if alone.abstained:
        stays = words_in(turn.text) <= BRIEF and joint.confidence >= FITS
        stays = stays or (turn.echoes and not asks(turn.text))
    else:
        stays = not agrees and alone.confidence < _enough(turn, alone, policy)
    return track if stays else _together(turn, alone, joint)


def _together(turn: Turn, alone: Decision, joint: Decision) -> Decision:
    """The decision on ``turn``; if that is none and it may mean something, the one on two turns as one."""
    if not alone.abstained and not is_acknowledgement(turn.text):
        return alone
    faint = (
        _leans(turn)
        or _says_little(turn)
        or (alone.confidence >= FAINT * alone.threshold and not _asks_for_another(turn, alone, joint))
    )
    return joint if faint and not joint.abstained else alone


def _goes_back(track: Decision, turn: Turn, alone: Decision, policy: Policy) -> bool:
    """Whether what follows ``turn`` goes on with ``track`` again."""
    if track.abstained or track.intent in policy.asides:
        return False
    return alone.intent in policy.asides or _is_thanks(turn, alone, policy)


def _is_thanks(turn: Turn, alone: Decision, policy: Policy) -> bool:
    """Whether ``turn`` thanks without having been asked, and something here is meant to answer that."""
    meant = alone.intent in policy.asides or alone.confidence >= LEAVE
    return meant and is_thanks(turn.text) and not turn.answers and not alone.abstained


def _enough(turn: Turn, alone: Decision, policy: Policy) -> float:
    """The confidence at which ``turn``, decided ``alone``, is no mere remark on what was said."""
    few = words_in(turn.text) <= FEW
    if alone.intent in policy.asides:
        return ASIDE if _leans(turn) or turn.echoes else LEAVE if few else 0.0
    if few and not asks(turn.text):
        return SURE
    return LEAVE if _leans(turn) else 0.0


def _follows_an_aside(turn: Turn) -> bool:
    return _says_little(turn) or (words_in(turn.text) <= BRIEF and points_back(turn.text))


def _says_little(turn: Turn) -> bool:
    return is_acknowledgement(turn.text) or is_bare_id(turn.text)


def _leans(turn: Turn) -> bool:
    """Whether ``turn`` need not be a request of its own."""
    return turn.answers or is_elliptic(turn.text)


def _only_answers(turn: Turn) -> bool:
    return turn.answers and not asks(turn.text)


def _asks_for_another(turn: Turn, alone: Decision, joint: Decision) -> bool:
    """Whether ``turn`` asks for something that the turn before it drowns."""
    return asks(turn.text) and bool(alone.top) and alone.top[0][0] != joint.intent
