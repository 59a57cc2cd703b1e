"""Examples for the router, drawn from the generator: the variety that nobody writes by hand.

They stand beside the hand-written ones of ``routes.yaml``, which names the file:

    python -m deploy.demo.text.routing > deploy/demo/examples.jsonl
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, get_args

from deploy.demo.text.corpus import draw
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Intent, Language, Split

COUNTS: Mapping[Language, int] = {"en": 550, "zh": 700}  # by intent; the encoder knows English, so fewer do
OUT_OF_SCOPE = 900  # by language
SMALL_TALK = 900  # by language: nothing holds it together but that it is none of the others
FOLLOW_UPS = 150  # by language: what means something after another turn only, and is no route's own
LONGEST = 160  # characters; an order may be longer
LONGEST_ORDER = 400


def examples(seed: int = 0) -> Iterator[dict[str, Any]]:
    """Rows ``{"text", "intent"}``, ``intent: null`` for out of scope, no text twice."""
    rng = Random(f"router {seed}")
    seen: set[str] = set()
    for intent in get_args(Intent):
        for language, count in COUNTS.items():
            wanted = {"out_of_scope": OUT_OF_SCOPE, "smalltalk": SMALL_TALK}.get(intent, count)
            while wanted:
                row = _drawn(rng, intent, language, "train")
                if row is not None and row["text"] not in seen:
                    seen.add(row["text"])
                    wanted -= 1
                    yield row
    for language in get_args(Language):
        wanted = FOLLOW_UPS
        while wanted:
            text = Phrases.load("followup", language).say(rng, "ask", typos=0.04).strip()
            if text not in seen:
                seen.add(text)
                wanted -= 1
                yield {"text": text, "intent": None}


def held_out(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """``rows`` of the same form with names, numbers and ids that no example has, all intents alike."""
    rng = Random(f"held out routing {seed}")
    while rows:
        language: Language = "zh" if rng.random() < 0.4 else "en"
        row = _drawn(rng, rng.choice(get_args(Intent)), language, "held_out")
        if row is not None:
            rows -= 1
            yield row


def _drawn(rng: Random, intent: Intent, language: Language, split: Split) -> dict[str, Any] | None:
    """What a conversation begins with; None if more is said after it, or it is too long."""
    messages = draw(rng, intent, language, split).messages
    text = str(messages[0]["content"])
    alone = sum(message["role"] == "user" for message in messages) == 1
    if not alone or len(text) > (LONGEST_ORDER if intent == "order_json" else LONGEST):
        return None
    return {"text": text, "intent": None if intent == "out_of_scope" else intent}


if __name__ == "__main__":
    for row in examples():
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
