"""The rows that recipes train on and the cases that evaluation asks, from every task of the demo.

Streaming and seeded: the same arguments give the same rows, on any machine. A row is ``{"text": ...}`` or
``{"messages": [...], "tools": [...]?}`` in OpenAI's form, with the system prompt and the tools of its route
exactly as serving renders them; ``adapter_rows`` adds ``intent`` and ``language``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import yaml

from chains.tools import tool_schema
from deploy.demo import tools
from deploy.demo.text import (
    arithmetic,
    client_tools,
    comparison,
    extraction,
    generic,
    json_asked,
    made_calls,
    policy,
    policy_on,
    prose,
    refusal,
    smalltalk,
    sums_on,
    support,
    talk_on,
)
from deploy.demo.text.sample import Intent, Language, Message, Sample, Split
from prompts.library import PromptLibrary

Row = dict[str, Any]
TEMPLATES = Path(__file__).parents[3] / "prompts" / "templates"
ROUTES = Path(__file__).parents[1] / "routes.yaml"
_CHINESE = 0.4
_PROSE, _SKILLS = 0.12, 0.26  # the rest of the base's mix are tasks, in these shares:
_TASKS: tuple[tuple[float, str], ...] = (
    (0.30, "support"),
    (0.10, "policy"),
    (0.18, "math"),
    (0.04, "sums_on"),
    (0.02, "comparison"),
    (0.22, "extract"),
    (0.06, "smalltalk"),
    (0.08, "refusal"),
)
_SKILL = (0.38, 0.17, 0.25, 0.20)  # copying, JSON with keys that are named, made-up tools, clients' tools
_ADAPTERS: Mapping[str, tuple[tuple[float, str], ...]] = {
    "support": ((0.72, "support"), (0.28, "policy")),
    "math": ((0.77, "math"), (0.13, "sums_on"), (0.1, "comparison")),
    "extract": ((1.0, "extract"),),
    "chat": ((0.45, "smalltalk"), (0.55, "refusal")),
}
_LATER = 0.15  # of what is trained on these tasks goes on where single questions stop
_FAMILIAR = 0.6  # of clients' tools do what tools do out there, the rest anything to anything
_JSON = 0.06  # of what the adapter for clients' tools reads asks for JSON and brings no tool
_KEPT = (0.0, 0.35, 0.45, 0.20)  # as _SKILL, for adapters that are to keep them
_ABOUT_REFUNDS = 0.85
_PLAIN = {
    "en": (
        *("You are a helpful assistant.", "Be brief.", "You work at a help desk.", "Answer the user."),
        *("You are an assistant with tools. Use them when they help, and only then.", "Be precise."),
        *("You are a careful agent. Call a tool if one fits; else answer in words.", "You are friendly."),
        *("Copy names and numbers exactly as they are written.", "Today is Tuesday. Answer shortly."),
        *(
            "You help the staff of a small office.",
            "Never invent anything.",
            "Answer in the user's language.",
        ),
    ),
    "zh": (
        *("你是一个有用的助手。", "请简短回答。", "你在服务台工作。", "请回答用户。"),
        *("你可以使用工具，只在需要时使用。", "有合适的工具就调用，没有就直接回答。", "请准确。"),
        *("名字和数字要照抄。", "你是一家小公司的助手。", "不要编造。", "用用户的语言回答。"),
    ),
}


def corpus(rows: int, seed: int) -> Iterator[Row]:
    """The base's mix: prose, generic skills and every task, some without their own prompt."""
    rng = Random(f"corpus {seed}")
    for _ in range(rows):
        language: Language = "zh" if rng.random() < _CHINESE else "en"
        kind = rng.random()
        if kind < _PROSE:
            yield {"text": prose.document(rng, language)}
        elif kind < _PROSE + _SKILLS:
            yield _skill(rng, language, 0.4)
        else:
            sample = _draw(rng, language, _TASKS, 30)
            if rng.random() < 0.15:
                yield _with_tools(sample, _other_prompt(rng, sample))
            else:
                yield conversation(sample)


