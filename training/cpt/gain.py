"""What a run has gained on the new text and forgotten of the general one: one table and one plot."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pointsman.artefact import write_atomically
from training.cpt.forgetting import pooled
from training.cpt.heldout import NATS, Text, perplexity
from training.runs import curves
from training.runs.curves import Panel
from training.runs.folder import RunFolder

_TABLE, _NUMBERS, _PLOT = "gain.md", "gain.json", "gain.png"
_UNIT = (
    "Perplexity and nats are per token of the base's tokenizer, before and after, so that the two compare; "
    "the run's eval_loss is per token of its own, which are fewer and less likely each."
)
_ALL = {False: "all new text", True: "all general text"}
_STYLES = {False: ("-o", "-s", "-^"), True: ("--o", "--s", "--^")}


@dataclass(frozen=True, slots=True)
class Line:
    """One text, or all of a kind. Perplexities are per token of the base's tokenizer, nats too."""

    text: str
    general: bool
    characters: int  # held out
    tokens_per_character_before: float
    tokens_per_character: float
    perplexity_before: float | None  # None: the base was made from nothing
    perplexity: float
    change: float | None  # nats per token; below 0 is a gain


def lines(texts: list[Text], before: dict[str, float], after: dict[str, float]) -> list[Line]:
    """New texts, then general ones; ``before`` and ``after``: name → nats per token."""
    found = []
    for general in (False, True):
        some = [text for text in texts if text.general == general]
        groups = [(text.name, [text]) for text in some]
        if len(some) > 1:
            groups.append((_ALL[general], some))
        for name, group in groups:
            characters = sum(text.characters for text in group)
            now, then = pooled(group, after), pooled(group, before) if before else None
            found.append(
                Line(
                    text=name,
                    general=general,
                    characters=characters,
                    tokens_per_character_before=sum(text.tokens_before for text in group) / characters,
                    tokens_per_character=sum(text.tokens for text in group) / characters,
                    perplexity_before=None if then is None else perplexity(then),
                    perplexity=perplexity(now),
                    change=None if then is None else now - then,
                )
            )
    return found


def table(found: list[Line]) -> str:
    """The lines as a Markdown table; where the tokenizer has changed, by which one it counts."""
    rows = [
        "| held-out text | characters | tokens per character: before | after | perplexity: before | after "
        "| nats per token |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for line in found:
        before = "" if line.perplexity_before is None else f"{line.perplexity_before:,.3f}"
        change = "" if line.change is None else f"{line.change:+.4f}"
        rows.append(
            f"| {line.text}{' (general)' if line.general else ''} | {line.characters:,} "
            f"| {line.tokens_per_character_before:.4f} | {line.tokens_per_character:.4f} "
            f"| {before} | {line.perplexity:,.3f} | {change} |"
        )
    if any(line.tokens_per_character != line.tokens_per_character_before for line in found):
        rows += ["", _UNIT]
    return "\n".join(rows)


def write(found: list[Line], texts: list[Text], run: RunFolder, title: str, bound: float | None) -> None:
    """Table, numbers and, where there is a before, the plot, in the run's folder."""
    write_atomically(run.path / _TABLE, (table(found) + "\n").encode())
    numbers = json.dumps([asdict(line) for line in found], indent=2, ensure_ascii=False)
    write_atomically(run.path / _NUMBERS, numbers.encode())
    if found[0].change is not None:
        _draw(texts, run, title, bound)


def _draw(texts: list[Text], run: RunFolder, title: str, bound: float | None) -> None:
    """Each text's change over the steps: below 0 is a gain, above it is forgotten."""
    evaluations = [line for line in run.read_metrics() if NATS + texts[0].name in line]
    before = evaluations[0]
    points = []
    for line in evaluations:
        point = {"step": line["step"]}
        for text in texts:
            point[_legend(text)] = line[NATS + text.name] - before[NATS + text.name]
        if bound is not None:
            point["bound"] = bound
        points.append(point)
    styles = {
        _legend(text): _STYLES[text.general][number % len(_STYLES[text.general])]
        for number, text in enumerate(texts)
    }
    panel = Panel("change, nats per token", styles | {"bound": ":k"}, height=4)
    curves.draw(points, f"{title}: gain and forgetting", run.path / _PLOT, [panel])


def _legend(text: Text) -> str:
    name = text.name.rpartition("/")[2]
    return f"{name} (general)" if text.general else name
