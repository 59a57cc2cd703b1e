"""Rows to train on, and what the tiny tokenizer has read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from training.data.formats import learned
from training.data.formats.conversations import Row
from training.data.reading import sources
from training.recipe import FileSource

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "deploy" / "demo" / "recipes"
TEMPLATE = (ROOT / "deploy" / "demo" / "chat_template.jinja").read_text(encoding="utf-8")
WORDS = ["red", "green", "blue", "parcel", "street", "river", "seven", "eleven", "early", "late"]


def said(question: str, answer: str, **more: Any) -> dict[str, Any]:
    """A conversation of one question and one answer; ``more`` goes into the answer's message."""
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer, **more},
        ]
    }


CONVERSATIONS = [
    said(f"Where is the {WORDS[i % 10]} {WORDS[i // 7 % 10]}?", " ".join(WORDS[: i % 5 + 1]) + f" {i}")
    for i in range(46)
]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "track", "description": "Where a parcel is.", "parameters": {"type": "object"}},
}
TOOL_USE: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "Where is PX1?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "type": "function",
                    "id": "call_0",
                    "function": {"name": "track", "arguments": {"id": "PX1"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_0", "name": "track", "content": '{"at": "Brno"}'},
        {"role": "assistant", "content": "<think>\nBrno\n</think>\n\nIn Brno."},
    ],
    "tools": [TOOL],
}


def spoken() -> list[str]:
    """All that is said in the conversations."""
    return [message["content"] for row in CONVERSATIONS for message in row["messages"]]


def write_rows(path: Path, rows: Iterable[object]) -> Path:
    """A .jsonl file of ``rows``."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, form: str, stage: Literal["cpt", "sft"] = "sft") -> list[Row]:
    """The rows of a file, as a recipe's source."""
    source = FileSource.model_validate({"path": path, "format": form})
    return learned.read(sources.parts(source, 0)[0], stage)
