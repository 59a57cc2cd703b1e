"""Answers as token ids: sampled by transformers, and laid out for a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from training.recipe import Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Answers:
    """What was sampled, answer by answer."""

    ids: list[list[int]]  # never empty; with the end of turn, where there is one
    stopped: list[bool]  # True = ended by itself; False = cut at max_new_tokens
    log_probs: list[list[float]] | None = None  # of each token, in nats, as its sampler had it; None: unknown

    def __len__(self) -> int:
        return len(self.ids)

    def texts(self, tokenizer: PreTrainedTokenizerBase) -> list[str]:
        """What was said, without the end of turn and other special tokens."""
        return [
            str(tokenizer.decode(ids[:-1] if stopped else ids, skip_special_tokens=True))
            for ids, stopped in zip(self.ids, self.stopped, strict=True)
        ]


class Sampler(Protocol):
    """Samples one answer to each prompt from the policy as it is now."""

    def sample(self, prompts: Sequence[Ids], seed: int) -> Answers:
        """The answers, in order; the same seed and policy give the same ones where the sampler can."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A batch of prompts, each with its answer right behind it and padding behind that.

    A causal model never looks ahead, so no token sees the padding and the model needs no mask: attention
    takes its fastest kernel, and no row of it is empty, which some kernels turn into NaN.
    L is the tokens of the longest prompt with its answer, T those of the longest answer.
    """

    ids: Tensor  # (B, L)
    places: Tensor  # (B, T), the column of each token of the answer; of padding some column behind it
    answer_mask: Tensor  # (B, T) bool, True = a token of the answer

    @property
    def answers(self) -> Tensor:
        """The answers' token ids, (B, T)."""
        return self.ids.gather(1, self.places)


def lay_out(prompts: Sequence[Ids], answers: Sequence[Ids], pad: int, device: torch.device) -> Layout:
    """``prompts``, each of a token at least, and ``answers`` (B each) as one batch, padded with ``pad``."""
    ids, _ = padded([[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)], pad)
    steps = torch.arange(max(map(len, answers)))
    places = torch.tensor([len(prompt) for prompt in prompts])[:, None] + steps
    mask = steps < torch.tensor([len(answer) for answer in answers])[:, None]
    return Layout(ids.to(device), places.clamp(max=ids.shape[1] - 1).to(device), mask.to(device))


def padded(rows: Sequence[Ids], pad: int, *, in_front: bool = False) -> tuple[Tensor, Tensor]:
    """``rows`` of token ids as one batch, (B, L), padded behind; and its mask, True = a token."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for i, row in enumerate(rows):
        columns = slice(longest - len(row), longest) if in_front else slice(len(row))
        ids[i, columns] = torch.tensor(row)
        mask[i, columns] = True
    return ids, mask


@dataclass(frozen=True, slots=True)
class LocalSampler:
    """transformers' ``generate`` on the policy's own weights."""

    model: Any  # PEFT's, on its device, its adapter on
    plan: Sampling
    stops: tuple[int, ...]
    pad: int

    def sample(self, prompts: Sequence[Ids], seed: int) -> Answers:
        """See :class:`Sampler`. Torch's global random state is left as it was."""
        device = self.model.device
        ids: list[list[int]] = []
        with torch.random.fork_rng(), torch.no_grad():
            for start in range(0, len(prompts), self.plan.batch_rows):
                torch.manual_seed(seed + start)  # so that a batch is sampled alike by whoever does it
                rows = prompts[start : start + self.plan.batch_rows]
                asked, mask = padded(rows, self.pad, in_front=True)  # all answers begin in one column
                out = self.model.generate(
                    input_ids=asked.to(device),
                    attention_mask=mask.long().to(device),
                    generation_config=self._how(),
                )
                ids += [ended(row, self.stops) for row in out[:, asked.shape[1] :].tolist()]
        return Answers(ids, [answer[-1] in self.stops for answer in ids])

    def _how(self) -> Any:
        from transformers import GenerationConfig

        return GenerationConfig(
            do_sample=True,
            temperature=self.plan.temperature,
            top_k=0,  # the whole distribution: what log-probs are of
            top_p=1.0,
            repetition_penalty=1.0,
            max_new_tokens=self.plan.max_new_tokens,
            eos_token_id=list(self.stops),
            pad_token_id=self.pad,
            disable_compile=True,
        )


def ended(ids: list[int], stops: Sequence[int]) -> list[int]:
    """``ids`` up to the first token that stops an answer, that one included."""
    for place, token in enumerate(ids):
        if token in stops:
            return ids[: place + 1]
    return ids


def stop_tokens(model: Any, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The tokens that end an answer where it is served: the tokenizer's and the model's own."""
    own = model.generation_config.eos_token_id
    several = own if isinstance(own, list) else [] if own is None else [own]
    return tuple(sorted({int(tokenizer.eos_token_id), *several}))
