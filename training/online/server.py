"""Answers sampled by a vLLM server, which is given the adapter anew whenever it has changed.

Each version is loaded under a name of its own, made from its content, as vLLM keeps prefix-cache blocks by
adapter name (vLLM #42125). What is sent is rounded to bfloat16, as it is when served; training computes its
own log-probabilities, from the exact weights.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman import artefact
from training.data.preparing.collection import Report
from training.errors import RolloutError, ServerLost
from training.online.answers import Answers, Ids
from training.online.engine import Completion, Engine
from training.recipe import Sampling, Server
from training.served.endpoint import each

_CERTAIN = 8  # tokens by which is seen what the server's log-probabilities are of


@dataclass(slots=True)
class ServerSampler:
    """Samples through ``/v1/completions``, with token ids both ways."""

    server: Server
    plan: Sampling
    stops: tuple[int, ...]
    vocabulary: int  # token ids of the base are below it
    alias: str
    folder: Path  # where versions are written, absolute; the server sees it under the same path
    save: Callable[[Path], None]  # writes the adapter's files as they are now
    log_probs: bool  # True = answers come with the server's, of the distribution that they are drawn from
    report: Report
    again: Callable[[], str]  # what the same command does where this one has ended, in words
    _live: str | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)

    def sample(self, prompts: Sequence[Ids], seed: int) -> Answers:
        """See :class:`training.online.answers.Sampler`; answer i is sampled with ``seed + i``.

        How a server batches requests may change the last digits of its logits, and so an answer.

        Raises:
            RolloutError: the server can't be reached, refuses, does not answer in tokens, or gives
                log-probabilities of another distribution.
        """
        try:
            found = asyncio.run(self._sample(prompts, seed))
        except ServerLost as exc:
            raise ServerLost(f"{exc} (with the server back, the same command {self.again()})") from exc
        log_probs = [one.log_probs or [] for one in found] if self.log_probs else None
        return Answers([one.ids for one in found], [one.ids[-1] in self.stops for one in found], log_probs)

    def close(self) -> None:
        """Take all versions off the server and the disk; a server that is lost is told, and no error."""
        try:
            asyncio.run(self._leave())
        except RolloutError as exc:
            left = ", ".join(place.name for place in self._versions())
            self.report(
                f"warning: {left} may still be loaded at {self.server.url}: {exc.__cause__ or exc}. If this "
                "run is started again, it unloads what it has left there"
            )

    async def _sample(self, prompts: Sequence[Ids], seed: int) -> list[Completion]:
        told: set[str] = set()  # answers that are sampled at once fail at once, for the same reason

        def retried(why: str) -> None:
            if why not in told:
                self.report(f"warning: {why}")
            told.add(why)

        async with Engine(self.server, concurrency=self.plan.batch_rows, report=retried) as engine:
            if not self._begun:
                await self._sweep(engine)
            await self._push(engine)
            if not self._begun and self.log_probs and self.plan.temperature != 1:
                await self._require_drawn(engine, prompts[0])
            self._begun = True

            async def one(number: int) -> Completion:
                return await self._answer(engine, prompts[number], seed + number)

            return await each(range(len(prompts)), one)

    def _versions(self) -> list[Path]:
        """The folders of those that the server has, or may have: a killed run's among them."""
        return sorted(self.folder.glob("*@*"))

    async def _sweep(self, engine: Engine) -> None:
        for place in self._versions():
            await self._drop(engine, place.name)
        self._live = None

    async def _push(self, engine: Engine) -> None:
        growing = self.folder / "growing"
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(parents=True)
        self.save(growing)
        name = f"{self.alias}-training@{artefact.version_of(growing)}"
        if name == self._live:
            shutil.rmtree(growing)
            return
        growing.rename(self.folder / name)
        await engine.load(name, self.folder / name)
        before, self._live = self._live, name
        if before:
            await self._drop(engine, before)

    async def _drop(self, engine: Engine, name: str) -> None:
        await engine.unload(name)
        shutil.rmtree(self.folder / name, ignore_errors=True)

    async def _leave(self) -> None:
        if self._versions():
            async with Engine(self.server, concurrency=1, attempts=1) as engine:
                await self._sweep(engine)

    async def _require_drawn(self, engine: Engine, prompt: Ids) -> None:
        """Make sure that log-probabilities are of the distribution that is drawn from, temperature and all.

        Of one token to draw from it is certain, so the distribution that is drawn from says 0.
        """
        tokens = min(_CERTAIN, self.plan.max_new_tokens)
        found = await self._answer(engine, prompt, 0, top_k=1, max_tokens=tokens)
        if any(found.log_probs or []):
            raise RolloutError(
                f"{engine.url} gives log-probabilities of the distribution before sampling.temperature "
                f"({self.plan.temperature:g}), and what corrects for the server needs those of what is "
                "drawn; start it with --logprobs-mode processed_logprobs, or set sampling.temperature to 1"
            )

    async def _answer(self, engine: Engine, prompt: Ids, seed: int, **otherwise: int) -> Completion:
        asked: dict[str, Any] = {
            "max_tokens": self.plan.max_new_tokens,
            "temperature": self.plan.temperature,
            "top_p": 1.0,
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "stop_token_ids": list(self.stops),
            "seed": seed,
        }
        assert self._live is not None
        return await engine.complete(
            self._live, prompt, log_probs=self.log_probs, vocabulary=self.vocabulary, **asked | otherwise
        )
