"""What the recipes of ppo and grpo share: prompts, rewards, and how answers are sampled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from pointsman.document import Document
from training.recipe.parts import (
    COLUMNS,
    Columns,
    GeneratorSource,
    Lora,
    Seed,
    Tracker,
    Weight,
    kind_of_source,
    refuse_twice,
)
from training.recipe.values import Function, LocalPath, Name
from training.recipe.words import Worded

HOTTEST = 2.0  # the highest temperature that vLLM takes
Share = Annotated[float, Field(ge=-1e6, le=1e6)]


class PromptFile(Document):
    """Prompts from a file."""

    path: LocalPath = Field(description="a .jsonl file (one row a line), or a .json file (a list)")
    format: Literal["prompt", "messages", "alpaca", "sharegpt", "bfcl"] = Field(
        description="prompt: rows of `prompt` (a text or messages) and columns for the rewards; bfcl: "
        "questions with tools as the Berkeley Function-Calling Leaderboard has them. In the others the last "
        "answer is cut off, and rewards see it as the column `answer`"
    )
    weight: Weight = Field(default=1.0, description="times that each row is seen in a pass")
    columns: Columns = Field(default_factory=dict, description=COLUMNS)

    @property
    def label(self) -> str:
        """The source's name in reports and in the manifest."""
        return str(self.path)

    @property
    def reads(self) -> tuple[object, ...]:
        """What its prompts come from, alike for all that read the same."""
        return self.path.resolve(), self.columns


PromptSource = Annotated[
    Annotated[PromptFile, Tag("a file")] | Annotated[GeneratorSource, Tag("a generator")],
    Discriminator(kind_of_source),
]


class Prompts(Document):
    """What is asked."""

    sources: list[PromptSource] = Field(min_length=1, description="mixed by their weights")
    validation_rows: int = Field(
        default=64, ge=1, description="prompts kept out of training; the reward before and after is theirs"
    )
    max_tokens: int = Field(
        default=512,
        ge=1,
        description="longer prompts are dropped, and counted; left out, fewer where the "
        "base has no positions for so many and an answer",
    )


class RuleReward(Document):
    """A reward by a function ``(prompts, completions, **columns) -> one number each``, as TRL's are.

    A prompt is its messages, a completion one assistant's message in a list; a column holds what the prompts'
    rows say beside the prompt. ``None`` in place of a number: the rule has nothing to say.
    """

    rule: Function = Field(description="import string, package.module:function")
    weight: Share = Field(default=1.0, description="its share in the sum of rewards")

    @property
    def label(self) -> str:
        """The reward's name in metrics."""
        return self.rule.rpartition(":")[2]


class ModelReward(Document):
    """A reward by a model that stage ``rm`` has trained, with its own tokenizer."""

    model: Path = Field(description="artefact folder of a run of stage rm")
    weight: Share = Field(default=1.0, description="its share in the sum of rewards")

    @property
    def label(self) -> str:
        """The reward's name in metrics."""
        return "model"


def _kind_of_reward(given: Any) -> str:
    """Which kind is meant, so that what is wrong is said of that one alone."""
    model = "model" in given if isinstance(given, dict) else isinstance(given, ModelReward)
    return "a model" if model else "a rule"


Reward = Annotated[
    Annotated[RuleReward, Tag("a rule")] | Annotated[ModelReward, Tag("a model")],
    Discriminator(_kind_of_reward),
]


class Server(Document):
    """A vLLM server that samples the answers, started with the recipe's base, LoRA and run-time loading on.

    It must see the run's folder under the same path, as it loads the adapter from there.
    """

    url: str = Field(pattern=r"^https?://", description="such as http://127.0.0.1:8001, without /v1")
    key: str | None = Field(
        default=None, description="the environment variable that holds its key; left out: none is sent"
    )
    timeout: float = Field(
        default=600.0, gt=0, description="seconds to wait for an answer, each of five times"
    )


class Sampling(Document):
    """How answers come about. There is no top_p: PPO's ratios are of the distribution that is sampled."""

    max_new_tokens: int = Field(default=256, gt=0, description="an answer that has not ended by then is cut")
    temperature: float = Field(
        default=1.0, gt=0, description="logits are divided by it, in all log-probs too"
    )
    unstopped_penalty: float = Field(
        default=1.0,
        ge=0,
        description="taken from the reward of an answer that was cut; it learns as any other",
    )
    batch_rows: int = Field(default=32, gt=0, description="answers that are sampled at once")


class OnlineRecipe(Worded):
    """A policy learns from rewards of its own answers; the result is an adapter."""

    name: Name = Field(description="the run's folder is runs/<name>")
    alias: Name = Field(description="the adapter's name where it is served")
    base: str = Field(description="folder or hub id of the base")
    init_adapter: Path | None = Field(
        default=None, description="artefact folder of an adapter to go on from; it is then the reference"
    )
    seed: Seed = Field(default=0, description="decides the prompts' order and the answers")
    lora: Lora = Lora()
    data: Prompts
    rewards: list[Reward] = Field(min_length=1, description="added up by their weights")
    sampling: Sampling = Sampling()
    server: Server | None = Field(
        default=None, description="vLLM to sample with; left out, transformers does"
    )
    trackers: list[Tracker] = Field(
        default_factory=list,
        description="where else the metrics are shown; beside metrics.jsonl and curves.png",
    )

    @model_validator(mode="after")
    def _no_prompts_twice(self) -> Self:
        refuse_twice(self.data.sources)
        return self

    @model_validator(mode="after")
    def _no_dropout(self) -> Self:
        if self.lora.dropout:
            raise ValueError(
                "lora.dropout: must be 0 here, as the policy is compared with itself, and dropout would be "
                "taken for change"
            )
        return self

    @model_validator(mode="after")
    def _server_takes_the_temperature(self) -> Self:
        if self.server and self.sampling.temperature > HOTTEST:
            raise ValueError(
                f"sampling.temperature: {self.sampling.temperature:g} is more than a vLLM server takes, "
                f"{HOTTEST:g} at most; lower it, or leave out server"
            )
        return self

    @model_validator(mode="after")
    def _something_is_rewarded(self) -> Self:
        if not any(reward.weight for reward in self.rewards):
            raise ValueError(
                "rewards: all weights are 0, so nothing would be learned; give one another weight"
            )
        return self

    @model_validator(mode="after")
    def _rewards_have_names(self) -> Self:
        names = [reward.label for reward in self.rewards]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rewards: two are called {', '.join(twice)}; metrics tell them by name")
        return self
