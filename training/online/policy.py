"""The policy: an adapter on the base, and the reference that it is held to.

The reference is the base with the adapter switched off; where the run goes on from an adapter, it is a
second, frozen copy of that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from training.methods import lora, under
from training.models import base
from training.models.precision import is_policy_bf16
from training.online.answers import Ids, Layout, lay_out, stop_tokens
from training.recipe import OnlineRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TRAINED, REFERENCE = "default", "reference"  # adapter names; the first is PEFT's own


@dataclass(frozen=True, slots=True)
class Policy:
    """A model with its adapter on, and how to look at what it thinks of answers."""

    model: Any  # PEFT's
    stops: tuple[int, ...]  # tokens that end an answer
    pad: int
    temperature: float
    precision: torch.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(self.model.device)

    @property
    def hidden_size(self) -> int:
        """H, the width of a hidden state."""
        return int(self.model.config.get_text_config().hidden_size)

    @property
    def vocabulary(self) -> int:
        """V, the number of token ids."""
        return int(self.model.config.get_text_config().vocab_size)

    def layout(self, prompts: Sequence[Ids], answers: Sequence[Ids]) -> Layout:
        """The batch, on the policy's device."""
        return lay_out(prompts, answers, self.pad, self.device)

    def logits(self, layout: Layout) -> tuple[Tensor, Tensor]:
        """What answers' tokens were drawn from, (B, T, V), and the last hidden states there, (B, T, H).

        Both float32; the logits are divided by the sampling temperature. The gradient flows where it is on.
        """
        before = layout.places[..., None] - 1  # a token is drawn from the state before it

        def those_before(_: Any, states: tuple[Tensor]) -> Tensor:
            return states[0].take_along_dim(before, dim=1)

        # Of all other states no logits are computed: with a large vocabulary they would fill the memory.
        chosen = self.model.get_output_embeddings().register_forward_pre_hook(those_before)
        autocast = torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)
        with autocast, chosen:
            out = self.model(input_ids=layout.ids, output_hidden_states=True, use_cache=False)
        hidden = out.hidden_states[-1].take_along_dim(before, dim=1)
        return out.logits.float() / self.temperature, hidden.float()

    def reference_log_probs(self, layout: Layout) -> Tensor:
        """(B, T) in nats, without gradient; of padding something of no meaning."""
        with torch.no_grad(), self._reference():
            return log_probs(self.logits(layout)[0], layout.answers)

    @contextmanager
    def _reference(self) -> Iterator[None]:
        if REFERENCE not in self.model.peft_config:
            with self.model.disable_adapter():
                yield
            return
        self.model.set_adapter(REFERENCE, inference_mode=True)
        try:
            yield
        finally:
            self.model.set_adapter(TRAINED)


def log_probs(logits: Tensor, tokens: Tensor) -> Tensor:
    """``log softmax(logits)`` of each token, in nats: (B, T, V) and (B, T) → (B, T)."""
    return torch.log_softmax(logits, dim=-1).gather(2, tokens[..., None]).squeeze(2)


def load(
    recipe: OnlineRecipe, tokenizer: PreTrainedTokenizerBase, precision: Literal["auto", "bf16", "fp32"]
) -> Policy:
    """The policy as training begins, without dropout, on the machine's GPU where it has one.

    Raises:
        BaseError: the base can't be loaded.
        AdapterError: the adapter to go on from is none of it.
    """
    plain = base.load_model(recipe.base)
    stops = stop_tokens(plain, tokenizer)
    if recipe.init_adapter is None:
        model: Any = lora.add(plain, recipe.lora, recipe.seed)
    else:
        model = lora.resume(plain, recipe.init_adapter, recipe.lora)
        model.load_adapter(str(recipe.init_adapter), adapter_name=REFERENCE, is_trainable=False)
    gpu = torch.cuda.is_available()
    bf16 = is_policy_bf16(precision)
    model = under.hold(model, bf16=bf16).to("cuda" if gpu else "cpu").eval()
    return Policy(
        model,
        stops,
        int(tokenizer.pad_token_id),
        recipe.sampling.temperature,
        torch.bfloat16 if bf16 else torch.float32,
    )
