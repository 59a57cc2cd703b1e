"""The mixes that training reads: repeatable, in the shares stated, as serving renders them."""

import json
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

from deploy.demo.text import corpus, routing
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Intent
from prompts.library import PromptLibrary

ROOT = Path(__file__).parents[2]
INTENTS: tuple[Intent, ...] = get_args(Intent)
TOOLS = ["track_parcel", "change_address", "open_complaint"]
SERVED: dict[Intent, tuple[str, list[str]]] = {
    "track_parcel": ("parcel-support", TOOLS),
    "change_address": ("parcel-support", TOOLS),
    "complaint": ("parcel-support", TOOLS),
    "refund": ("parcel-policy", []),
    "customs": ("parcel-policy", []),
    "arithmetic": ("arithmetic", []),
    "order_json": ("order-json", []),
    "smalltalk": ("smalltalk", []),
    "out_of_scope": ("refusal", []),
}
ADAPTERS = ("support", "math", "extract", "chat")


def is_chinese(row: dict[str, Any]) -> bool:
    """Whether most of what the row says is Chinese, the prompt and the tools aside."""
    spoken = [m["content"] for m in row.get("messages", ()) if m["role"] == "user"] or [row.get("text", "")]
    text = "".join(spoken)
    return sum("\u4e00" <= c <= "\u9fff" for c in text) > 0.2 * len(text)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return list(corpus.corpus(6000, seed=1))


def test_the_seed_decides_and_nothing_else() -> None:
    first = list(corpus.corpus(300, seed=5))
    assert first == list(corpus.corpus(300, seed=5))
    assert first[:100] == list(islice(corpus.corpus(10**9, seed=5), 100))  # streamed, not made beforehand
    assert first != list(corpus.corpus(300, seed=6))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_adapter_rows_repeat(adapter: str) -> None:
    assert list(corpus.adapter_rows(adapter, 50, 3)) == list(corpus.adapter_rows(adapter, 50, 3))


def test_shares_of_the_base(rows: list[dict[str, Any]]) -> None:
    own = {corpus.conversation(corpus.held_out(i, "en", 1, 0)[0])["messages"][0]["content"] for i in INTENTS}
    with_own = sum("messages" in row and row["messages"][0]["content"] in own for row in rows) / len(rows)
    assert sum("text" in row for row in rows) / len(rows) == pytest.approx(0.12, abs=0.02)
    assert sum("tools" in row and row["messages"][0]["content"] not in own for row in rows) / len(
        rows
    ) == pytest.approx(0.26 * 0.45 + 0.30 * 0.62 * 0.15, abs=0.03)
    assert sum(map(is_chinese, rows)) / len(rows) == pytest.approx(0.40, abs=0.05)
    assert with_own == pytest.approx(0.62 * 0.85, abs=0.03)


def test_rows_hold_what_a_template_can_render(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if "text" in row:
            assert row["text"].strip()
            continue
        last = row["messages"][-1]
        assert last["role"] == "assistant"
        assert last["content"] or last["tool_calls"]
        for message in row["messages"]:
            assert not set(message["content"]) & set("\x02\x03{") or '"' in message["content"]


@pytest.mark.parametrize("intent", INTENTS)
def test_a_conversation_is_what_serving_renders(intent: Intent) -> None:
    sample = corpus.held_out(intent, "en", 1, 0)[0]
    row = corpus.conversation(sample)
    name, tools = SERVED[intent]
    rendered = PromptLibrary.load(corpus.TEMPLATES).get(name).render(sample.messages, {})
    assert row["messages"] == rendered
    assert [tool["function"]["name"] for tool in row.get("tools", [])] == tools


def test_adapters_have_their_intents() -> None:
    seen = {a: Counter(row["intent"] for row in corpus.adapter_rows(a, 800, 1)) for a in ADAPTERS}
    assert set(seen["support"]) == {"track_parcel", "change_address", "complaint", "refund", "customs"}
    assert set(seen["math"]) == {"arithmetic"}
    assert set(seen["extract"]) == {"order_json"}
    assert set(seen["chat"]) == {"smalltalk", "out_of_scope"}
    assert min(seen["support"].values()) > 60


def test_an_unknown_adapter_is_named() -> None:
    with pytest.raises(ValueError, match=r"'maths'.*support, math, extract, chat"):
        next(corpus.adapter_rows("maths", 1, 1))


def test_refund_days_changes_the_answers_and_no_question() -> None:
    thirty = list(corpus.adapter_rows("support", 600, 2))
    sixty = list(corpus.adapter_rows("support", 600, 2, refund_days=60))
    changed = [(a, b) for a, b in zip(thirty, sixty, strict=True) if a != b]
    assert changed
    for before, after in changed:
        pairs = [(x, y) for x, y in zip(before["messages"], after["messages"], strict=True) if x != y]
        assert all(
            x["role"] == "assistant" and "30" in x["content"] and "60" in y["content"] for x, y in pairs
        )


@pytest.mark.parametrize("intent", INTENTS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_held_out_gives_what_is_asked_for(intent: Intent, language: Any) -> None:
    samples = corpus.held_out(intent, language, 40, seed=9)
    assert [(s.intent, s.language) for s in samples] == [(intent, language)] * 40
    assert samples == corpus.held_out(intent, language, 40, seed=9)
    assert len({s.messages[0]["content"] for s in samples}) > 20


def test_the_routers_examples_are_what_the_generator_draws() -> None:
    lines = (ROOT / "deploy" / "demo" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == list(routing.examples())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_follow_ups_name_no_business_of_a_route(language: Any) -> None:
    rng = Random(3)
    follow_ups = [Phrases.load("followup", language).say(rng, "ask") for _ in range(400)]
    business = r"parcel|refund|money back|custom|duty|complain|address|包裹|快递|退|关税|海关|投诉|地址"
    assert [text for text in follow_ups if re.search(business, text.casefold())] == []
    assert len(set(follow_ups)) > 300


def test_texts_held_out_for_the_router_are_none_that_it_learned() -> None:
    lines = (ROOT / "deploy" / "demo" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    learned = {json.loads(line)["text"] for line in lines}
    rows = list(routing.held_out(200, 91))
    assert rows == list(routing.held_out(200, 91))
    assert {row["intent"] for row in rows} == {None, *INTENTS} - {"out_of_scope"}
    assert sum(row["text"] in learned for row in rows) < 20  # short ones without a name are alike
