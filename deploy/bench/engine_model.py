"""A model of vLLM's batch, with the time of one step by what is in it: for the scheduler's simulation.

A step gives every request in the batch one token and takes

    fixed + by_request · B + (lora + by_adapter · d if any adapter runs) + by_prompt_token · P

seconds for B requests on d different adapters and P tokens of new prompts. ``H200`` is fitted to three
measured rows (a 3B-shaped Llama in bf16, rank 16, 256 tokens in, 128 out, 64 at once): the base at 76.5
requests/s (the middle of 69 to 84), one adapter at 63, 16 adapters interleaved at 43.5. The rows of 4
adapters and of 16 sorted ones are left to check it with.

What those rows can't tell, as all were measured with 64 at once, is assumed: what a request more costs
(``by_request``: 1/128 of the base's step, so that the base's step at 64 is a third longer than with one) and
what a prompt's token does (``by_prompt_token``: 8 µs, 3e9 parameters at 40 % of the card's peak).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineModel:
    """Seconds; see the module's formula."""

    fixed: float
    by_request: float
    lora: float
    by_adapter: float
    by_prompt_token: float
    load_stall: float  # that a batch stands still while an adapter is loaded

    def step(self, batch: int, adapters: int, prompt_tokens: int) -> float:
        """Seconds of one step."""
        lora = self.lora + self.by_adapter * adapters if adapters else 0.0
        return self.fixed + self.by_request * batch + lora + self.by_prompt_token * prompt_tokens


PROMPT, ANSWER, AT_ONCE = 256, 128, 64  # tokens, tokens, requests: of the measured rows


def fitted(base: float, one: float, many: float, count: int, *, share: float = 0.25) -> EngineModel:
    """The model for the throughput (requests/s) of the base, of one adapter and of ``count`` in one batch.

    ``share`` of the base's step, less its prompts, is what the 64 requests add.
    """
    by_prompt_token = 8e-6
    prompts = AT_ONCE / ANSWER * PROMPT * by_prompt_token  # of one step on average
    base_step, one_step, many_step = (AT_ONCE / (rate * ANSWER) for rate in (base, one, many))
    by_adapter = (many_step - one_step) / (count - 1)
    return EngineModel(
        fixed=(base_step - prompts) * (1 - share),
        by_request=(base_step - prompts) * share / AT_ONCE,
        lora=one_step - base_step - by_adapter,
        by_adapter=by_adapter,
        by_prompt_token=by_prompt_token,
        load_stall=0.043,  # 4 loads a second cost 17 % of the throughput
    )


H200 = fitted(base=76.5, one=63, many=43.5, count=16)
