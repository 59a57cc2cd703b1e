"""What an evaluation found, for people (Markdown, a picture) and for programs (JSON), in one folder::

report.md      one table a kind of measure
report.json    every measure with its standard error, and what was asked
report.png
rows.jsonl     what each row gave, to look into
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pointsman.artefact import write_atomically
from training.evaluation.evaluate import Findings, names
from training.evaluation.measures import Measure, difference
from training.evaluation.part import Part

TITLES = {
    "loss": "Held-out loss",
    "general": "General probe",
    "tools": "Tool calls",
    "preferences": "Preferences",
    "answers": "Answers",
    "judged": "Judged beside references",
    "routing": "Routing",
    "lm_eval": "lm-eval tasks",
}
_OF_SHARES = ("tools", "preferences", "answers", "judged", "routing")
FORGETTING = "A loss that rises here is what the adapter has made the base forget."
LOSS, PERPLEXITY, MARGIN, SECONDS = "nats_per_token", "perplexity", "margin_nats", "seconds"


def write(
    folder: Path, findings: Sequence[Findings], parts: Sequence[Part], about: Mapping[str, Any]
) -> None:
    """Write the whole report; ``about`` says what was asked, and of whom."""
    from training.evaluation import picture

    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "report.md", markdown(findings, parts, about).encode())
    content = json.dumps(as_json(findings, parts, about), ensure_ascii=False, indent=2) + "\n"
    write_atomically(folder / "report.json", content.encode())
    rows = [json.dumps(row, ensure_ascii=False) + "\n" for found in findings for row in found.details]
    write_atomically(folder / "rows.jsonl", "".join(rows).encode())
    picture.draw(findings, folder / "report.png")


def as_json(findings: Sequence[Findings], parts: Sequence[Part], about: Mapping[str, Any]) -> dict[str, Any]:
    """All that was measured, by model and name."""
    first, *others = findings
    return {
        **about,
        "dropped_rows": {part.name: dict(part.dropped) for part in parts if part.dropped},
        "models": {
            found.model: {
                "versions": list(found.versions),
                "measures": {name: _plain(measure) for name, measure in found.measures.items()},
                "missing": {name: str(why) for name, why in found.missing.items()},
            }
            for found in findings
        },
        "differences": {
            f"{first.model} - {other.model}": {
                name: {"value": apart[0], "standard_error": apart[1]}
                for name, measure in first.measures.items()
                if name in other.measures and (apart := difference(measure, other.measures[name]))
            }
            for other in others
        },
    }


def markdown(findings: Sequence[Findings], parts: Sequence[Part], about: Mapping[str, Any]) -> str:
    """The report as a person reads it; what follows ± is the standard error."""
    lines = [f"# {' against '.join(found.model for found in findings)}", ""]
    lines += [f"- {key}: {value}" for key, value in about.items() if not isinstance(value, dict)]
    lines += [
        f"- {found.model} was answered by {', '.join(found.versions)}" for found in findings if found.versions
    ]
    lines += [
        f"- {part.name}: dropped {count} rows: {why}" for part in parts for why, count in part.dropped.items()
    ]
    lines += [
        f"- **not measured**: {name} of {found.model}: {' '.join(str(why).split())}"
        for found in findings
        for name, why in found.missing.items()
    ]
    for kind, title in TITLES.items():
        measured = [name for name in names(findings) if name.partition(".")[0] == kind]
        if measured:
            lines += ["", f"## {title}", ""]
            if kind == "general" and len(findings) > 1:
                lines += [FORGETTING, ""]
            lines += _table(kind, measured, findings)
    return "\n".join([*lines, ""])


def _table(kind: str, measured: Sequence[str], findings: Sequence[Findings]) -> list[str]:
    first, *others = findings
    heads = [
        "",
        *(found.model for found in findings),
        *(f"change from {one.model}" for one in others),
        "over",
    ]
    rows = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for name in measured:
        counts = [found.measures[name].count for found in findings if name in found.measures]
        cells = [name.removeprefix(f"{kind}.").replace("_", " ")]
        cells += [shown(name, found.measures.get(name)) for found in findings]
        cells += [_change(name, first.measures.get(name), other.measures.get(name)) for other in others]
        cells.append(f"{counts[0]:,.0f}" if counts[0] else "")
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def shown(name: str, measure: Measure | None) -> str:
    """A measure in words: a share in per cent, the rest as it is."""
    if measure is None or measure.value is None:
        return "none"
    return _number(name, measure.value, measure.error)


def _change(name: str, measure: Measure | None, other: Measure | None) -> str:
    apart = difference(measure, other) if measure and other else None
    return _number(name, *apart, signed=True) if apart else "none"


def _number(name: str, value: float, error: float | None, *, signed: bool = False) -> str:
    share = is_share(name)
    places, factor, unit = (1, 100, " %") if share else (4, 1, "")
    text = f"{factor * value:{'+' if signed else ''}.{places}f}"
    return text + (f" ± {factor * error:.{places}f}" if error is not None else "") + unit


def is_share(name: str) -> bool:
    """Whether the measure lies between 0 and 1."""
    kind, metric = name.partition(".")[0], name.rpartition(".")[2]
    if kind == "lm_eval":  # "lm_eval.TASK.METRIC", and a filter's name where it has one
        return any(part in ("acc", "acc_norm", "exact_match", "f1", "em") for part in name.split(".")[2:])
    return kind in _OF_SHARES and metric not in (MARGIN, SECONDS)


def _plain(measure: Measure) -> dict[str, float | None]:
    return {"value": measure.value, "standard_error": measure.error, "count": measure.count}
