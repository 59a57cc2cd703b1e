"""Tasks of the lm-eval harness from one's own files, asked of a served model. The one module that imports it.

The harness reads the tasks and scores the answers; what it asks goes through our endpoint, token ids and all,
so that keys, attempts and errors are those of the other parts. It ships with the extra ``lm-eval``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from training.endpoint import Endpoint, each
from training.errors import PackageMissing, SourceError, TrainingError
from training.evaluation.measures import Measure
from training.evaluation.part import Done, Result
from training.evaluation.plan import Harness

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")
R = TypeVar("R")
NEW_TOKENS = 256  # of a generation, where its task says nothing
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

        model = _model()(endpoint, self.tokenizer, self.max_tokens, done, loop)
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


def _model() -> type[Any]:
    """The class by which the harness asks; it can only be made where the harness is installed."""
    from lm_eval import utils
    from lm_eval.api.model import TemplateLM

    class Served(TemplateLM):  # type: ignore[misc]
        """A model behind an endpoint; called in a thread, while ``loop`` runs in another."""

        def __init__(
            self,
            endpoint: Endpoint,
            tokenizer: Any,
            max_tokens: int,
            done: Done,
            loop: asyncio.AbstractEventLoop,
        ) -> None:
            super().__init__()
            self.endpoint, self.tokenizer, self.max_tokens = endpoint, tokenizer, max_tokens
            self.done, self.loop = done, loop

        @property
        def eot_token_id(self) -> int:
            return int(self.tokenizer.eos_token_id)

        @property
        def tokenizer_name(self) -> str:
            return str(self.tokenizer.name_or_path)

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            return list(self.tokenizer(string, add_special_tokens=bool(add_special_tokens))["input_ids"])

        def apply_chat_template(
            self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
        ) -> str:
            return str(
                self.tokenizer.apply_chat_template(
                    chat_history,
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    continue_final_message=not add_generation_prompt,
                )
            )

        def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = True) -> Any:
            return super().loglikelihood(requests, disable_tqdm=True)

        def _loglikelihood_tokens(self, requests: Sequence[Any], **_: Any) -> list[tuple[float, bool]]:
            return self._all(requests, lambda request: self._score(request[1], request[2]))

        def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[float]:
            return self._all([request.args[0] for request in requests], self._whole)

        def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = True) -> list[str]:
            return self._all([request.args for request in requests], self._generate)

        async def _score(self, before: list[int], ids: list[int]) -> tuple[float, bool]:
            """Of ``ids`` after ``before``, cut from the left where both are too long."""
            whole = [*before, *ids][-self.max_tokens :]
            found = await self.endpoint.logprobs(whole)
            return sum(found.values[-len(ids) :]), all(found.greedy[-len(ids) :])

        async def _whole(self, text: str) -> float:
            windows = utils.get_rolling_token_windows(
                self.tok_encode(text), self.prefix_token_id, self.max_tokens - 1, 1
            )
            scores = [await self._score(*utils.make_disjoint_window(window)) for window in windows]
            return sum(score for score, _ in scores)

        async def _generate(self, arguments: tuple[str, dict[str, Any]]) -> str:
            context, given = arguments
            stop = given.get("until") or []
            stop = [stop] if isinstance(stop, str) else list(stop)
            limit = int(given.get("max_gen_toks", given.get("max_tokens", NEW_TOKENS)))
            ids = self.tok_encode(context)[-max(1, self.max_tokens - limit) :]
            text = await self.endpoint.complete(
                ids, max_tokens=limit, temperature=given.get("temperature", 0), stop=stop[:4]
            )
            for word in stop:  # OpenAI's API takes four; the rest is cut here
                text = text.split(word, 1)[0] if word else text
            return text

        def _all(self, items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
            return asyncio.run_coroutine_threadsafe(each(items, work, self.done), self.loop).result()

    return Served
