"""A sentence-transformers model that gives two vectors of a text as one: its own and an inner layer's.

The last layer of an encoder that was trained for similarity has forgotten words that tell neighbouring
intents apart; a layer at two thirds of its depth still knows them, and costs nothing more to compute. With
both, half a point more of CLINC150's validation split is right (docs/log.md).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEPTH = 2 / 3  # of the layers, after which the inner vector is taken
SHARE = 0.5  # of the inner vector in a similarity
_FEWEST = 3  # layers, of which one is worth being looked into

# Vectors of an inner layer all point nearly the same way, and only their differences tell texts apart. What
# they have in common is the mean of these texts, which are about nothing in particular.
ORDINARY = (
    "Where can I find it?",
    "Please tell me how this works.",
    "I don't know what to do about the letter I got yesterday.",
    "thanks a lot",
    "Could you send me the details by e-mail before Friday?",
    "no, the other one",
    "What's the weather going to be like in the mountains this weekend",
    "My neighbour's dog barks all night and nobody does anything about it.",
    "3 of them cost 12.50, so how much is one?",
    "Write a short poem about the sea.",
    "i need help with my computer, it doesnt start",
    "Is there a train after ten in the evening?",
    "Set it back to the way it was.",
    "The meeting has been moved to room 204.",
    "who wrote this book",
    "Cancel my order, I changed my mind!",
    "She said that the results were better than anyone had expected.",
    "how many people live in this town",
    "Turn the music down a little",
    "Translate the following sentence, and explain every word of it.",
    "Why was I charged twice?",
    "We are looking for a place to eat near the station, nothing expensive.",
    "def add(a, b): return a + b",
    "hello there",
    "A company's profit fell by 4% in the third quarter of 2019.",
    "Which of the two would you buy if you were me?",
    "my password is not accepted any more",
    "Remind me to water the plants tomorrow morning",
    "请问这个怎么用？",
    "我昨天买的东西还没有收到。",
    "今天天气怎么样",
    "谢谢你的帮助",
)


class Inner(torch.nn.Module):
    """The last module of a model: puts the mean of ``layer``'s tokens beside the sentence vector."""

    centre: torch.Tensor  # (H,), of ORDINARY once they were seen

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(1), persistent=False)  # its last bits are the machine's
        self._tokens: torch.Tensor | None = None  # (B, T, H), what the layer gave last
        layer.register_forward_hook(self._keep)

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """``sentence_embedding`` ``(B, H)`` → both side by side, of length 1."""
        assert self._tokens is not None
        tokens, self._tokens = self._tokens, None
        mask = features["attention_mask"].unsqueeze(-1).to(tokens.dtype)  # (B, T, 1)
        mean = normalize((tokens * mask).sum(1) / mask.sum(1).clamp_min(1), dim=-1)
        inner = normalize(mean - self.centre, dim=-1)
        own = normalize(features["sentence_embedding"], dim=-1)
        both = [own * (1 - SHARE) ** 0.5, inner * SHARE**0.5]
        features["sentence_embedding"] = torch.cat(both, dim=-1)
        return features

    def extra_repr(self) -> str:
        """What the vectors depend on beside the weights, for the encoder's identity."""
        seen = hashlib.sha256("\n".join(ORDINARY).encode()).hexdigest()[:16]
        return f"depth={DEPTH:.3f}, share={SHARE}, ordinary={seen}"

    def _keep(self, layer: torch.nn.Module, given: Any, output: Any) -> None:
        self._tokens = output if isinstance(output, torch.Tensor) else output[0]


def deepened(model: SentenceTransformer) -> SentenceTransformer:
    """``model`` with an :class:`Inner` at its end; itself where it has one or no layers to look into."""
    from sentence_transformers import SentenceTransformer

    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    layers = max(lists, key=len, default=torch.nn.ModuleList())
    if len(layers) < _FEWEST or isinstance(model[-1], Inner):
        return model
    own = model.encode(ORDINARY[0]).shape[-1]
    inner = Inner(layers[round(len(layers) * DEPTH) - 1])
    whole = SentenceTransformer(
        modules=[*model, inner],
        device="cpu",
        prompts=model.prompts,
        default_prompt_name=model.default_prompt_name,
    ).eval()
    vectors = torch.from_numpy(whole.encode(list(ORDINARY), show_progress_bar=False))
    inner.centre = normalize(vectors[:, own:], dim=-1).mean(dim=0)
    return whole
