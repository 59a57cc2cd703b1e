"""What a conversation was about before: turns of other tasks as a client sends them back.

A client sees no call of a tool and no thought, and none of these answers is learned again: each carries
``"weight": 0``. Of a drawn conversation only the first question is told, which stands by itself.
"""

from collections.abc import Callable
from random import Random

from deploy.demo.text import arithmetic, extraction, policy, pools, refusal, smalltalk, support
from deploy.demo.text.sample import Language, Message, Sample, Split

_THOUGHT = "</think>\n\n"  # what stands between a thought and its answer
_TASKS: dict[str, Callable[[Random, Language, Split], Sample]] = {
    "support": support.sample,
    "policy": policy.sample,
    "arithmetic": arithmetic.sample,
    "extraction": extraction.sample,
    "smalltalk": smalltalk.sample,
    "refusal": refusal.sample,
}
_OFTEN = ("support", "support", "arithmetic")  # what people do here most


def earlier(rng: Random, language: Language, own: str) -> list[Message]:
    """A question of a task that is not ``own``, or two after each other, with their answers."""
    names = [name for name in (*_TASKS, *_OFTEN) if name != own]
    messages: list[Message] = []
    for _ in range(1 if rng.random() < 0.7 else 2):
        messages += _first(_TASKS[pools.pick(rng, names)](rng, language, "train"))
    return messages


def _first(sample: Sample) -> list[Message]:
    question, *rest = sample.messages
    answer = next(m["content"] for m in rest if m["role"] == "assistant" and m["content"])
    return [question, {"role": "assistant", "content": answer.rpartition(_THOUGHT)[2], "weight": 0}]
