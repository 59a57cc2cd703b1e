"""One contender of the training bench, in a process of its own so that its peak of memory is its own.

Every contender trains the same LoRA on the same rows of a recipe's one file for as many steps, in the same
precision, by sft or by dpo:

- ``ours``: the recipe as `pointsman train` trains it, from the rows to the last step.
- ``plain``: TRL's trainer as its documentation shows it, given the messages; its own order, its padding.
- ``alike``: the same trainer given our rows in our order, so that both see the same batches. SFTTrainer takes
  our tokens; DPOTrainer takes texts alone, so it is given those that our tokens say.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from training import recipe as recipes
from training.data.tokens import batches
from training.data.tokens.token_pairs import PairRows
from training.data.tokens.token_rows import TokenRows
from training.dpo import learning as dpo_learning
from training.dpo import stage as dpo_stage
from training.models.base import load_model, load_tokenizer
from training.recipe import DpoRecipe, SftRecipe
from training.run import quieten
from training.runs import folder as runfolder
from training.runs import progress
from training.sft import learning as sft_learning
from training.sft import stage as sft_stage
from training.trainers import loop
from training.trainers.supervised import Given, Learning, Stage

WARM_UP = 2  # steps that are not timed
PARTS: dict[str, tuple[Stage, Learning]] = {
    "sft": (sft_stage, sft_learning),
    "dpo": (dpo_stage, dpo_learning),
}
CONTENDERS = ("ours", "plain", "alike")


@dataclass
class Leg:
    """What one contender has done; time and tokens are of the steps behind the warm-up."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    tokens: int = 0  # of rows
    laid: int = 0  # padding included
    peak_mb: float = 0.0  # of the whole process
    losses: list[float] = field(default_factory=list)  # of every step


class Probe(TrainerCallback):  # type: ignore[misc]
    """Times the steps, and counts the tokens that the model is given."""

    def __init__(self, model: Any, pad: int) -> None:
        self.leg, self._pad, self._counts = Leg(), pad, False
        self._began = (0.0, 0.0)
        model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, model: Any, _: Any, given: dict[str, Any]) -> None:
        if self._counts and model.training:
            ids = given["input_ids"]
            self.leg.laid += ids.numel()
            self.leg.tokens += int((ids != self._pad).sum())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin behind the warm-up; what lies between two steps, such as collating, is counted."""
        now = time.perf_counter(), time.process_time()
        if state.global_step == WARM_UP:
            self._began, self._counts = now, True
        elif self._counts:
            self.leg.seconds, self.leg.cpu_seconds = now[0] - self._began[0], now[1] - self._began[1]
        self._counts = self._counts and state.global_step < state.max_steps

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Keep the loss of a step."""
        if logs and "loss" in logs:
            self.leg.losses.append(float(logs["loss"]))


def ours(recipe: SftRecipe | DpoRecipe, folder: Path) -> Leg:
    """What ``pointsman train`` does, with a probe."""
    stage, learning = PARTS[recipe.stage]
    tokenizer = load_tokenizer(recipe.base)
    with runfolder.opened(recipe, folder) as run:
        prepared = learning.prepare(recipe, recipe.base, _silent)
        model = stage.model(recipe, tokenizer)
        probe = Probe(model, int(tokenizer.pad_token_id))
        watcher = progress.RunProgress(run, prepared.train.tokens, _silent)
        training = learning.trainer(recipe, Given(model, tokenizer, prepared, run, [watcher, probe], _silent))
        loop.train(training, None)
        watcher.close()
    return probe.leg


def theirs(recipe: SftRecipe | DpoRecipe, folder: Path, *, alike: bool) -> Leg:
    """TRL's own trainer, called directly."""
    from datasets import Dataset
    from transformers import set_seed

    from deploy.bench import plain_trl

    tokenizer = load_tokenizer(recipe.base)
    if alike:
        given = _ours_in_order(recipe, tokenizer)
    else:
        path = Path(str(recipe.data.sources[0].label))
        given = Dataset.from_list([json.loads(line) for line in path.read_text("utf-8").splitlines()])
    set_seed(recipe.seed)
    made = plain_trl.build(recipe, load_model(recipe.base), tokenizer, given, folder, sequential=alike)
    probe = Probe(made.model, int(tokenizer.pad_token_id))
    made.add_callback(probe)
    made.train()
    return probe.leg


def _ours_in_order(recipe: SftRecipe | DpoRecipe, tokenizer: Any) -> Any:
    """Our rows as TRL reads them, in the order of our first pass."""
    from datasets import Dataset

    rows: TokenRows | PairRows = PARTS[recipe.stage][1].prepare(recipe, recipe.base, _silent).train
    lengths = (
        rows.lengths
        if isinstance(rows, TokenRows)
        else np.maximum(rows.chosen.lengths, rows.rejected.lengths)
    )
    order = list(batches.LengthSampler(lengths, recipe.train.batch_rows, recipe.seed))
    if isinstance(rows, TokenRows):
        return batches.dataset(rows).select(order)
    pairs = rows.take(np.array(order))
    return Dataset.from_dict(
        {
            "prompt": _texts(tokenizer, pairs.chosen, learned=False),
            "chosen": _texts(tokenizer, pairs.chosen, learned=True),
            "rejected": _texts(tokenizer, pairs.rejected, learned=True),
        }
    )


def _texts(tokenizer: Any, rows: TokenRows, *, learned: bool) -> list[str]:
    """What each row says in its tokens that are learned, or in the others."""
    spans = zip(rows.starts, rows.starts + rows.lengths, strict=True)
    return [
        tokenizer.decode(rows.ids[start:end][rows.loss_mask[start:end] == learned]) for start, end in spans
    ]


def run(contender: str, recipe_path: Path, out: Path) -> None:
    """Run one contender in this process, and write what it has done as JSON to ``out``."""
    quieten()
    recipe = recipes.load(recipe_path)
    assert isinstance(recipe, SftRecipe | DpoRecipe)
    with tempfile.TemporaryDirectory() as folder:
        if contender == "ours":
            leg = ours(recipe, Path(folder))
        else:
            leg = theirs(recipe, Path(folder), alike=contender == "alike")
    leg.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.write_text(json.dumps(asdict(leg)), encoding="utf-8")


def _silent(_: str) -> None:
    """Say nothing."""
