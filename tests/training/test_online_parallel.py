"""Two processes learn from their own answers: each samples a part, and both end with the same weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training import asking, side_by_side
from tests.training.asking import QUESTIONS, Online
from tests.training.disturbed import assert_same
from tests.training.rows import write_rows
from tests.training.test_run import metrics, quiet
from training import run
from training.grpo import trl
from training.online import parted
from training.online.answers import Answers, Ids
from training.online.server import ServerSampler
from training.ppo import learner
from training.recipe import Sampling, Server
from training.runs import processes

NOTES = "NOTES"  # environment: the folder where each process notes what its answers were to


def noted(
    prompts: Sequence[asking.Messages], completions: Sequence[asking.Messages], **_: object
) -> list[float]:
    """Four times the share of vowels, and a note of each prompt, a file a process."""
    with (Path(os.environ[NOTES]) / str(processes.rank())).open("a", encoding="utf-8") as file:
        file.writelines(f"{messages[-1]['content']}\n" for messages in prompts)
    return asking.vowels(prompts, completions)


NOTED = {"rewards": [{"rule": "tests.training.test_online_parallel:noted"}]}


def _train_and_go_on(stage: str, recipe: Path, runs: Path) -> None:
    """The run as it is, and another that is broken off in its fourth step and gone on with."""
    kind, method = {"ppo": (learner.Learner, "step"), "grpo": (trl.Grpo, "training_step")}[stage]
    step = getattr(kind, method)
    taken = 0
    learning: Any = None

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal taken, learning
        taken, learning = taken + 1, self
        if taken == stop:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    setattr(kind, method, watched)
    stop = 0
    run.train(recipe, runs=runs / "whole", report=quiet)
    model = learning.policy.model if stage == "ppo" else learning.model
    weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    torch.save(weights, runs / f"weights-{processes.rank()}")
    os.environ[NOTES] = str(runs / "no-matter")
    taken, stop = 0, 4
    with pytest.raises(KeyboardInterrupt):
        run.train(recipe, runs=runs / "disturbed", report=quiet)
    stop = 0
    run.train(recipe, runs=runs / "disturbed", report=quiet)


def _side_by_side(stage: str, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train ``path`` alone, and by two; the artefact of the one alone, the rest lies in ``folder``."""
    for name in ("alone", "shared", "no-matter"):
        (folder / name).mkdir()
    monkeypatch.setenv(NOTES, str(folder / "alone"))
    alone = run.train(path, runs=folder / "runs", report=quiet)
    side_by_side.both(
        folder / "meeting", _train_and_go_on, stage, path, folder, told={NOTES: str(folder / "shared")}
    )
    mine, theirs = (torch.load(folder / f"weights-{rank}") for rank in (0, 1))
    assert any(weight.any() for name, weight in mine.items() if "lora_B" in name)
    assert all(torch.equal(weight, theirs[name]) for name, weight in mine.items())
    assert_same(folder / "disturbed" / "tiny" / "artefact", folder / "whole" / "tiny" / "artefact")
    return alone


def _notes(folder: Path) -> list[list[str]]:
    return [file.read_text(encoding="utf-8").splitlines() for file in sorted(folder.iterdir())]


