"""Tasks of the lm-eval harness from one's own files, asked of a served model.

The harness reads the tasks and scores the answers; what it asks goes through our endpoint, token ids and all,
so that keys, attempts and errors are those of the other parts. It ships with the extra ``lm-eval``, and only
this module and :mod:`training.evaluation.harness_model` import it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.errors import PackageMissing, SourceError, TrainingError
from training.evaluation.measures import Measure
from training.evaluation.part import Done, Result
from training.evaluation.plan import Harness
from training.served.endpoint import Endpoint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

INSTALL = ".venv/bin/uv pip install --constraint deploy/env/cpu.txt 'lm-eval[api]'"


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of a plan, ready to be asked."""

    plan: Harness
    tokenizer: PreTrainedTokenizerBase
    max_tokens: int
    manager: Any  # lm_eval's TaskManager
    name: str = "lm_eval"
    requests: int = 0  # not known before the harness has built them
    dropped: Mapping[str, int] = field(default_factory=dict)

    async def ask(self, endpoint: Endpoint, done: Done) -> Result:
        """The harness's own metrics with its own standard errors; see ``Part``.

        Raises:
            SourceError: the harness can't work with the tasks.
        """
        return await asyncio.to_thread(self._run, endpoint, done, asyncio.get_running_loop())

    def _run(self, endpoint: Endpoint, done: Done, loop: asyncio.AbstractEventLoop) -> Result:
        from lm_eval import evaluator

        from training.evaluation.harness_model import Served

        model = Served(endpoint, self.tokenizer, self.max_tokens, done, loop)
        try:
            found = evaluator.simple_evaluate(
                model=model,
                tasks=self.plan.tasks,
                task_manager=self.manager,
                limit=self.plan.limit,
                num_fewshot=self.plan.shots,
                apply_chat_template=self.plan.chat_template,
                bootstrap_iters=1000,
                log_samples=False,
            )
        except TrainingError:
            raise
        except Exception as exc:  # of the harness, or of a task's own code
            raise _unusable(self.plan, exc) from exc
        return Result({name: measure for task, row in _rows(found) for name, measure in _measures(task, row)})


def load(plan: Harness, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> Tasks:
    """Read the tasks.

    Raises:
        PackageMissing: the harness is not installed.
        SourceError: there is no such folder or task, or one can't be read.
    """
    try:
        from lm_eval.api import task as tasks
        from lm_eval.tasks import TaskManager
    except ImportError as exc:
        raise PackageMissing(
            f"lm_eval: the lm-eval harness is not installed ({exc}). Install it with {INSTALL}, or take "
            "lm_eval out of the plan"
        ) from exc
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    tasks.tqdm = partial(tasks.tqdm, disable=True)  # progress is ours
    if not plan.folder.is_dir():
        raise SourceError(f"lm_eval.folder: {plan.folder}: no such folder; paths are seen from {Path.cwd()}")
    try:
        manager = TaskManager(include_path=str(plan.folder), include_defaults=False)
        known = sorted(manager.all_tasks)
    except Exception as exc:  # whatever a task's YAML makes it raise
        raise _unusable(plan, exc) from exc
    if unknown := [name for name in plan.tasks if name not in known]:
        raise SourceError(
            f"lm_eval.tasks: {', '.join(unknown)}: no such task in {plan.folder}; it has "
            f"{', '.join(known) or 'none'}"
        )
    try:
        manager.load(list(plan.tasks))
    except Exception as exc:
        raise _unusable(plan, exc) from exc
    return Tasks(plan, tokenizer, max_tokens, manager)


def _unusable(plan: Harness, exc: Exception) -> SourceError:
    reason = str(exc).splitlines()[0] if str(exc) else ""
    return SourceError(
        f"lm_eval: the harness can't use the tasks {', '.join(plan.tasks)} of {plan.folder}: "
        f"{type(exc).__name__}: {reason}"
    )


def _rows(found: Any) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(found["results"].items())


def _measures(task: str, row: Mapping[str, Any]) -> list[tuple[str, Measure]]:
    """``acc,none`` and ``acc_stderr,none`` as one measure each."""
    found = []
    for key, value in row.items():
        metric, _, choice = key.partition(",")
        if metric.endswith("_stderr") or not isinstance(value, int | float) or not choice:
            continue
        error = row.get(f"{metric}_stderr,{choice}")
        name = f"{task}.{metric}" + ("" if choice == "none" else f".{choice}")
        documents = float(row.get("sample_len", 0))
        error = float(error) if isinstance(error, int | float) else None
        found.append((name, Measure(float(value), error, documents, np.zeros(0))))
    return found
