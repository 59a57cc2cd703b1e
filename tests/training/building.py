"""Questions, a tool and a teacher, and a build with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.pointsman.canned import Reply, canned
from tests.training.rows import TOOL, write_rows
from tests.training.serving import server
from training.building.build import Yield, build
from training.building.plan import BuildPlan

ASKED = {"prompt": "Where is PX1?", "expect": {"calls": [{"name": "track", "arguments": {"id": "PX1"}}]}}
SUM = {"prompt": "34 + 28?", "expect": {"number": 62}}


@dataclass
class Track:
    """The tool, as whoever runs a build brings it."""

    schema: Mapping[str, Any] = field(default_factory=lambda: TOOL)

    async def call(self, arguments: Any, seconds: float, characters: int) -> Any:
        found = arguments["id"] != "PX0"
        return Result(json.dumps({"at": "Brno"}) if found else "error: no such parcel", not found)


@dataclass
class Result:
    text: str
    failed: bool


@dataclass
class Building:
    """``building(rows, chat)`` builds in a folder, with a teacher that ``chat`` speaks for."""

    folder: Path
    asked: list[dict[str, Any]] = field(default_factory=list)

    def plan(self, rows: list[dict[str, Any]], url: str = "http://127.0.0.1:9", **more: Any) -> BuildPlan:
        questions = [{"path": str(write_rows(self.folder / "questions.jsonl", rows)), "format": "expect"}]
        form = {"form": "react", "tools": ["track"]} if "tools" in more else {"form": "cot"}
        teacher = {"url": url, "model": "teacher", **more.pop("teacher", {})}
        whole = {"name": "rows", "questions": questions, "teacher": teacher, "tries": 1}
        return BuildPlan.model_validate(whole | form | more)

    def __call__(
        self, rows: list[dict[str, Any]], chat: Reply, *, concurrency: int = 1, **more: Any
    ) -> Yield:
        with canned(server("teacher", chat=chat)) as teacher:
            try:
                return self.run(self.plan(rows, teacher.url, **more), concurrency)
            finally:
                self.asked = [body for _, body in teacher.asked if body]

    def run(self, plan: BuildPlan, concurrency: int = 1) -> Yield:
        tools = {name: Track() for name in plan.tools}
        quiet: Callable[[str], None] = lambda _: None  # noqa: E731
        place = self.folder / "built"
        return build(plan, place, tools, concurrency=concurrency, api_key=None, report=quiet)

    @property
    def rows(self) -> list[dict[str, Any]]:
        lines = (self.folder / "built" / "rows.jsonl").read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines if line]
