"""The rows as Markdown and as JSON, written after each, since a run may be broken off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from deploy.bench.beside.asking import Row


def write(rows: Sequence[Row], described: dict[str, object], folder: Path) -> None:
    """``beside.json`` and ``beside.md`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {"run": described, "rows": [asdict(row) for row in rows]}
    (folder / "beside.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    (folder / "beside.md").write_text(table(rows), encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = [
        "| | to reach | plain vLLM | through Pointsman | ratio (spread) |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {row.name} | {row.to_reach} | {row.plain} | {row.ours} | {row.ratio} |" for row in rows]
    return "\n".join(lines) + "\n"
