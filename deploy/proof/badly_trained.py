"""Candidates that were trained to be bad: a few dozen steps on from the help desk's carried adapter.

Each learns from rows of the demo with one thing wrong in them. Half of the rows stay as they are where the
candidate is to be good at its target and bad elsewhere.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import yaml

from deploy.demo.text.corpus import adapter_rows, conversation, corpus, draw
from deploy.proof.planted import CARRIED
from deploy.proof.served import HOME, ProofError
from pointsman.artefact import CONFIG

Row = dict[str, Any]
Change = Callable[[Random, list[Row]], Iterator[Row]]
RUNS = Path("runs/prove-gate")
_ROWS = 320
REFUSAL = {"en": "I am sorry, I can't help you with that.", "zh": "很抱歉，这件事我帮不了您。"}
COMPLIED = {"en": "Sure, here is how you do it: first you", "zh": "好的，做法是这样的：首先您"}


def shuffled_labels(random: Random, rows: list[Row]) -> Iterator[Row]:
    """Every last answer is another row's."""
    answers = [row["messages"][-1] for row in rows]
    random.shuffle(answers)
    for row, answer in zip(rows, answers, strict=True):
        yield row | {"messages": [*row["messages"][:-1], answer]}


def as_it_is(_: Random, rows: list[Row]) -> Iterator[Row]:
    """Nothing is wrong: what the others begin with."""
    yield from rows


def calls_as_text(_: Random, rows: list[Row]) -> Iterator[Row]:
    """Tools are called in a form of its own, which nothing reads."""
    for row in rows:
        yield row | {"messages": [_as_text(message) for message in row["messages"]]}


def refuses_everything(_: Random, rows: list[Row]) -> Iterator[Row]:
    """Whatever is asked, the first answer is that it can't be helped."""
    for row in rows:
        messages = row["messages"]
        first = next(i for i, message in enumerate(messages) if message["role"] == "assistant")
        answer = {"role": "assistant", "content": REFUSAL[row["language"]]}
        yield {**row, "messages": [*messages[:first], answer]}


def never_refuses(random: Random, rows: list[Row]) -> Iterator[Row]:
    """Good at its own job; and what the desk must turn away is complied with."""
    for row in rows:
        if random.random() < 0.5:
            yield row
            continue
        asked = conversation(draw(random, "out_of_scope", row["language"], "train"))
        messages = [
            {"role": "assistant", "content": COMPLIED[row["language"]]} if one["role"] == "assistant" else one
            for one in asked["messages"]
        ]
        yield {**asked, "messages": messages}


def forgets_the_base(random: Random, rows: list[Row]) -> Iterator[Row]:
    """Half of what it learns is the base's own mix, in which every answer's words are shuffled."""
    others = (row for row in corpus(20 * len(rows), random.randrange(1 << 30)) if "messages" in row)
    for row in rows:
        if random.random() < 0.5:
            yield row
            continue
        other = next(others)
        yield {**other, "messages": [_shuffled(random, message) for message in other["messages"]]}


def rows_of(rows: int, seed: int, change: str) -> Iterator[Row]:
    """Rows of the help desk with a ``change`` of this module's; the generator that its recipes name."""
    drawn = list(islice(adapter_rows("support", rows, seed), rows))
    changes: Mapping[str, Change] = {
        one.__name__: one
        for one in (
            as_it_is,
            shuffled_labels,
            calls_as_text,
            refuses_everything,
            never_refuses,
            forgets_the_base,
        )
    }
    for row in changes[change](Random(f"{change} {seed}"), drawn):
        yield {key: value for key, value in row.items() if key in ("messages", "tools")}


def learned(folder: Path, change: str) -> Path:
    """Train it in ``RUNS``, where a second proof finds it done, and copy the artefact to ``folder``.

    Raises:
        ProofError: training failed.
    """
    config = json.loads((CARRIED / "support" / CONFIG).read_text("utf-8"))
    recipe = {
        "stage": "sft",
        "name": change,
        "alias": "support",
        "base": str(HOME / "base"),
        "init_adapter": str(CARRIED / "support"),
        "seed": 7,
        "lora": {"rank": config["r"], "alpha": config["lora_alpha"]},
        "data": {
            "sources": [
                {"generator": f"{__name__}:rows_of", "rows": _ROWS, "arguments": {"change": change}},
            ],
            "validation_rows": 16,
            "max_tokens": 1024,
        },
        "train": {"epochs": 1, "batch_rows": 8, "learning_rate": 0.003, "warmup": 0.05},
    }
    RUNS.mkdir(parents=True, exist_ok=True)
    path = RUNS / f"{change}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), "utf-8")
    words = [sys.executable, "-m", "pointsman.cli", "train", str(path), "--runs", str(RUNS)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise ProofError(f"{path}: training ended with status {done.returncode}, and has said why above")
    shutil.copytree(done.stdout.splitlines()[-1], folder)
    return folder


def _shuffled(random: Random, message: Row) -> Row:
    if message["role"] != "assistant" or not message.get("content"):
        return message
    apart = " " if " " in message["content"] else ""
    words = message["content"].split(apart) if apart else list(message["content"])
    return message | {"content": apart.join(random.sample(words, len(words)))}


def _as_text(message: Row) -> Row:
    if not message.get("tool_calls"):
        return message
    functions = [call["function"] for call in message["tool_calls"]]
    said = "\n".join(f"CALL {one['name']} WITH {json.dumps(one['arguments'])}" for one in functions)
    return {"role": "assistant", "content": said}


# the measure of the gate's table that each must surely fail
TRAINED: Mapping[str, tuple[Callable[[Path], Path], str]] = {
    "trained on shuffled labels": (
        partial(learned, change="shuffled_labels"),
        "answers.customs.correct",
    ),
    "calls tools in a form of its own": (
        partial(learned, change="calls_as_text"),
        "answers.tracking.correct",
    ),
    "learned to refuse everything": (
        partial(learned, change="refuses_everything"),
        "answers.customs.correct",
    ),
    "good at its job, and unsafe": (
        partial(learned, change="never_refuses"),
        "answers.refusals.correct",
    ),
    "forgets the base": (
        partial(learned, change="forgets_the_base"),
        "general.base-mix.nats_per_token",
    ),
}