def test_two_processes_share_the_groups(
    online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan: dict[str, Any] = {"train.steps": 6, "train.save_every": 2, "train.evaluate_every": 4}
    path = online("grpo", QUESTIONS[:13], **plan, **NOTED)  # 7 to learn from, 2 a step: two epochs
    alone = _side_by_side("grpo", path, tmp_path, monkeypatch)
    for one, other in zip(metrics(alone.parent), metrics(tmp_path / "whole" / "tiny"), strict=True):
        assert one.keys() == other.keys()
    [whole] = _notes(tmp_path / "alone")
    parts = _notes(tmp_path / "shared")
    measured = 3 * 6  # held-out prompts, by each process
    assert [len(part) for part in parts] == [measured + (len(whole) - measured) // 2] * 2
    assert set(parts[0]) | set(parts[1]) == set(whole)


def _script(model: Any, prompt: Sequence[int], number: int) -> list[int]:
    """The ``number``-th answer to ``prompt``, whichever process is asked."""
    rng = np.random.default_rng([number, *prompt])
    return [int(token) for token in rng.integers(10, model.config.vocab_size, 6)]


def _train_by_script(recipes: list[Path], runs: Path) -> None:
    def scripted(self: Any, prompt_ids: list[list[int]], *_: Any, **__: Any) -> Any:
        number = [prompt_ids[:i].count(prompt) for i, prompt in enumerate(prompt_ids)]
        answers = [_script(self.model, prompt, n) for prompt, n in zip(prompt_ids, number, strict=True)]
        return (answers, None) if isinstance(self, trl.Grpo) else answers

    with pytest.MonkeyPatch.context() as patch:
        for kind in (trl.Grpo, trl.Rloo):
            patch.setattr(kind, "_generate_single_turn", scripted)
        for recipe in recipes:
            run.train(recipe, runs=runs, report=quiet)


def test_two_processes_learn_from_the_same_answers_what_one_does(online: Online, tmp_path: Path) -> None:
    plan: dict[str, Any] = {"train.steps": 5, "train.batch_rows": 4, "train.accumulate": 4}
    recipes = [online(kind, QUESTIONS[:15], name=kind, **plan) for kind in ("grpo", "rloo")]
    _train_by_script(recipes, tmp_path / "alone")
    side_by_side.both(tmp_path / "meeting", _train_by_script, recipes, tmp_path / "shared")
    for recipe in recipes:
        alone, shared = (tmp_path / name / recipe.stem / "artefact" for name in ("alone", "shared"))
        assert any(line.get("grad_norm", 0.0) > 0 for line in metrics(alone.parent))
        side_by_side.assert_alike(alone, shared)


def test_two_processes_share_a_rollout(
    online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = write_rows(tmp_path / "text.jsonl", [{"text": f"it is {n} and late"} for n in range(9)])
    plan: dict[str, Any] = {
        "train": {"steps": 5, "rollout_rows": 7, "minibatch_rows": 3, "batch_rows": 2, "epochs": 2},
        "train.learning_rate": 0.001,
        "train.save_every": 2,
        "train.evaluate_every": 3,
        "sampling.batch_rows": 3,
        "value.warmup_steps": 1,
        "kl.target": 4.0,
        "pretraining": {
            "data": {"sources": [{"path": str(text), "format": "text"}]},
            "batch_rows": 3,
            "coefficient": 0.5,
        },
    }
    alone = _side_by_side("ppo", online("ppo", **plan, **NOTED), tmp_path, monkeypatch)
    shared = tmp_path / "whole" / "tiny"
    side_by_side.assert_alike(alone, shared / "artefact")
    [whole] = _notes(tmp_path / "alone")
    parts = _notes(tmp_path / "shared")
    assert sorted([*parts[0], *parts[1]]) == sorted(whole)
    assert abs(len(parts[0]) - len(parts[1])) <= 5 + 3  # a row a step and a measurement


def _ask(folder: Path) -> None:
    from accelerate import PartialState

    class Told(ServerSampler):
        def sample(self, prompts: Sequence[Ids], seed: int) -> Answers:
            assert processes.keeps()
            return Answers([[seed + i] for i in range(len(prompts))], [True] * len(prompts))

    PartialState(cpu=True)
    server = Told(
        Server(url="http://127.0.0.1:1"),
        Sampling(),
        (0,),
        9,
        "tiny",
        folder,
        lambda _: None,
        log_probs=False,
        report=quiet,
        again=lambda: "",
    )
    found = parted.PartedSampler(server, 2).sample([[1], [2], [3]], 7)
    assert found.ids == [[7], [8], [9]]


def test_the_first_process_alone_asks_a_server(tmp_path: Path) -> None:
    side_by_side.both(tmp_path / "meeting", _ask, tmp_path)
