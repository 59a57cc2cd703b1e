"""Evaluations of a small server, as a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.evaluation.evaluate import Findings, evaluate
from training.evaluation.load import load
from training.evaluation.plan import Plan


def plan(**parts: Any) -> Plan:
    return Plan.model_validate(parts)


def held(path: Path, form: str = "messages", **more: Any) -> dict[str, Any]:
    return {"path": str(path), "format": form, **more}


def measured(asked: Plan, tokenizer: Any, url: str, *models: str) -> list[Findings]:
    parts = load(asked, tokenizer)
    return evaluate(parts, models, url=url, api_key="k", concurrency=4, report=lambda _: None)


def value(found: Findings, name: str) -> float:
    number = found.measures[name].value
    assert number is not None
    return number


def harness(folder: Path, *tasks: str) -> Plan:
    return plan(lm_eval={"folder": str(folder), "tasks": list(tasks)})
