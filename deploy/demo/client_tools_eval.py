"""How well a base or an adapter uses tools that it has never seen: held-out families, greedy, offline.

Each turn of the assistant is asked for by itself, after the conversation as it should have gone. A call is
right if its tools and arguments are exactly those that were asked for, an answer if it is word for word the
one that the text teaches. A tool of development, for the machine that trains:

    python -m deploy.demo.client_tools_eval BASE_FOLDER --count 200
    python -m deploy.demo.client_tools_eval BASE_FOLDER --adapter ADAPTER_FOLDER
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, get_args

from deploy.demo import offline_eval
from deploy.demo.text import client_tools
from deploy.demo.text.sample import Language, Message


@dataclass(slots=True)
class Turn:
    """One turn of the assistant: of what kind, after what, as it should be and as it was written."""

    kind: str
    row: dict[str, Any]  # the tools, and all that is said before
    wanted: Message
    written: str = ""

    def is_right(self) -> bool:
        """Whether it was written as it should be."""
        text, calls = offline_eval.read(self.written)
        if not (wanted := self.wanted.get("tool_calls")):
            return not calls and text == self.wanted["content"]
        try:
            made = [json.loads(call) for call in calls]
        except ValueError:
            return False
        return made == [call["function"] for call in wanted]


def turns(count: int, seed: int) -> Iterator[Turn]:
    """The turns of ``count`` conversations of each language."""
    rng = Random(f"client tools {seed}")
    for language in get_args(Language):
        for _ in range(count):
            row = client_tools.row(rng, language, "held_out")
            for at, message in enumerate(row["messages"]):
                if message["role"] != "assistant":
                    continue
                before = row["messages"][:at]
                kind = "call" if message.get("tool_calls") else f"after {before[-1]['role']}"
                yield Turn(f"{kind} {language}", {**row, "messages": before}, message)


def main() -> None:
    """Print what share of each kind of turn is right, and some that are not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path)
    parser.add_argument("--adapter", type=Path, help="an artefact folder")
    parser.add_argument("--count", type=int, default=200, help="conversations by language")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=int, default=4, help="faults to print by kind of turn")
    parser.add_argument("--out", type=Path, help="a JSON file for the report")
    given = parser.parse_args()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.methods import lora

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer: Any = AutoTokenizer.from_pretrained(given.base)
    model: Any = AutoModelForCausalLM.from_pretrained(given.base, dtype=torch.float32).to(device)
    if given.adapter:
        model = lora.load(model, given.adapter)
    asked = list(turns(given.count, given.seed))
    for turn, written in zip(
        asked, offline_eval.generate(model, tokenizer, [turn.row for turn in asked]), strict=True
    ):
        turn.written = written
    report = _say(asked, given.faults)
    if given.out:
        given.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _say(asked: Sequence[Turn], shown: int) -> dict[str, float]:
    report: dict[str, float] = {}
    for kind in sorted({turn.kind for turn in asked}):
        group = [turn for turn in asked if turn.kind == kind]
        wrong = [turn for turn in group if not turn.is_right()]
        report[kind] = round(1 - len(wrong) / len(group), 4)
        print(f"{kind:<20} {100 * report[kind]:5.1f} %  of {len(group)}", flush=True)
        for turn in wrong[:shown]:
            calls = [call["function"] for call in turn.wanted.get("tool_calls", ())]
            print(f"    {turn.row['messages'][-1]['content']!r}\n      → {turn.written!r}")
            print(f"      not {turn.wanted['content']!r} {calls or ''}")
    return report


if __name__ == "__main__":
    main()
