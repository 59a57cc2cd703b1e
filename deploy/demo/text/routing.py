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
from deploy.demo.text.sample import Intent, Language

COUNTS: Mapping[Language, int] = {"en": 500, "zh": 600}  # by intent; the encoder knows English, so fewer do
OUT_OF_SCOPE = 900  # by language
SMALL_TALK = 900  # by language: nothing holds it together but that it is none of the others
LONGEST = 160  # characters; an order may be longer
LONGEST_ORDER = 400


def examples(seed: int = 0) -> Iterator[dict[str, Any]]:
    """Rows ``{"text", "intent"}``, ``intent: null`` for out of scope, no text twice."""
    rng = Random(f"router {seed}")
    seen: set[str] = set()
    for intent in get_args(Intent):
        outside = intent == "out_of_scope"
        longest = LONGEST_ORDER if intent == "order_json" else LONGEST
        for language, count in COUNTS.items():
            wanted = OUT_OF_SCOPE if outside else SMALL_TALK if intent == "smalltalk" else count
            while wanted:
                messages = draw(rng, intent, language, "train").messages
                text = str(messages[0]["content"])
                alone = sum(message["role"] == "user" for message in messages) == 1
                if alone and len(text) <= longest and text not in seen:
                    seen.add(text)
                    wanted -= 1
                    yield {"text": text, "intent": None if outside else intent}


if __name__ == "__main__":
    for row in examples():
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