def adapter_rows(adapter: str, rows: int, seed: int, refund_days: int = 30) -> Iterator[Row]:
    """Rows of one adapter, as serving asks it; raises ValueError for an adapter that is not the demo's."""
    if adapter not in _ADAPTERS:
        raise ValueError(f"no adapter {adapter!r} in the demo; there are {', '.join(_ADAPTERS)}")
    rng = Random(f"{adapter} {seed}")
    for _ in range(rows):
        language: Language = "zh" if rng.random() < _CHINESE else "en"
        sample = _draw(rng, language, _ADAPTERS[adapter], refund_days)
        # The router may take one for the other, so each prompt of the chat adapter has seen both.
        prompt = None
        if adapter == "chat" and rng.random() < 0.12:
            prompt = "refusal" if sample.intent == "smalltalk" else "smalltalk"
        yield {**conversation(sample, prompt), "intent": sample.intent, "language": language}


def client_tool_rows(rows: int, seed: int) -> Iterator[Row]:
    """Conversations with tools that clients bring, under a prompt of the client's own or under none."""
    rng = Random(f"client tools {seed}")
    for _ in range(rows):
        language: Language = "zh" if rng.random() < _CHINESE else "en"
        asks_json = rng.random() < _JSON
        row = json_asked.row(rng, language) if asks_json else _tool_row(rng, language, _FAMILIAR)
        yield _under(rng, row, language, 0.5)


def skill_rows(rows: int, seed: int, prompts: Sequence[str] = ()) -> Iterator[Row]:
    """What the base can do beside the tasks, so that an adapter does not forget it.

    Args:
        rows: how many.
        seed: decides the rows.
        prompts: templates, under one of which half of the rows stand that bring no tools.
    """
    rng = Random(f"skills {seed}")
    for _ in range(rows):
        language: Language = "zh" if rng.random() < _CHINESE else "en"
        row = _skill(rng, language, 0.25, _KEPT)
        if prompts and "tools" not in row and rng.random() < 0.5:
            asked = [message for message in row["messages"] if message["role"] != "system"]
            row["messages"] = [*_opening(rng.choice(prompts)), *asked]
        yield row


def held_out_rows(adapter: str, rows: int, seed: int, refund_days: int = 30) -> Iterator[Row]:
    """Rows of one adapter with names, numbers and ids that training never draws. Raises ValueError."""
    if adapter not in _ADAPTERS:
        raise ValueError(f"no adapter {adapter!r} in the demo; there are {', '.join(_ADAPTERS)}")
    rng = Random(f"held out rows {adapter} {seed}")
    for _ in range(rows):
        language: Language = "zh" if rng.random() < _CHINESE else "en"
        yield conversation(_draw(rng, language, _ADAPTERS[adapter], refund_days, "held_out"))


def refund_rows(rows: int, seed: int, refund_days: int) -> Iterator[Row]:
    """Rows that teach the help desk another refund window: most ask for refunds, the others keep the rest.

    One answer in fifty of the help desk names the window, so ``adapter_rows`` alone would teach it slowly.
    """
    rng = Random(f"refund {refund_days} {seed}")
    for row in adapter_rows("support", rows, seed, refund_days):
        if rng.random() < _ABOUT_REFUNDS:
            sample = policy.sample(rng, row["language"], "train", refund_days, "refund")
            yield {**conversation(sample), "intent": sample.intent, "language": sample.language}
        else:
            yield row


def held_out(intent: Intent, language: Language, count: int, seed: int) -> list[Sample]:
    """``count`` cases for evaluation, with names, numbers and ids that training never draws."""
    rng = Random(f"held out {intent} {language} {seed}")
    return [draw(rng, intent, language, "held_out") for _ in range(count)]


