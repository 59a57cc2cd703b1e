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
    """A batch of prompts and answers: prompts end, and answers begin, in one column.

    P is the tokens of the longest prompt; shorter ones are padded in front, shorter answers behind.
    """

    ids: Tensor  # (B, P + T)
    attention_mask: Tensor  # (B, P + T) bool, True = a token, False = padding
    answer_mask: Tensor  # (B, T) bool, True = a token of the answer

    @property
    def answers(self) -> Tensor:
        """The answers' token ids, (B, T)."""
        return self.ids[:, -self.answer_mask.shape[1] :]

    @property
    def positions(self) -> Tensor:
        """Each token's place in its own sequence, (B, P + T), from 0; 0 on the padding in front."""
        return (self.attention_mask.long().cumsum(dim=1) - 1).clamp(min=0)


def lay_out(prompts: Sequence[Ids], answers: Sequence[Ids], pad: int, device: torch.device) -> Layout:
    """``prompts`` and ``answers`` (B each) as one batch, padded with the token ``pad``."""
    width, height = max(map(len, prompts)), max(map(len, answers))
    ids = torch.full((len(prompts), width + height), pad)
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        start, end = width - len(prompt), width + len(answer)
        ids[row, start:end] = torch.tensor([*prompt, *answer])
        mask[row, start:end] = True
    return Layout(ids.to(device), mask.to(device), mask[:, width:].to(device))


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
            torch.manual_seed(seed)
            for start in range(0, len(prompts), self.plan.batch_rows):
                rows = prompts[start : start + self.plan.batch_rows]
                layout = lay_out(rows, [()] * len(rows), self.pad, device)
                out = self.model.generate(
                    input_ids=layout.ids,
                    attention_mask=layout.attention_mask.long(),
                    generation_config=self._how(),
                )
                ids += [ended(row, self.stops) for row in out[:, layout.ids.shape[1] :].tolist()]
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
