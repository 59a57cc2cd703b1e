"""A recipe: everything that decides what a training run gives, as one strict YAML document.

Paths in it are seen from the folder that the command runs in, as a base's may as well be a hub id.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, StringConstraints, model_validator

from pointsman import artefact, document
from pointsman.document import Document, DocumentError, Problem

Name = Annotated[str, StringConstraints(pattern=f"^{artefact.ALIAS.pattern}$")]


class FileSource(Document):
    """Rows from a file."""

    path: Path = Field(description="a .jsonl file (one row a line), a .json file (a list), or a .txt file")
    format: Literal["text", "messages", "alpaca", "sharegpt"] = Field(description="the form of its rows")
    weight: float = Field(
        default=1.0, gt=0, description="times that each row is seen in an epoch; 0.5 takes every second row"
    )

    @property
    def label(self) -> str:
        """The source's name in reports and in the manifest."""
        return str(self.path)


class GeneratorSource(Document):
    """Rows that a function writes, called as ``function(rows=..., seed=..., **arguments)``."""

    generator: str = Field(pattern=r"^[\w.]+:\w+$", description="import string, package.module:function")
    rows: int = Field(gt=0, description="rows to take from it")
    arguments: dict[str, Any] = Field(default_factory=dict, description="more arguments of the function")
    weight: float = Field(default=1.0, gt=0, description="as for a file")

    @property
    def label(self) -> str:
        """The source's name in reports and in the manifest."""
        given = ", ".join(f"{key}={value}" for key, value in self.arguments.items())
        return f"{self.generator}({given})"


Source = FileSource | GeneratorSource


class Data(Document):
    """What is learned from, and how it is cut."""

    sources: list[Source] = Field(
        min_length=1, description="mixed by their weights; replay is one more source"
    )
    validation_rows: int = Field(default=200, ge=1, description="rows kept out of training and evaluated on")
    max_tokens: int = Field(default=1024, ge=16, description="longest training sequence, in tokens")


class Optimisation(Document):
    """How the weights are changed. A step is one change of the weights."""

    epochs: float = Field(default=1.0, gt=0, description="passes over the data")
    steps: int | None = Field(default=None, gt=0, description="steps to take, in place of epochs")
    batch_rows: int = Field(default=16, gt=0, description="sequences that go through the model at once")
    accumulate: int = Field(default=1, gt=0, description="batches added up before a step")
    learning_rate: float = Field(gt=0, description="the highest, after warm-up")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="how the learning rate falls after warm-up, to zero at the last step"
    )
    warmup: float = Field(default=0.03, ge=0, lt=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW's")
    max_grad_norm: float = Field(default=1.0, gt=0, description="longer gradients are cut to this length")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto", description="arithmetic; auto is bf16 on a GPU and fp32 on a CPU. Weights stay fp32"
    )
    compile: bool = Field(default=False, description="torch.compile: slower to start, faster on a GPU")
    log_every: int = Field(default=10, gt=0, description="steps between two lines of metrics")
    evaluate_every: int | None = Field(default=None, gt=0, description="steps; the end is always evaluated")
    save_every: int = Field(default=200, gt=0, description="steps between two checkpoints")


class Architecture(Document):
    """A Llama to be made from nothing."""

    hidden_size: int = Field(gt=0, description="width of the residual stream")
    layers: int = Field(gt=0, description="transformer blocks")
    heads: int = Field(gt=0, description="attention heads; each has hidden_size / heads dimensions")
    kv_heads: int = Field(gt=0, description="key-value heads; fewer than heads is grouped-query attention")
    intermediate_size: int = Field(gt=0, description="width of the feed-forward layer")
    context: int = Field(gt=0, description="longest input, in tokens")
    rope_theta: float = Field(default=10_000.0, gt=0, description="base of the rotary frequencies")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.hidden_size % self.heads or self.hidden_size // self.heads % 2:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) over heads ({self.heads}) must be a whole, even number"
            )
        if self.heads % self.kv_heads:
            raise ValueError(f"heads ({self.heads}) must be a multiple of kv_heads ({self.kv_heads})")
        return self


class TokenizerPlan(Document):
    """A tokenizer to be trained from the recipe's own data."""

    vocab_size: int = Field(ge=300, description="tokens in all; 256 of them are the bytes")
    sample_rows: int = Field(default=20_000, gt=0, description="rows that the merges are learned from")
    chat_template: Path = Field(description="the Jinja file that goes with it")


