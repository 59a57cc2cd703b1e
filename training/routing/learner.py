"""An encoder and a direction for every intent: texts turn towards their intent's direction, and from others.

The logits are ``scale`` times the cosines between a text's vector and the intents' directions (normalised
softmax, arXiv:1704.06369), with smoothed labels (arXiv:1512.00567, section 7). Beside that, an intent's texts
turn towards each other (:mod:`training.routing.losses`), which helps most where there are few. What comes out
is the geometry that the router's classifier and its nearest examples work in; the directions are dropped.

Embeddings stay, and lower layers if the recipe says so. Some of each text's tokens are hidden, and the result
lies between the old weights and the learned ones, so that less is forgotten.

Knows nothing of files. All chance follows from the recipe's seed and the step's number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from training.errors import BaseError, LossNotFinite
from training.recipe import RouterRecipe
from training.routing.losses import contrast

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 64  # texts at once where nothing is learned


class Learner:
    """``B`` texts, ``K`` intents, ``H`` columns of a vector. A text's class is the place of its intent."""

    def __init__(self, recipe: RouterRecipe, model: SentenceTransformer, intents: int) -> None:
        self.recipe, self.model = recipe, model
        layers = _layers(model, recipe.base)
        model.requires_grad_(False)
        for layer in layers[int(len(layers) * recipe.frozen) :]:
            layer.requires_grad_(True)
        tokenizer = model.tokenizer
        self._special = torch.tensor(tokenizer.all_special_ids, device=model.device)
        known = (tokenizer.mask_token_id, tokenizer.unk_token_id)
        hidden = next((token for token in known if token is not None), None)
        if recipe.masked and hidden is None:
            raise BaseError(f"the encoder {recipe.base!r} has no token that can hide others; set masked to 0")
        self._hidden = 0 if hidden is None else int(hidden)
        self.weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._before = {name: p.detach().clone() for name, p in self.weights.items()}
        with torch.no_grad():
            width = self._vectors(["a"]).shape[-1]
        self.directions = torch.nn.Parameter(torch.zeros(intents, width, device=model.device))  # (K, H)
        plan = recipe.train
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(self.weights.values()), "weight_decay": plan.weight_decay, "faster": 1.0},
                {"params": [self.directions], "weight_decay": 0.0, "faster": plan.head_rate},
            ],
            lr=plan.learning_rate,
        )

    @property
    def said(self) -> str:
        """How many weights learn, in words."""
        learning = sum(p.numel() for p in self.weights.values())
        return f"{learning:,} of {sum(p.numel() for p in self.model.parameters()):,} weights learn"

    def begin(self, texts: Sequence[str], classes: Sequence[int]) -> None:
        """Take the intents' mean vectors for directions, of length 1."""
        own = torch.tensor(classes, device=self.model.device)
        with torch.no_grad():
            sums = torch.zeros_like(self.directions).index_add_(0, own, self._encoded(texts))
            self.directions.copy_(normalize(sums, dim=-1))

    def step(self, number: int, steps: int, texts: Sequence[str], classes: Sequence[int]) -> dict[str, float]:
        """Take step ``number``, from 1, of ``steps`` on ``B`` texts.

        Raises:
            LossNotFinite: the loss or its gradient is none.
        """
        plan = self.recipe.train
        rate = plan.learning_rate * _pace((number - 0.5) / steps, plan.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["faster"]
        torch.manual_seed(int(np.random.SeedSequence((self.recipe.seed, number)).generate_state(1)[0]))
        self.model.train()
        vectors, own = self._vectors(texts), torch.tensor(classes, device=self.model.device)
        loss = self._loss(self._logits(vectors), own) + self.recipe.contrast * contrast(vectors, own)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        length = torch.nn.utils.clip_grad_norm_(list(self.weights.values()), plan.max_grad_norm)
        line = {"loss": float(loss.detach()), "grad_norm": float(length), "learning_rate": rate}
        for name, value in line.items():
            if not math.isfinite(value):
                raise LossNotFinite(
                    f"the {name.replace('_', ' ')} is {value} at step {number}; a lower "
                    f"train.learning_rate (now {plan.learning_rate:g}) or a longer warmup usually helps"
                )
        self.optimiser.step()
        return line

    def step_back(self) -> None:
        """Go the recipe's share of the way back to the weights of before; after the last step, once.

        What lies between an old model and a tuned one does better on texts like neither's, and as well on the
        tuned one's (arXiv:2109.01903).
        """
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.lerp_(self._before[name], self.recipe.kept)

    def evaluate(self, texts: Sequence[str], classes: Sequence[int]) -> dict[str, float]:
        """Loss by the directions alone, and the share of texts nearest to their own intent's direction."""
        with torch.no_grad():
            logits = self._logits(self._encoded(texts))
            own = torch.tensor(classes, device=logits.device)
            loss = float(self._loss(logits, own))
        right = logits.argmax(dim=-1) == own
        return {"eval_loss": loss, "eval_accuracy": float(right.float().mean())}

    def _vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """``(B, H)`` of length 1."""
        features: dict[str, Any] = self.model.preprocess(list(texts))
        features = {
            name: value.to(self.model.device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        if self.model.training and self.recipe.masked:
            features["input_ids"] = self._masked(features["input_ids"])
        return normalize(self.model(features)["sentence_embedding"], dim=-1)

    def _masked(self, ids: torch.Tensor) -> torch.Tensor:
        """``ids`` ``(B, T)`` with as many hidden as the recipe says, special ones never."""
        hidden = torch.rand(ids.shape, device=ids.device) < self.recipe.masked
        return ids.masked_fill(hidden & ~torch.isin(ids, self._special), self._hidden)

    def _encoded(self, texts: Sequence[str]) -> torch.Tensor:
        """``(N, H)`` of any number of texts, without dropout."""
        self.model.eval()
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        parts = [
            self._vectors([texts[place] for place in order[start : start + _BATCH]])
            for start in range(0, len(texts), _BATCH)
        ]
        return torch.cat(parts)[torch.tensor(np.argsort(order), device=self.model.device)]

    def _logits(self, vectors: torch.Tensor) -> torch.Tensor:
        """``(B, K)``."""
        return self.recipe.scale * vectors @ normalize(self.directions, dim=-1).T

    def _loss(self, logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        return cross_entropy(logits, own, label_smoothing=self.recipe.smoothing)


def _pace(done: float, warmup: float) -> float:
    """Share of the learning rate when ``done`` of the steps are taken: it rises, then falls to zero."""
    return done / warmup if done < warmup else (1 - done) / (1 - warmup)


def _layers(model: torch.nn.Module, name: str) -> torch.nn.ModuleList:
    """The transformer's layers.

    Raises:
        BaseError: there are none.
    """
    lists: Iterator[torch.nn.ModuleList] = (m for m in model.modules() if isinstance(m, torch.nn.ModuleList))
    layers = max(lists, key=len, default=torch.nn.ModuleList())
    if not len(layers):
        raise BaseError(f"the encoder {name!r} has no layers that could learn; take a transformer")
    return layers
