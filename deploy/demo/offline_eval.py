"""How good a base and its adapters are before anything serves them: held-out cases, greedy, in batches.

The same cases and scoring as ``pointsman eval demo``, without router, gateway or vLLM: each case goes to the
adapter of its intent. A tool of development, for the machine that trains:

    python -m deploy.demo.offline_eval BASE_FOLDER ADAPTERS_FOLDER --count 50 --out report.json
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from deploy.demo import tools
from deploy.demo.scoring import Answer, Call, faults
from deploy.demo.text.corpus import conversation, held_out
from deploy.demo.text.sample import Intent, Language, Message, Sample

ADAPTERS: Mapping[Intent, str] = {
    "track_parcel": "support",
    "change_address": "support",
    "complaint": "support",
    "refund": "support",
    "customs": "support",
    "arithmetic": "math",
    "order_json": "extract",
    "smalltalk": "chat",
    "out_of_scope": "chat",
}
TOOLS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "track_parcel": tools.track_parcel,
    "change_address": tools.change_address,
    "open_complaint": tools.open_complaint,
}
STEPS = 3  # model calls at most, for one case
NEW_TOKENS = 320
BATCH = 256
_CALL = re.compile(r"<tool_call>\n(.*?)\n</tool_call>", re.DOTALL)
_THOUGHT = re.compile(r"<think>.*?</think>\s*", re.DOTALL)


@dataclass(slots=True)
class Case:
    """One held-out sample on its way to an answer."""

    sample: Sample
    row: dict[str, Any]  # what the model is told so far
    text: str = ""
    calls: list[Call] = field(default_factory=list)
    done: bool = False

    def take(self, answer: str) -> None:
        """One output of the model: an end, or tool calls to be made."""
        self.text, found = read(answer)
        self.done = not found
        calls: list[dict[str, Any]] = []
        results: list[Message] = []
        for i, content in enumerate(found):
            try:
                call = json.loads(content)
                made = Call(call["name"], call["arguments"])
                tool = TOOLS[made.tool]
            except (ValueError, KeyError, TypeError) as exc:
                self.text, self.done = f"no call: {exc}: {content}", True
                return
            self.calls.append(made)
            try:
                result = json.dumps(tool(**made.arguments), ensure_ascii=False)
            except (ValueError, TypeError) as exc:
                result = f"error: {exc}"  # as chains.tools puts it
            calls.append({"type": "function", "id": f"call_{i}", "function": call})
            results.append({"role": "tool", "tool_call_id": f"call_{i}", "content": result})
        if calls:
            self.row["messages"] += [{"role": "assistant", "content": "", "tool_calls": calls}, *results]

    def faults(self) -> list[str]:
        """What is wrong with the answer."""
        return faults(self.sample.expect, Answer(self.text, self.calls))


def cases(adapter: str, count: int, seed: int) -> Iterator[Case]:
    """``count`` cases of every intent and language that ``adapter`` serves."""
    for intent in (intent for intent, name in ADAPTERS.items() if name == adapter):
        for language in get_args(Language):
            for sample in held_out(intent, language, count, seed):
                row = conversation(sample)
                last = max(i for i, message in enumerate(row["messages"]) if message["role"] == "user")
                yield Case(sample, row | {"messages": row["messages"][: last + 1]})


def generate(model: Any, tokenizer: Any, rows: Sequence[dict[str, Any]]) -> list[str]:
    """What the model writes after each row's ``messages``, greedily, in batches of similar length."""
    import torch

    encoded = [
        tokenizer.apply_chat_template(row["messages"], tools=row.get("tools"), add_generation_prompt=True)[
            "input_ids"
        ]
        for row in rows
    ]
    order = sorted(range(len(rows)), key=lambda at: len(encoded[at]))
    written = [""] * len(rows)
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        longest = max(len(encoded[at]) for at in batch)
        padded = [[tokenizer.pad_token_id] * (longest - len(encoded[at])) + encoded[at] for at in batch]
        mask = [[0] * (longest - len(encoded[at])) + [1] * len(encoded[at]) for at in batch]
        with torch.inference_mode():
            out = model.generate(
                input_ids=torch.tensor(padded, device=model.device),
                attention_mask=torch.tensor(mask, device=model.device),
                do_sample=False,
                max_new_tokens=NEW_TOKENS,
                pad_token_id=tokenizer.pad_token_id,
            )
        for at, ids in zip(batch, out[:, longest:].tolist(), strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=False)
            written[at] = re.split(r"<\|im_end\|>|<\|endoftext\|>", text)[0]
    return written


def read(answer: str) -> tuple[str, list[str]]:
    """An output's text without thought or calls, and its calls as they are written."""
    return _THOUGHT.sub("", _CALL.sub("", answer)).strip(), _CALL.findall(answer)


def evaluate(model: Any, tokenizer: Any, adapter: str, count: int, seed: int) -> list[Case]:
    """All cases of ``adapter``, answered."""
    found = list(cases(adapter, count, seed))
    for _ in range(STEPS):
        waiting = [case for case in found if not case.done]
        for case, answer in zip(waiting, generate(model, tokenizer, [c.row for c in waiting]), strict=True):
            case.take(answer)
    return found


def main() -> None:
    """Print success by intent and language, and some of what went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path)
    parser.add_argument("adapters", type=Path, help="a folder with an artefact folder for each alias")
    parser.add_argument("--count", type=int, default=50, help="cases by intent and language")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=int, default=4, help="faults to print by intent and language")
    parser.add_argument("--plain", action="store_true", help="score the base without its adapters too")
    parser.add_argument("--out", type=Path, help="a JSON file for the report")
    given = parser.parse_args()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from training.methods import lora

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer: Any = AutoTokenizer.from_pretrained(given.base)
    report: dict[str, float] = {}
    for adapter in sorted(set(ADAPTERS.values())):
        base: Any = AutoModelForCausalLM.from_pretrained(given.base, dtype=torch.float32).to(device)
        runs = [("plain ", base)] if given.plain else []
        if (given.adapters / adapter).is_dir():
            runs.append(("", None))
        for label, model in runs:
            adapted = model or lora.load(base, given.adapters / adapter)
            done = evaluate(adapted, tokenizer, adapter, given.count, given.seed)
            report |= _say(label, done, given.faults)
    if given.out:
        given.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _say(label: str, done: Sequence[Case], shown: int) -> dict[str, float]:
    groups: dict[str, list[Case]] = {}
    for case in done:
        groups.setdefault(f"{label}{case.sample.intent} {case.sample.language}", []).append(case)
    report: dict[str, float] = {}
    for name, group in groups.items():
        wrong = [(case, found) for case in group if (found := case.faults())]
        report[name] = round(1 - len(wrong) / len(group), 4)
        print(f"{name:<28} {100 * report[name]:5.1f} %  of {len(group)}", flush=True)
        for case, found in wrong[:shown]:
            print(f"    {case.sample.messages[0]['content']!r}\n      → {case.text!r}: {'; '.join(found)}")
    return report


if __name__ == "__main__":
    main()