class Lora(Document):
    """The low-rank update that an adapter is."""

    rank: int = Field(
        default=8, gt=0, description="inner width of the update; vLLM serves 8, 16, 32, 64, ..."
    )
    alpha: int = Field(default=16, gt=0, description="the update is scaled by alpha / rank; usually 2 × rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="share of the update's input left out")


class _Recipe(Document):
    name: Name = Field(description="the run's folder is runs/<name>")
    seed: int = Field(default=0, ge=0, description="decides the data, their order and the first weights")
    data: Data
    train: Optimisation


class CptRecipe(_Recipe):
    """Continued pre-training: every token of the text is learned, and the result is a base."""

    stage: Literal["cpt"]
    base: str | None = Field(default=None, description="folder or hub id to go on from")
    model: Architecture | None = Field(default=None, description="the base to make, where there is none")
    tokenizer: TokenizerPlan | None = Field(default=None, description="needed with model")

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if (self.base is None) == (self.model is None):
            raise ValueError("give either base (to go on from one) or model (to make one)")
        if (self.model is None) != (self.tokenizer is None):
            raise ValueError("model and tokenizer go together: a base from nothing needs both")
        return self


class SftRecipe(_Recipe):
    """Supervised fine-tuning: what the assistant says is learned, and the result is an adapter."""

    stage: Literal["sft"]
    alias: Name = Field(description="the adapter's name where it is served")
    base: str = Field(description="folder or hub id of the base")
    init_adapter: Path | None = Field(default=None, description="artefact folder of an adapter to go on from")
    lora: Lora = Lora()


Recipe = CptRecipe | SftRecipe
STAGES: dict[str, type[CptRecipe] | type[SftRecipe]] = {"cpt": CptRecipe, "sft": SftRecipe}


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in ``path``, with ``overrides`` such as ``train.steps=20`` or ``data.sources.0.rows=500``.

    Raises:
        DocumentError: with every problem of the file, or, where the file is right, of the overrides.
    """
    text = document.read(path)
    model = STAGES.get(_stage(text))
    if model is None:
        # An unreadable document says so itself; one without a stage gets that as its one problem.
        raw = _mapping(text, path)
        found = f", found {raw['stage']!r}" if "stage" in raw else ""
        raise DocumentError(path, [Problem(None, "stage", f"must be one of {', '.join(STAGES)}{found}")])
    recipe: Recipe = document.parse(model, text, path)
    if not overrides:
        return recipe
    raw = _mapping(text, path)
    problems = [problem for given in overrides if (problem := _override(raw, given))]
    if problems:
        raise DocumentError(path, problems)
    try:
        return document.parse(model, yaml.safe_dump(raw, allow_unicode=True), path)
    except DocumentError as exc:
        changed = [Problem(None, p.field, f"{p.message} (with {' '.join(overrides)})") for p in exc.problems]
        raise DocumentError(path, changed) from exc


def _stage(text: str) -> str:
    try:
        raw = document.plain(text)
    except DocumentError:
        return ""
    return str(raw.get("stage")) if isinstance(raw, dict) else ""


def _mapping(text: str, path: Path) -> dict[str, Any]:
    raw = document.plain(text, path)
    if not isinstance(raw, dict):
        raise DocumentError(path, [Problem(1, "", "a recipe is a mapping; start with `stage: sft`")])
    return raw


def _override(raw: dict[str, Any], given: str) -> Problem | None:
    """Set one ``dotted.key=value`` in ``raw``; what is wrong with it, if anything."""
    key, separator, value = given.partition("=")
    parts = key.split(".")
    if not separator or not all(parts):
        return Problem(None, "", f"--set {given}: must be key=value, such as train.steps=20")
    try:
        chosen = document.plain(value)
    except DocumentError as exc:
        return Problem(None, "", f"--set {given}: the value is {exc.problems[0].message}")
    node: Any = raw
    for part in parts[:-1]:
        if isinstance(node, dict):
            node = node.setdefault(part, {})
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return _no_such(given, part, node)
    if isinstance(node, dict):
        node[parts[-1]] = chosen
    elif isinstance(node, list) and parts[-1].isdigit() and int(parts[-1]) < len(node):
        node[int(parts[-1])] = chosen
    else:
        return _no_such(given, parts[-1], node)
    return None


def _no_such(given: str, part: str, node: Any) -> Problem:
    known = [str(i) for i in range(len(node))] if isinstance(node, list) else []
    close = get_close_matches(part, known, n=1) or known
    return Problem(
        None, "", f"--set {given}: nothing at {part!r}" + (f"; there is {', '.join(close)}" if close else "")
    )
