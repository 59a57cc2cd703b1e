"""One step of PPO: from answers and their scores to changed weights.

Knows nothing of prompts' rows, files or checkpoints. All chance in it follows from a seed that the caller
gives for each step, so nothing random is left over from one step to the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from training.errors import LossNotFinite
from training.online.answers import Answers, Ids, Layout
from training.online.policy import Policy, log_probs
from training.ppo import kl, losses, masked
from training.ppo.advantages import gae
from training.ppo.scores import RunningScale
from training.ppo.value import ValueHead
from training.recipe import PpoRecipe
from training.runs import processes

BETAS = (0.9, 0.95)


class Documents(Protocol):
    """Text for the pretraining gradient."""

    def batch(self, seed: int) -> tuple[Tensor, Tensor]:
        """Token ids and loss mask (True = learned), each (B, T) on the policy's device."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A step's N answers and all that is fixed while it learns from them; tensors are padded."""

    prompts: Sequence[Ids]
    answers: Sequence[Ids]
    answer_mask: Tensor  # (N, T) bool, True = a token of the answer
    log_probs: Tensor  # (N, T), of the policy that sampled
    values: Tensor  # (N, T), as expected then
    advantages: Tensor  # (N, T)
    returns: Tensor  # (N, T)

    def rows(self, chosen: Tensor) -> Rollout:
        """The answers numbered ``chosen``, cut to the longest of them."""
        mask = self.answer_mask[chosen]
        longest = int(mask.sum(1).max())
        return Rollout(
            [self.prompts[i] for i in chosen],
            [self.answers[i] for i in chosen],
            *(
                whole[chosen][:, :longest]
                for whole in (self.answer_mask, self.log_probs, self.values, self.advantages, self.returns)
            ),
        )


class Learner:
    """Policy, value head, their optimisers, and what they remember from step to step."""

    def __init__(self, recipe: PpoRecipe, policy: Policy, documents: Documents | None) -> None:
        self.recipe, self.policy, self.documents = recipe, policy, documents
        self.head = ValueHead(policy.hidden_size, recipe.seed).to(policy.device)
        self.trained = {name: p for name, p in policy.model.named_parameters() if p.requires_grad}
        self.policy_optimiser = torch.optim.AdamW(
            self.trained.values(), lr=recipe.train.learning_rate, betas=BETAS, weight_decay=0.0
        )
        self.value_optimiser = torch.optim.AdamW(
            self.head.parameters(), lr=recipe.value.learning_rate, betas=BETAS, weight_decay=0.0
        )
        self.controller = kl.Controller(recipe.kl.coefficient, recipe.kl.target, recipe.kl.rate)
        self.scale = RunningScale()

    def step(
        self, number: int, prompts: Sequence[Ids], answers: Answers, scores: Tensor, seed: int
    ) -> dict[str, float]:
        """Learn from ``answers`` and return the step's metrics.

        Args:
            number: the step, from 1.
            prompts: N prompts' token ids.
            answers: N answers, sampled from the policy as it is.
            scores: (N,), what the answers are worth.
            seed: decides the order of the answers and the documents.

        Raises:
            LossNotFinite: a loss or a gradient is NaN or infinite; the weights are then as they were before
                that change.
        """
        plan = self.recipe.train
        self._set_rates(number)
        rollout, metrics = self._look_back(prompts, answers, scores)
        rng = np.random.default_rng(seed)
        seen: dict[str, list[float]] = defaultdict(list)
        for _ in range(plan.epochs):
            order = torch.from_numpy(rng.permutation(len(answers)))
            for chosen in torch.split(order, plan.minibatch_rows):
                change = self._change(number, rollout, chosen, int(rng.integers(2**31)))
                for name, value in change.items():
                    seen[name].append(value)
        metrics |= {name: float(np.mean(values)) for name, values in seen.items()}
        metrics["kl_coefficient"] = self.controller.coefficient
        self.controller.update(metrics["kl"])
        return metrics

    def _set_rates(self, number: int) -> None:
        plan = self.recipe.train
        left = 1.0 if plan.schedule == "constant" else 1 - (number - 1) / plan.steps
        for optimiser, rate in (
            (self.policy_optimiser, plan.learning_rate),
            (self.value_optimiser, self.recipe.value.learning_rate),
        ):
            for group in optimiser.param_groups:
                group["lr"] = rate * left

    def _look_back(
        self, prompts: Sequence[Ids], answers: Answers, scores: Tensor
    ) -> tuple[Rollout, dict[str, float]]:
        """What the policy, its reference and the value head thought of the answers before any change."""
        plan = self.recipe.train
        longest = max(map(len, answers.ids))
        shape = (len(answers), longest)
        mask = torch.zeros(shape, dtype=torch.bool, device=self.policy.device)
        then, reference, values = (torch.zeros(shape, device=self.policy.device) for _ in range(3))
        mine = processes.part(len(answers))
        for start in range(mine.start, mine.stop, plan.batch_rows):
            rows = slice(start, min(start + plan.batch_rows, mine.stop))
            layout = self.policy.layout(prompts[rows], answers.ids[rows])
            columns = slice(layout.answer_mask.shape[1])
            with torch.no_grad():
                logits, hidden = self.policy.logits(layout)
                then[rows, columns] = log_probs(logits, layout.answers)
                values[rows, columns] = self.head(hidden)
            reference[rows, columns] = self.policy.reference_log_probs(layout)
            mask[rows, columns] = layout.answer_mask
        then, reference, values = then * mask, reference * mask, values * mask
        processes.add_up((then, reference, values, counted := mask.int()))  # a row is 0 where it is another's
        mask = counted.bool()

        worth = scores.to(self.policy.device, torch.float32)
        if plan.normalise_rewards:
            self.scale.update(scores)
            worth = self.scale.normalise(scores).to(self.policy.device)
        penalty = kl.per_token(then, reference, self.recipe.kl.estimator)
        rewards = kl.penalised(worth, penalty, mask, self.controller.coefficient)
        advantages, returns = gae(rewards, values, mask, gamma=plan.gamma, lam=plan.lam)
        explained = masked.explained_variance(values, returns, mask)
        if plan.whiten_advantages:
            advantages = masked.whiten(advantages, mask)
        gone = (kl.per_token(then, reference, "k1") * mask).sum(1).mean()
        metrics = {
            "reward": float(scores.double().mean()),
            "learning_rate": float(self.policy_optimiser.param_groups[0]["lr"]),
            "kl": float(gone),
            "return": float(masked.mean(returns, mask)),
            "explained_variance": float(explained),
            "tokens": float(mask.sum(1).float().mean()),
            "stopped": float(np.mean(answers.stopped)),
        }
        return Rollout(prompts, answers.ids, mask, then, values, advantages, returns), metrics

    def _change(self, number: int, rollout: Rollout, chosen: Tensor, seed: int) -> dict[str, float]:
        """One change of the weights by the answers numbered ``chosen``."""
        learns = number > self.recipe.value.warmup_steps
        tokens = rollout.answer_mask[chosen].sum()
        sums: dict[str, float] = defaultdict(float)
        self.policy_optimiser.zero_grad()
        self.value_optimiser.zero_grad()
        mine = chosen[processes.part(len(chosen))]
        for rows in torch.split(mine, self.recipe.train.batch_rows) if len(mine) else ():
            for name, total in self._backward(rollout.rows(rows), tokens, learns).items():
                sums[name] += total / float(tokens)
        if learns and self.recipe.pretraining and self.documents:
            sums["pretraining_loss"] = self._backward_documents(seed)
        metrics = self._shared(sums)
        changing = [(self.value_optimiser, list(self.head.parameters()), "value_grad_norm")]
        if learns:
            changing.append((self.policy_optimiser, list(self.trained.values()), "grad_norm"))
        for _, parameters, name in changing:
            _add_up_gradients(parameters)
            length = torch.nn.utils.clip_grad_norm_(parameters, self.recipe.train.max_grad_norm)
            metrics[name] = float(length)
        self._refuse_broken(metrics, number)
        for optimiser, _, _ in changing:
            optimiser.step()
        return metrics

    def _backward(self, part: Rollout, tokens: Tensor, learns: bool) -> dict[str, float]:
        """Add the gradients of ``part``, its share of a minibatch of ``tokens``; sums over its tokens."""
        plan, mask = self.recipe.train, part.answer_mask
        layout = self.policy.layout(part.prompts, part.answers)
        with torch.set_grad_enabled(learns):
            logits, hidden = self.policy.logits(layout)
            now = log_probs(logits, layout.answers)
            policy = losses.policy_terms(now, part.log_probs, part.advantages, clip=plan.clip)
            entropy = losses.entropy(logits)
            objective = ((policy - plan.entropy_coefficient * entropy) * mask).sum() / tokens
        values = self.head(hidden)
        value = losses.value_terms(values, part.values, part.returns, clip=self.recipe.value.clip)
        torch.autograd.backward((value * mask).sum() / tokens)
        if learns:
            torch.autograd.backward(objective)
        with torch.no_grad():
            terms = {
                "policy_loss": policy,
                "value_loss": value,
                "entropy": entropy,
                "clip_fraction": losses.is_clipped(now, part.log_probs, clip=plan.clip).float(),
                "step_kl": kl.per_token(part.log_probs, now, "k3"),
            }
            return {name: float((term * mask).sum()) for name, term in terms.items()}

    @staticmethod
    def _shared(sums: Mapping[str, float]) -> dict[str, float]:
        """What all processes have measured together."""
        of_all = processes.gathered(dict(sums))
        names = dict.fromkeys(name for one in of_all for name in one)
        return {name: sum(one.get(name, 0.0) for one in of_all) for name in names}

    def _backward_documents(self, seed: int) -> float:
        """Add the pretraining gradient of this process's documents; their part of the loss (nats a token)."""
        assert self.recipe.pretraining
        assert self.documents
        ids, mask = self.documents.batch(seed)
        learned = mask[:, 1:].sum()
        mine = processes.part(len(ids))
        ids, mask = ids[mine], mask[mine]
        share = mask[:, 1:].sum() / learned
        if not share:
            return 0.0
        behind_the_first = torch.arange(1, ids.shape[1], device=ids.device).expand(len(ids), -1)
        whole = Layout(ids, behind_the_first, mask[:, 1:])
        untempered = replace(self.policy, temperature=1.0)  # text is modelled as it is, not as it is sampled
        said = log_probs(untempered.logits(whole)[0], whole.answers)
        nothing = torch.zeros((), device=ids.device)
        coefficient = self.recipe.pretraining.coefficient
        loss = losses.with_pretraining(nothing, said, mask[:, 1:], coefficient=coefficient)
        torch.autograd.backward(loss * share)
        return float(-masked.mean(said.detach(), mask[:, 1:]) * share)

    def _refuse_broken(self, metrics: dict[str, float], number: int) -> None:
        for name, value in metrics.items():
            if not np.isfinite(value):
                raise LossNotFinite(
                    f"the {name.replace('_', ' ')} is {value} at step {number}; a lower learning_rate (now "
                    f"{self.recipe.train.learning_rate:g}, the value head's "
                    f"{self.recipe.value.learning_rate:g}), more value.warmup_steps, or precision: fp32 "
                    "usually helps"
                )

    def parameters(self) -> Iterator[tuple[str, Any]]:
        """Every trained tensor by name: the adapter's and the head's."""
        yield from ((f"policy.{name}", p) for name, p in self.trained.items())
        yield from ((f"value.{name}", p) for name, p in self.head.named_parameters())


def _add_up_gradients(parameters: Iterable[Tensor]) -> None:
    """Of what each process has learned from its part; a loss is a sum over all parts' tokens already."""
    if processes.count() == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        processes.add_up([parameter.grad])
