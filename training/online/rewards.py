"""What an answer is worth: rules and trained reward models, added up by their weights.

Knows messages and texts alone, never token ids: a reward model has a tokenizer of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pointsman import artefact
from pointsman.artefact import ArtefactError
from training import problems
from training.data.reading import generators
from training.errors import RewardError, SourceError
from training.recipe import ModelReward, RuleReward

Message = dict[str, Any]
Conversation = Sequence[Message]
Columns = Mapping[str, Sequence[Any]]


class RewardModel(Protocol):
    """A trained reward model."""

    def score(self, conversations: Sequence[Conversation]) -> Any:
        """One number for each conversation, the answer its last message: a sequence, or array, of (N,)."""


@dataclass(frozen=True, slots=True)
class Reward:
    """One reward: ``score(prompts, completions, columns)`` gives (N,), NaN where it has nothing to say."""

    name: str
    weight: float
    score: Callable[[Sequence[Conversation], Sequence[str], Columns], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Rewards:
    """All rewards of a run."""

    parts: tuple[Reward, ...]

    def score(
        self, prompts: Sequence[Conversation], completions: Sequence[str], columns: Columns
    ) -> tuple[NDArray[np.float64], dict[str, float]]:
        """The weighted sum for each answer, (N,), and each reward's own mean, unweighted.

        Args:
            prompts: (N,), the messages that were answered.
            completions: (N,), the answers' texts, without the end of turn.
            columns: what the prompts' rows say besides, each (N,).

        Raises:
            RewardError: a reward fails, or does not give N numbers.
        """
        total = np.zeros(len(prompts))
        means: dict[str, float] = {}
        for part in self.parts:
            scores = part.score(prompts, completions, columns)
            said = scores[~np.isnan(scores)]
            if len(said):  # a rule that is silent about all of these has no mean
                means[part.name] = float(said.mean())
            total += part.weight * np.nan_to_num(scores)
        return total, means


def load(plans: Sequence[RuleReward | ModelReward]) -> Rewards:
    """The rewards that a recipe names.

    Raises:
        RewardError: there is no such function or no such model.
    """
    return Rewards(
        tuple(
            rule(plan.label, plan.weight, _function(plan.rule, key))
            if isinstance(plan, RuleReward)
            else model(plan.label, plan.weight, _model(plan.model, key))
            for key, plan in _by_key(plans)
        )
    )


def require(plans: Sequence[RuleReward | ModelReward]) -> None:
    """Refuse what :func:`load` would, without loading a model's weights.

    Raises:
        RewardError: there is no such function, or no whole reward model in such a folder; NotReady: several.
    """
    problems.refuse(
        problems.collected(
            *(
                partial(_function, plan.rule, key)
                if isinstance(plan, RuleReward)
                else partial(_require_model, plan.model, key)
                for key, plan in _by_key(plans)
            )
        )
    )


def rule(name: str, weight: float, function: Callable[..., Sequence[float | None]]) -> Reward:
    """A reward by ``function(prompts, completions, **columns)``, completions of one message each."""

    def score(
        prompts: Sequence[Conversation], completions: Sequence[str], columns: Columns
    ) -> NDArray[np.float64]:
        answers = [[{"role": "assistant", "content": text}] for text in completions]
        try:
            given = function(prompts=[list(p) for p in prompts], completions=answers, **columns)
        except (Exception, SystemExit) as exc:  # the user's own code, which may raise anything
            raise RewardError(
                f"the rule {name} failed: {type(exc).__name__}: {exc}. It is called with prompts, "
                f"completions and the columns {', '.join(columns) or '(none)'}, and needs **columns for "
                "those it ignores"
            ) from exc
        return _numbers(name, [math.nan if one is None else one for one in given], len(prompts))

    return Reward(name, weight, score)


def model(name: str, weight: float, scorer: RewardModel) -> Reward:
    """A reward by a trained model, which reads the whole conversation."""

    def score(
        prompts: Sequence[Conversation], completions: Sequence[str], columns: Columns
    ) -> NDArray[np.float64]:
        whole = [
            [*prompt, {"role": "assistant", "content": text}]
            for prompt, text in zip(prompts, completions, strict=True)
        ]
        scores = _numbers(name, scorer.score(whole), len(prompts))
        if not np.isfinite(scores).all():
            raise RewardError(f"the reward {name} gave {scores[~np.isfinite(scores)][0]}, which is no score")
        return scores

    return Reward(name, weight, score)


def _numbers(name: str, given: Any, wanted: int) -> NDArray[np.float64]:
    try:
        scores = np.array([_number(one) for one in given])
    except (TypeError, ValueError) as exc:
        raise RewardError(f"the reward {name} gave something that is no list of numbers: {exc}") from exc
    if len(scores) != wanted:
        raise RewardError(f"the reward {name} gave {len(scores)} numbers for {wanted} answers")
    if np.isinf(scores).any():
        raise RewardError(f"the reward {name} gave an infinite number; a reward must be finite")
    return scores


def _number(one: Any) -> float:
    if isinstance(one, str | bytes):  # float() would read it
        raise TypeError(f"{one!r} is a text")
    return float(one)


def _by_key(
    plans: Sequence[RuleReward | ModelReward],
) -> Iterator[tuple[str, RuleReward | ModelReward]]:
    """Each with the place in the recipe where its function or folder is named."""
    for number, plan in enumerate(plans):
        yield f"rewards.{number}.{'rule' if isinstance(plan, RuleReward) else 'model'}", plan


def _function(name: str, key: str) -> Callable[..., Sequence[float | None]]:
    try:
        return generators.resolve(name)
    except SourceError as exc:
        raise RewardError(f"{key}: {exc}") from exc


def _model(folder: Path, key: str) -> RewardModel:
    from training.models import reward_model

    return reward_model.RewardModel.load(folder, _called(folder, key))


def _require_model(folder: Path, key: str) -> None:
    from training.models import reward_files

    reward_files.require(folder, _called(folder, key))


def _called(folder: Path, key: str) -> str:
    """What errors call the reward model; raises RewardError where another stage than rm has made it."""
    if folder.is_dir():
        try:
            stage = artefact.read_manifest(folder).stage
        except ArtefactError as exc:
            raise RewardError(f"{key}: {exc}") from exc
        if stage != "rm":
            raise RewardError(
                f"{key}: {folder} is of stage {stage}; a recipe of stage rm makes a reward model"
            )
    return f"{key}: reward model"
