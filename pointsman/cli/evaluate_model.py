"""``pointsman eval model``: how good a served model is, by a plan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ApiKeyOption, ConfigOption, UrlOption
from pointsman.cli.terminal import Progress, err, reported, say

if TYPE_CHECKING:
    from training.evaluation.plan import Plan

DEMO_PLAN = DEMO_CONFIG.parent / "evaluations" / "support.yaml"


def model(
    name: Annotated[
        str, typer.Argument(metavar="MODEL", help="An alias, alias@version or the base, as clients call it.")
    ],
    *,
    plan: Annotated[
        Path,
        typer.Option(metavar="PLAN", show_default=False, help="What is asked; else the demo's help desk's."),
    ] = DEMO_PLAN,
    against: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="Measure this one beside it; may be repeated.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", show_default=False, help="Folder or hub id of its base; else that of --config."
        ),
    ] = None,
    config: ConfigOption = DEMO_CONFIG,
    rows: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="At most so many rows of each part.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests at a time.")] = 8,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", show_default=False, help="For the report; else runs/evaluation-MODEL."
        ),
    ] = None,
) -> None:
    """Measure a served model: held-out loss, tool calls, preferences, the general probe, lm-eval tasks.

    Any OpenAI-compatible server will do, the running gateway is the default. For everything but tool calls it
    must give the log-probabilities of a prompt, as vLLM does. The report is Markdown, JSON and a picture.
    A part that can't be measured is named in it with the reason, beside what the others gave; the status is 1
    then, and the same command measures all parts anew.

    Examples:

    - `pointsman eval model support --against pointsman-demo`
    - `pointsman eval model support@1f0c9a7be2d4 --against support --rows 50`
    - `pointsman eval model my-model --url http://10.0.0.7:8000 --tokenizer Qwen/Qwen3-8B --plan plan.yaml`
    """
    err().print("loading the tokenizer", style="dim")
    from datetime import UTC, datetime

    from pointsman import document
    from pointsman.artefact import ArtefactError
    from pointsman.document import DocumentError
    from training.errors import TrainingError
    from training.evaluation import report as reports
    from training.evaluation.evaluate import evaluate, refuse_gaps
    from training.evaluation.load import load
    from training.evaluation.plan import Plan
    from training.models import base
    from training.run import quieten
    from training.runs import provenance

    models = [name, *(other for other in against or () if other != name)]
    folder = folder or Path("runs") / ("evaluation-" + re.sub(r"[^\w.@-]", "-", name))
    with reported(DocumentError, TrainingError, ArtefactError, OSError), Progress() as report:
        asked = _shorter(document.load(Plan, plan), rows)
        read = base.load_tokenizer(tokenizer or base_of(config))
        quieten()
        report(f"reading the rows of {plan}")
        parts = load(asked, read)
        findings = evaluate(parts, models, url=url, api_key=api_key, concurrency=concurrency, report=report)
        about = {
            "plan": str(plan),
            "server": url,
            "tokenizer": tokenizer or base_of(config),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "code": provenance.code(),
            "asked": asked.model_dump(mode="json", exclude_defaults=True),
        }
        reports.write(folder, findings, parts, about)
    say(reports.markdown(findings, parts, about))
    say(f"written to {folder}: report.md, report.json, report.png, rows.jsonl")
    with reported(TrainingError):
        refuse_gaps(findings)


def base_of(config: Path) -> str:
    """The base that the gateway of ``config`` serves; raises DocumentError."""
    from service.settings import Settings

    return str(Settings.load(config).engine.model)


def _shorter(plan: Plan, rows: int | None) -> Plan:
    """``plan`` with at most ``rows`` rows of each part."""
    from training.evaluation.plan import PARTS

    if rows is None:
        return plan
    changes: dict[str, Any] = {
        kind: {
            name: held.model_copy(update={"rows": min(rows, held.rows)})
            for name, held in getattr(plan, kind).items()
        }
        for kind in PARTS
    }
    if plan.lm_eval:
        limit = min(rows, plan.lm_eval.limit or rows)
        changes["lm_eval"] = plan.lm_eval.model_copy(update={"limit": limit})
    return plan.model_copy(update=changes)
