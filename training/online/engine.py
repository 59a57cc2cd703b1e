"""vLLM as it is asked for answers: adapters that come and go, token ids both ways.

Knows nothing of policies or prompts. What may pass is tried again, see :mod:`training.served.transport`; a
server that is lost is an error after the last attempt.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from training.errors import EndpointError, RequestRefused, RolloutError, ServerLost
from training.recipe import Server
from training.served.transport import ATTEMPTS, Transport, message

_BUSY = (429, 502, 503, 504)  # what may pass of an adapter's loading; its 500 says what is wrong with it
_RANK = re.compile(r"LoRA rank (\d+) is greater than max_lora_rank (\d+)")
_STARTED = (
    "it must be a vLLM of the recipe's base, started with --enable-lora and "
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server says of its base."""

    root: str  # the folder or hub id that it was started with
    longest: int  # tokens of a prompt with its answer, at the most


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer."""

    ids: list[int]  # never empty; with the token that ended it, where one did
    log_probs: list[float] | None  # (T,) in nats, of the server; None: not asked for


class Engine:
    """``async with Engine(server, concurrency=8) as engine: await engine.load("a@1", folder)``."""

    def __init__(
        self,
        server: Server,
        *,
        concurrency: int,
        attempts: int = ATTEMPTS,
        report: Callable[[str], object] = lambda line: None,
    ) -> None:
        """``concurrency`` requests at once, each tried ``attempts`` times; ``report`` is told of each retry.

        Raises:
            RolloutError: the recipe's URL is no address, or the environment lacks its key.
        """
        self._key = server.key
        key = None if server.key is None else os.environ.get(server.key)
        if server.key is not None and not key:
            raise RolloutError(f"server.key: the environment has no {server.key}")
        try:
            self._transport = Transport(
                server.url,
                api_key=key,
                concurrency=concurrency,
                timeout=server.timeout,
                attempts=attempts,
                report=report,
            )
        except EndpointError as exc:
            raise RolloutError(f"server.url: {exc}") from exc

    async def __aenter__(self) -> Engine:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        """The server's address, without ``/v1``."""
        return self._transport.url

    async def look(self) -> Served:
        """What it serves, where adapters can come and go while it runs.

        Raises:
            RolloutError: nothing answers, it is no vLLM, or it takes no adapters.
        """
        base = next((card for card in await self._cards() if not card.get("parent")), {})
        if not isinstance(base.get("root"), str) or not isinstance(base.get("max_model_len"), int):
            raise RolloutError(f"{self.url}/v1/models does not say which base it serves; {_STARTED}")
        refused = await self._refused("/v1/unload_lora_adapter", {"lora_name": "none-of-this-name"})
        if refused is None or not _unknown(refused):
            raise RolloutError(f"{refused or self.url}: it takes no adapters at run time; {_STARTED}")
        return Served(base["root"], base["max_model_len"])

    async def load(self, name: str, folder: Path) -> None:
        """Give the server the adapter in ``folder``, an absolute path, under which it sees it too.

        ``name`` is made from the content; where it is loaded already, from the same folder, it stays.

        Raises:
            RolloutError: the server can't be reached, or does not take the adapter.
        """
        place = str(folder)
        refused = await self._refused("/v1/load_lora_adapter", {"lora_name": name, "lora_path": place}, _BUSY)
        if refused is None:
            return
        if found := _RANK.search(str(refused)):
            asked, most = found.groups()
            raise RolloutError(
                f"the adapter's rank is {asked}, and {self.url} takes ranks up to {most}; start it with "
                f"--max-lora-rank {asked}, or the next that it knows, or give lora.rank (rank_pattern) {most}"
            ) from refused
        if "already been loaded" in str(refused):
            roots = [card.get("root") for card in await self._cards() if card.get("id") == name]
            if roots == [place]:
                return  # by a run that was killed, or by an attempt whose answer was lost
            raise RolloutError(
                f"{self.url} has {name} already, from {', '.join(map(str, roots))}: another run samples "
                "there under the same alias, then give this recipe another one; or it was killed: start it "
                f"again, or unload {name}"
            ) from refused
        raise RolloutError(f"{refused}; {_STARTED}, and see {folder}") from refused

    async def unload(self, name: str) -> None:
        """Take the adapter off the server, where it is loaded.

        Raises:
            RolloutError: the server can't be reached, or refuses.
        """
        refused = await self._refused("/v1/unload_lora_adapter", {"lora_name": name})
        if refused is not None and not _unknown(refused):
            raise RolloutError(f"{refused}; {_STARTED}") from refused

    async def complete(
        self,
        name: str,
        prompt: Sequence[int],
        *,
        log_probs: bool,
        vocabulary: int,
        max_tokens: int,
        **sampling: Any,
    ) -> Completion:
        """One answer of the adapter ``name``; ``sampling`` in vLLM's names.

        Raises:
            RolloutError: the server can't be reached, refuses, or does not answer in tokens, ``max_tokens``
                at most and each an id below ``vocabulary``.
        """
        body = {"model": name, "prompt": list(prompt), "return_token_ids": True, "max_tokens": max_tokens}
        body |= sampling
        if log_probs:
            body["logprobs"] = 0  # of the tokens that are drawn, and no others
        choice = await self._choice(body)
        ids = choice.get("token_ids")
        if not ids:
            raise RolloutError(
                f"{self.url} answered without token ids; it must be a vLLM that knows return_token_ids"
            )
        if len(ids) > max_tokens:
            raise RolloutError(
                f"{self.url} answered {len(ids)} tokens where {max_tokens} were asked for at most "
                "(sampling.max_new_tokens); it must heed max_tokens, as vLLM does"
            )
        for place, token in enumerate(ids):
            if not isinstance(token, int) or not 0 <= token < vocabulary:
                raise RolloutError(
                    f"{self.url} answered the token id {token!r} at place {place}, and the base's are 0 to "
                    f"{vocabulary - 1}; {_STARTED}"
                )
        return Completion(list(ids), self._log_probs(choice, len(ids)) if log_probs else None)

    def _log_probs(self, choice: dict[str, Any], tokens: int) -> list[float]:
        found = (choice.get("logprobs") or {}).get("token_logprobs") or []
        if len(found) != tokens or not all(isinstance(one, float | int) for one in found):
            raise RolloutError(
                f"{self.url} answered {tokens} tokens with the log-probabilities {str(found)[:120]}; each "
                "must have one, as vLLM gives them"
            )
        for place, one in enumerate(found):
            if not math.isfinite(one):
                raise RolloutError(
                    f"{self.url} answered the log-probability {one} for token {place + 1} of {tokens}, where "
                    "a number was expected; are its weights those of the base, and whole?"
                )
        return [float(one) for one in found]

    async def _choice(self, body: dict[str, Any]) -> dict[str, Any]:
        path = "/v1/completions"
        try:
            response, _ = await self._transport.post(path, body)
            choice: dict[str, Any] = response.json()["choices"][0]
        except RequestRefused as exc:
            raise (RolloutError if exc.status == 400 else ServerLost)(str(exc)) from exc
        except EndpointError as exc:
            raise ServerLost(str(exc)) from exc
        except (ValueError, LookupError, TypeError) as exc:
            raise RolloutError(f"{self.url}{path} answered no completion; {_STARTED}") from exc
        return choice

    async def _refused(
        self, path: str, body: dict[str, Any], passing: Sequence[int] = _BUSY
    ) -> RequestRefused | None:
        """Ask, and give what the server has against it."""
        try:
            await self._transport.post(path, body, passing)
        except RequestRefused as exc:
            return exc
        except EndpointError as exc:
            raise ServerLost(str(exc)) from exc
        return None

    async def _cards(self) -> list[dict[str, Any]]:
        """The server's base and adapters, as it lists them."""
        try:
            response = await self._transport.get("/v1/models")
        except EndpointError as exc:
            raise RolloutError(f"server.url: {exc}") from exc
        if response.status_code in (401, 403):
            why = (
                f"does not accept the key in {self._key} (server.key)"
                if self._key
                else "wants a key: name the environment variable that holds it in server.key"
            )
            raise RolloutError(
                f"{self.url}/v1/models: {response.status_code} {message(response)}; the server {why}"
            )
        try:
            cards = [dict(card) for card in response.json()["data"]]
        except (ValueError, LookupError, TypeError):
            raise RolloutError(f"{self.url}/v1/models answers, but not as vLLM does; {_STARTED}") from None
        return cards


def _unknown(refused: RequestRefused) -> bool:
    """Whether the server knows adapters, and none of that name."""
    return refused.status == 404 and "cannot be found" in str(refused)
