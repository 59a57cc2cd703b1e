"""What tuning an encoder will need, before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from training import problems
from training.recipe import RouterRecipe
from training.routing import rows, stage
from training.routing.batches import steps_of
from training.routing.learner import Learner

_STATES = 5  # numbers of 4 bytes that a weight which learns has: itself, of before, its gradient, AdamW's two


@dataclass(frozen=True, slots=True)
class Size:
    """An encoder and its run; activations come on top, and are small for short texts."""

    said: str  # how many weights learn
    rows: str  # how many there are, and how many of them were there twice
    weights: int  # that every text goes through: embeddings are looked up
    learning: int
    tokens: int  # of all steps
    steps: int

    def __str__(self) -> str:
        megabytes = 4 * (self.weights + (_STATES - 1) * self.learning) / 1e6
        return f"{self.said}; about {megabytes:,.0f} MB of memory in float32, without the libraries'"

    @property
    def operations(self) -> float:
        """Floating-point operations: forward through all, back to inputs and weights of what learns."""
        return float(self.tokens) * (2 * self.weights + 4 * self.learning)


def of(recipe: RouterRecipe) -> Size:
    """Read the encoder and all rows.

    Raises:
        TrainingError: one of them can't be used; NotReady: neither can.
    """
    intents, of_rows = problems.tried(rows.read, recipe)
    model, of_model = problems.tried(stage.load, recipe)
    problems.refuse([*of_rows, *of_model])
    assert intents is not None
    assert model is not None
    learner = Learner(recipe, model, len(intents.names))
    plan, limit = recipe.train, recipe.data.max_tokens
    texts = [row.text for row in intents.train]
    lengths = [min(limit, len(ids)) for ids in model.tokenizer(texts, verbose=False)["input_ids"]]
    steps = plan.steps or steps_of(len(texts), plan.batch_rows, plan.epochs)
    looked_up = {id(m.weight) for m in model.modules() if type(m).__name__ == "Embedding"}
    return Size(
        said=learner.said,
        rows=stage.said(intents),
        weights=sum(p.numel() for p in model.parameters() if id(p) not in looked_up),
        learning=sum(p.numel() for p in learner.weights.values()),
        tokens=round(steps * plan.batch_rows * sum(lengths) / len(lengths)),
        steps=steps,
    )
