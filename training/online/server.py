"""Answers sampled by a vLLM server, which is given the adapter anew whenever it has changed.

Each version is loaded under a name of its own, made from its content, as vLLM keeps prefix-cache blocks by
adapter name (vLLM #42125). What is sent is rounded to bfloat16, as it is when served; the log-probabilities
that training compares are computed here, from the exact weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from pointsman import artefact
from training.errors import RolloutError
from training.online.answers import Answers, Ids
from training.recipe import Sampling, Server


@dataclass(slots=True)
class ServerSampler:
    """Samples through ``/v1/completions``, with token ids both ways."""

    server: Server
    plan: Sampling
    stops: tuple[int, ...]
    alias: str
    folder: Path  # where versions are written; the server sees it under the same path
    save: Callable[[Path], None]  # writes the adapter's files as they are now
    _live: str | None = field(default=None, init=False)

    def sample(self, prompts: Sequence[Ids], seed: int) -> Answers:
        """See :class:`training.online.answers.Sampler`; answer i is sampled with ``seed + i``.

        How a server batches requests may change the last digits of its logits, and so an answer.

        Raises:
            RolloutError: the server can't be reached, refuses, or does not answer in tokens.
        """
        with (
            httpx.Client(base_url=self.server.url, timeout=self.server.timeout) as client,
            ThreadPoolExecutor(self.plan.batch_rows) as threads,
        ):
            self._push(client)
            seeds = range(seed, seed + len(prompts))
            done = list(threads.map(lambda prompt, own: self._one(client, prompt, own), prompts, seeds))
        return Answers([ids for ids, _ in done], [stopped for _, stopped in done])

    def close(self) -> None:
        """Take the last version off the server and the disk."""
        if self._live:
            with httpx.Client(base_url=self.server.url, timeout=self.server.timeout) as client:
                self._drop(client, self._live)
            self._live = None

    def _push(self, client: httpx.Client) -> None:
        growing = self.folder / "growing"
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(parents=True)
        self.save(growing)
        name = f"{self.alias}-training@{artefact.version_of(growing)}"
        if name == self._live:
            return
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        growing.rename(place)
        self._post(client, "/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(place.resolve())})
        before, self._live = self._live, name
        if before:
            self._drop(client, before)

    def _drop(self, client: httpx.Client, name: str) -> None:
        self._post(client, "/v1/unload_lora_adapter", {"lora_name": name})
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def _one(self, client: httpx.Client, prompt: Ids, seed: int) -> tuple[list[int], bool]:
        body = {
            "model": self._live,
            "prompt": list(prompt),
            "max_tokens": self.plan.max_new_tokens,
            "temperature": self.plan.temperature,
            "top_p": 1.0,
            "top_k": -1,
            "repetition_penalty": 1.0,
            "stop_token_ids": list(self.stops),
            "seed": seed,
            "return_token_ids": True,
        }
        choice = self._post(client, "/v1/completions", body).json()["choices"][0]
        ids = choice.get("token_ids")
        if not ids:
            raise RolloutError(
                f"{self.server.url} answered without token ids; it must be a vLLM that knows return_token_ids"
            )
        return list(ids), ids[-1] in self.stops

    def _post(self, client: httpx.Client, path: str, body: dict[str, Any]) -> httpx.Response:
        try:
            response = client.post(path, json=body)
        except httpx.HTTPError as exc:
            raise RolloutError(f"{self.server.url}{path}: {exc or type(exc).__name__}") from exc
        if response.is_error:
            raise RolloutError(
                f"{self.server.url}{path}: {response.status_code} {response.text[:300]}; the server must run "
                "the recipe's base with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, and see "
                f"{self.folder}"
            )
        return response
