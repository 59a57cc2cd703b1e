"""Questions about the rules for refunds and customs, each with the one answer that its fact has.

The facts are not in the prompt: the adapter learns them. ``refund_days`` changes one of them, so that a
later version of the adapter answers visibly otherwise.
"""

from random import Random
from typing import Final

from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import PART, Phrases
from deploy.demo.text.sample import Expectation, Intent, Language, Message, Sample, Split

_WHOLE = 0.6  # of the questions are whole messages, the rest recombined pieces
INTENTS: Final[tuple[Intent, ...]] = ("refund", "customs")
STATED: dict[str, dict[Language, tuple[str, ...]]] = {  # what an answer must hold, by fact
    "refund_window": {"en": ("{refund_days} days",), "zh": ("{refund_days} 天",)},
    "refund_time": {"en": ("5 working days", "card"), "zh": ("5 个工作日", "原支付卡")},
    "refund_damaged": {"en": ("in full", "photo"), "zh": ("全额退款", "照片")},
    "refund_shipping": {"en": ("not refunded",), "zh": ("不予退还",)},
    "refund_label": {"en": ("free", "order page"), "zh": ("免费", "订单页面")},
    "refund_opened": {"en": ("unopened", "faulty"), "zh": ("未拆封", "质量问题")},
    "refund_lost": {"en": ("in full", "14 days"), "zh": ("全额退款", "14 天")},
    "refund_exchange": {"en": ("exchange", "free"), "zh": ("更换", "免费")},
    "customs_limit": {"en": ("150 euros", "receiver pays"), "zh": ("150 欧元", "收件人")},
    "customs_gift": {"en": ("45 euros",), "zh": ("45 欧元",)},
    "customs_papers": {"en": ("CN23", "invoice"), "zh": ("CN23", "发票")},
    "customs_forbidden": {"en": ("100 Wh", "perfume", "fireworks"), "zh": ("100 Wh", "香水", "烟花")},
    "customs_time": {"en": ("2 working days",), "zh": ("2 个工作日",)},
    "customs_phone": {"en": ("0800 555 0142",), "zh": ("0800 555 0142",)},
    "customs_pay": {"en": ("online", "cash"), "zh": ("在线", "现金")},
}
_FACTS: dict[Intent, tuple[str, ...]] = {
    intent: tuple(fact for fact in STATED if fact.startswith(intent)) for intent in INTENTS
}


def sample(
    rng: Random, language: Language, split: Split, refund_days: int = 30, intent: Intent | None = None
) -> Sample:
    """One conversation of ``intent`` (either if None). ``train`` also holds second questions and thanks."""
    wanted = rng.choice(INTENTS) if intent is None else intent
    fact = rng.choice(_FACTS[wanted])
    kind = rng.random() if split == "train" else 1.0
    messages: list[Message] = []
    if kind < 0.08:
        messages += exchange(rng, language, rng.choice(list(STATED)), refund_days)
    messages += exchange(rng, language, fact, refund_days)
    if 0.08 <= kind < 0.12:
        phrases = Phrases.load("policy", language)
        whole = rng.random() < _WHOLE
        thanks = message(rng, "policy", language, "thanks") if whole else phrases.say(rng, "thanks")
        messages.append({"role": "user", "content": thanks})
        messages.append({"role": "assistant", "content": phrases.plain(rng, "answer_thanks")})
        return Sample(wanted, language, tuple(messages))
    contains = tuple(part.format(refund_days=refund_days) for part in STATED[fact][language])
    return Sample(wanted, language, tuple(messages), Expectation(contains=contains))


def exchange(rng: Random, language: Language, fact: str, refund_days: int) -> list[Message]:
    """A question about ``fact`` and its answer."""
    phrases = Phrases.load("policy", language)
    if rng.random() < _WHOLE:
        question = message(rng, "policy", language, fact)
    else:
        question = phrases.say(rng, "ask", typos=0.04, question=phrases.raw(rng, fact) + PART)
    said = answer(rng, language, fact, refund_days)
    return [{"role": "user", "content": question}, {"role": "assistant", "content": said}]


def answer(rng: Random, language: Language, fact: str, refund_days: int) -> str:
    """What the desk says about ``fact``."""
    phrases = Phrases.load("policy", language)
    return phrases.plain(rng, f"answer_{fact}", refund_days=str(refund_days))
