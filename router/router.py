"""Conversations → decisions: the one entry into this room.

``Router.fit(examples, encoder)`` takes seconds; ``decide`` milliseconds, nearly all of them in the encoder. A
router never changes once made, so a service swaps whole routers (see :mod:`router.batching`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from router import threads
from router.deciding import track
from router.deciding.decision import Decision, decided_by, nothing_to_decide
from router.deciding.policy import NO_POLICY, Policy
from router.encoding.encoder import TextEncoder
from router.encoding.memory import RememberingEncoder
from router.errors import ArtefactError, ArtefactMismatch
from router.examples import DECOY, RoutingExamples
from router.learning.fitting import Tell, fit
from router.learning.report import FitReport
from router.learning.storage import read_fitted, write_fitted
from router.model.decoys import ORDER
from router.model.fitted import FittedModel, among
from router.text.conversation import Turn, user_turns
from router.text.orders import kinds
from router.text.spelling import Corrector

TOP = 5  # intents that a decision lists
MOST_ORDERED = 0.5  # of the threshold: all intents together, where a text is nothing but orders to the router


class Router:
    """A fitted model and its encoder. Immutable; any thread may ask it.

    Where one is made, BLAS keeps to one thread (:mod:`router.threads`).
    """

    def __init__(
        self,
        model: FittedModel,
        report: FitReport,
        encoder: TextEncoder,
        fingerprint: str,
        policy: Policy = NO_POLICY,
    ) -> None:
        threads.keep_to_one()
        self.model = model
        self.report = report
        self.encoder = encoder
        self.fingerprint = fingerprint
        self.policy = policy

    def under(self, policy: Policy) -> Router:
        """The same model under another ``policy``."""
        return Router(self.model, self.report, self.encoder, self.fingerprint, policy)

    def encoded_by(self, encoder: TextEncoder) -> Router:
        """The same router with another ``encoder`` that gives the same vectors."""
        return Router(self.model, self.report, encoder, self.fingerprint, self.policy)

    @classmethod
    def fit(
        cls,
        examples: RoutingExamples,
        encoder: TextEncoder,
        folder: Path | None = None,
        tell: Tell = lambda _: None,
        validation: RoutingExamples | None = None,
    ) -> Router:
        """Learn the routes from examples. ``router.report`` says how well, with warnings.

        In ``folder``, where one is given, the examples' vectors are kept for the next fit. ``tell`` gets each
        step as it begins. What is chosen and calibrated is so on ``validation``, which is not learned from;
        without it by cross-fitting.

        Raises:
            EncoderError: the encoder fails.
            ExamplesError: ``validation`` has an intent that ``examples`` have not.
        """
        remembering = encoder if folder is None else RememberingEncoder(encoder, folder)
        model, report = fit(examples, remembering, tell, validation)
        return cls(model, report, encoder, fingerprint(examples, encoder, validation))

    @classmethod
    def load(cls, folder: Path | str, encoder: TextEncoder) -> Router:
        """Read a router that :meth:`save` wrote.

        Raises:
            ArtefactUnreadable: there is none, or it is damaged.
            ArtefactMismatch: it was fitted with another encoder.
        """
        model, report, identity, made = read_fitted(Path(folder))
        if identity != encoder.identity:
            raise ArtefactMismatch(
                f"{folder}: fitted with the encoder {identity[:12]}, found "
                f"{encoder.identity[:12]}; fit it again"
            )
        return cls(model, report, encoder, made)

    @classmethod
    def fit_or_load(
        cls,
        examples: RoutingExamples,
        encoder: TextEncoder,
        folder: Path | str,
        tell: Tell = lambda _: None,
    ) -> Router:
        """The router saved in ``folder`` if it is of these examples, encoder and code, else a new one."""
        try:
            router = cls.load(folder, encoder)
        except ArtefactError:
            router = None
        if router is None or router.fingerprint != fingerprint(examples, encoder):
            router = cls.fit(examples, encoder, Path(folder), tell)
            router.save(folder)
        return router

    def save(self, folder: Path | str) -> None:
        """Write ``router.safetensors`` and ``router.json`` into ``folder``, each at once or not at all."""
        write_fitted(Path(folder), self.model, self.report, self.encoder.identity, self.fingerprint)

    def decide(self, messages: Sequence[Mapping[str, Any]]) -> Decision:
        """The decision on one conversation, OpenAI's messages."""
        return self.decide_many([messages])[0]

    def decide_many(self, conversations: Iterable[Sequence[Mapping[str, Any]]]) -> list[Decision]:
        """One decision each, encoded together; turns before the last are read only on need."""
        windows = [user_turns(messages, self.model.own_orders) for messages in conversations]
        decisions = self._classify([turns[-1] for turns in windows if turns])
        followed = [turns for turns in windows if self._follows(turns, decisions)]
        earlier = [turn for turns in followed for turn in turns if turn.whole not in decisions]
        joined = [text for turns in followed for text in track.joined(turns)]
        decisions |= self._classify(earlier, joined)
        return [
            self._with_parameters(track.follow(turns, decisions, self.policy), turns)
            if self._follows(turns, decisions)
            else self._with_parameters(decisions[turns[-1].whole], turns)
            if turns
            else nothing_to_decide(self.model.calibration.threshold)
            for turns in windows
        ]

    def _with_parameters(self, decision: Decision, turns: tuple[Turn, ...]) -> Decision:
        values = self.policy.values(decision.intent, turns)
        return replace(decision, parameters=values) if values else decision

    def _follows(self, turns: tuple[Turn, ...], decisions: Mapping[str, Decision]) -> bool:
        """Whether earlier turns have a say: cheap to tell for the many conversations in which they don't."""
        if len(turns) < 2:
            return False
        last, alone = turns[-1], decisions[turns[-1].whole]
        return not last.ordered and not (
            track.stands_alone(last, alone, self.policy) and self.policy.pays(last, alone)
        )

    def _classify(self, turns: Sequence[Turn], joined: Sequence[str] = ()) -> dict[str, Decision]:
        """Decisions on ``turns``, by all that each says; and on texts that were ``joined``, without rules."""
        threshold = self.model.calibration.threshold
        unique = {turn.whole: turn for turn in turns}
        decisions = {
            whole: decided_by(rule, turn.text, threshold)
            for whole, turn in unique.items()
            if (rule := self.policy.by_rule(whole)) is not None
        }
        unique = {whole: turn for whole, turn in unique.items() if whole not in decisions}
        unique |= {text: Turn(text, answers=False) for text in joined if text not in unique}
        if not unique:
            return decisions
        read = [(turn.text, *self.model.likeliest(turn.text, turn.sentences)) for turn in unique.values()]
        texts, read_as = zip(*(self._corrected(text) for each in read for text in each), strict=True)
        confidences, near = self.model.confidences(*self.model.transform(texts, self.encoder))
        start = 0
        for (whole, turn), each in zip(unique.items(), read, strict=True):
            parts = confidences[start + 1 : start + len(each)]
            chances = [confidences[start], *(among(part, len(turn.sentences)) for part in parts)]
            best = int(np.argmax([chance.max() for chance in chances]))
            sentence = each[best] if best else None
            decision = self._decision(turn, sentence, chances[best], near.best(start + best))
            decisions[whole] = (
                replace(decision, read_as=read_as[start + best]) if read_as[start + best] else decision
            )
            start += len(each)
        return decisions

    def _corrected(self, text: str) -> tuple[str, dict[str, str]]:
        """``text`` as it is encoded, and its words that were read as others.

        As it was written where it would have orders to the router else, which are looked for before this.
        """
        corrected, changes = self._corrector.correct(text)
        if changes and kinds([corrected]) - self.model.own_orders:
            return text, {}
        return corrected, changes

    @cached_property
    def _corrector(self) -> Corrector:
        model = self.model
        return Corrector(compress(model.texts, model.labels != DECOY), self.encoder.words)

    def _decision(
        self, turn: Turn, sentence: str | None, confidences: Any, nearest: list[tuple[int, float]]
    ) -> Decision:
        model = self.model
        if turn.ordered:
            most = MOST_ORDERED * model.calibration.threshold
            confidences = confidences * min(1.0, most / max(confidences.sum(), most))
        best = np.argsort(-confidences, kind="stable")[:TOP]
        top = tuple(zip((model.intents[k] for k in best), confidences[best].tolist(), strict=True))
        intent: str | None = top[0][0]
        confidence = top[0][1]
        if confidence < model.calibration.threshold:
            chances = (
                dict(zip(model.intents, confidences.tolist(), strict=True)) if self.policy.parents else {}
            )
            common = self.policy.common_parent(chances, model.calibration.threshold)
            intent, confidence = common or (None, confidence)
        resembles = ORDER if turn.ordered else model.resembles(nearest)
        return Decision(
            intent=intent,
            confidence=confidence,
            abstained=intent is None,
            top=top,
            threshold=model.calibration.threshold,
            nearest=tuple((model.texts[n], self._intent_of(n), similar) for n, similar in nearest),
            text=turn.text,
            sentence=sentence,
            resembles=resembles if intent is None else None,
            orders=turn.orders,
        )

    def _intent_of(self, example: int) -> str | None:
        label = int(self.model.labels[example])
        return None if label < 0 else self.model.intents[label]


def fingerprint(
    examples: RoutingExamples, encoder: TextEncoder, validation: RoutingExamples | None = None
) -> str:
    """SHA-256 over the encoder, the examples and this room's code: equal ones decide alike."""
    given = [each.digest for each in (examples, validation) if each is not None]
    digest = hashlib.sha256(" ".join((encoder.identity, *given)).encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