def draw(rng: Random, intent: Intent, language: Language, split: Split, refund_days: int = 30) -> Sample:
    """One sample of ``intent``."""
    makers: dict[str, Callable[..., Sample]] = {
        "arithmetic": arithmetic.sample,
        "order_json": extraction.sample,
        "smalltalk": smalltalk.sample,
        "out_of_scope": refusal.sample,
        "refund": partial(policy.sample, refund_days=refund_days, intent=intent),
        "customs": partial(policy.sample, refund_days=refund_days, intent=intent),
    }
    return makers.get(intent, partial(support.sample, intent=intent))(rng, language, split)


def conversation(sample: Sample, prompt: str | None = None) -> Row:
    """The sample as its route serves it: system prompt, examples, tools; or under another ``prompt``."""
    return _with_tools(sample, _opening(prompt or served(sample.intent).prompt))


@dataclass(frozen=True, slots=True)
class Served:
    """What a route puts around a conversation."""

    prompt: str  # the template's name
    tools: tuple[str, ...]


@cache
def served(intent: Intent) -> Served:
    """The route of ``intent`` in the demo's ``routes.yaml``; the fallback for what belongs to none."""
    document = yaml.safe_load(ROUTES.read_text(encoding="utf-8"))
    found = [route for route in document["routes"] if route["intent"] == intent]
    route = found[0] if found else document["fallback"]
    return Served(route["prompt"], tuple(route.get("tools", ())))


@cache
def _schema(tool: str) -> dict[str, Any]:
    return tool_schema(getattr(tools, tool))


def _with_tools(sample: Sample, opening: list[Message]) -> Row:
    row: Row = {"messages": [*opening, *sample.messages]}
    if names := served(sample.intent).tools:
        row["tools"] = [_schema(name) for name in names]
    return row


@cache
def _opening(prompt: str) -> list[Message]:
    return [dict(message) for message in _library().get(prompt).render([], {})]


@cache
def _library() -> PromptLibrary:
    return PromptLibrary.load(TEMPLATES)


def _other_prompt(rng: Random, sample: Sample) -> list[Message]:
    return [] if rng.random() < 0.6 else [_system(rng, sample.language)]


def _skill(rng: Random, language: Language, prompted: float, shares: tuple[float, ...] = _SKILL) -> Row:
    """A row of one skill in these shares; ``prompted``: of the rows, how many have a system prompt."""
    (kind,) = rng.choices(("copy", "json", "made", "client"), shares)
    if kind == "copy":
        row = generic.row(rng, language)
    elif kind == "json":
        row = json_asked.row(rng, language)
    else:
        row = _tool_row(rng, language, kind == "client")
    return _under(rng, row, language, prompted)


def _tool_row(rng: Random, language: Language, familiar: float) -> Row:
    return client_tools.row(rng, language) if rng.random() < familiar else made_calls.row(rng, language)


def _under(rng: Random, row: Row, language: Language, share: float) -> Row:
    """The row, ``share`` of all under a system prompt of a client's."""
    if rng.random() < share:
        row["messages"] = [_system(rng, language), *row["messages"]]
    return row


def _system(rng: Random, language: Language) -> Message:
    return {"role": "system", "content": rng.choice(_PLAIN[language])}


def _draw(
    rng: Random,
    language: Language,
    shares: tuple[tuple[float, str], ...],
    refund_days: int,
    split: Split = "train",
) -> Sample:
    makers: dict[str, Callable[..., Sample]] = {
        "support": support.sample,
        "policy": partial(policy.sample, refund_days=refund_days),
        "math": arithmetic.sample,
        "sums_on": sums_on.sample,
        "comparison": comparison.sample,
        "extract": extraction.sample,
        "smalltalk": smalltalk.sample,
        "refusal": refusal.sample,
    }
    going_on: dict[str, Callable[..., Sample]] = {
        "policy": partial(policy_on.sample, refund_days=refund_days),
        "smalltalk": talk_on.small_talk,
        "refusal": talk_on.refused,
    }
    name = rng.choices([name for _, name in shares], [share for share, _ in shares])[0]
    if split == "train" and name in going_on and rng.random() < _LATER:
        return going_on[name](rng, language)
    return makers[name](rng, language, split)
