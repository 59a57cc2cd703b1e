"""The model that the lm-eval harness is given: what it asks goes through our endpoint, token ids and all.

Imported where the harness is installed, by :mod:`training.evaluation.harness`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lm_eval import utils
from lm_eval.api.model import TemplateLM

from training.evaluation.part import Done
from training.served import said
from training.served.endpoint import Endpoint, each

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")
R = TypeVar("R")
NEW_TOKENS = 256  # of a generation, where its task says nothing


class Served(TemplateLM):  # type: ignore[misc]
    """A model behind an endpoint; called in a thread, while ``loop`` runs in another."""

    def __init__(
        self,
        endpoint: Endpoint,
        tokenizer: PreTrainedTokenizerBase,
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
        text = said.behind_thought(text)
        for word in stop:  # OpenAI's API takes four; the rest is cut here
            text = text.split(word, 1)[0] if word else text
        return text

    def _all(self, items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
        return asyncio.run_coroutine_threadsafe(each(items, work, self.done), self.loop).result()
