"""The proof of the gate: candidates that are bad in a known way are refused for it, and good ones are not.

Each takes the way of a release to the verdict, checks and probe included; none gets traffic. What a bad one
must be refused for stands beside it in the code, before it is judged: words of a check's or the probe's
problem, or the measure that it must fail. "So few rows can't tell" is a refusal, and no such failure. Of a
bad one that measure alone is asked for, as one missed row of the table refuses it; of a good one all are.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

import httpx

from deploy.proof import badly_trained, planted
from deploy.proof.served import HOME, ProofError, Served
from pointsman.artefact import version_of
from training.evaluation.evaluate import evaluate, refuse_gaps
from training.evaluation.load import load
from training.evaluation.measures import Measure
from training.evaluation.plan import Plan
from training.models import base
from training.release.gate import Criterion, judge

ALIAS = "support"
_TURNS = "deploy.demo.text.questions:turns"
SEED = 1592  # of questions that are others than those on which reasons and bounds were chosen
_ASKED: Mapping[str, Mapping[str, Any]] = {
    "tracking": {"generator": _TURNS, "arguments": {"intent": "track_parcel"}},
    "customs": {"generator": _TURNS, "arguments": {"intent": "customs"}},
    "refusals": {"generator": "deploy.demo.text.questions:refusals"},
}
_AGAIN = "the live version again"
_LIVE = "is live already"  # as a release says it before it asks anything
_SECONDS = 300.0
_AT_ONCE = 32  # requests: one batch of a small engine takes hardly longer with more in it


@dataclass(frozen=True)
class Outcome:
    """What became of one candidate."""

    name: str
    kind: Literal["bad", "good"]
    refused: tuple[str, ...]  # every reason; none: it passed
    right: bool  # refused for what it was to be refused for, or passed and good


def plan(rows: int, seed: int = SEED) -> Plan:
    """What candidates are asked: tracking, which the base can do too; customs, whose facts the adapter alone
    knows; what the desk must turn away; and the base's mix, for what must not be forgotten."""
    answers = {name: {**asked, "rows": rows, "max_new_tokens": 96} for name, asked in _ASKED.items()}
    answers["customs"]["rows"] = 2 * rows  # the measure that most must fail
    general = {"base-mix": {"generator": "deploy.demo.text.corpus:corpus", "rows": rows}}
    return Plan.model_validate({"seed": seed, "answers": answers, "general": general})


def table() -> list[Criterion]:
    """Rows as the demo's release has them, with bounds that so few can keep, and can surely miss."""
    rows: Sequence[Mapping[str, Any]] = (
        {"metric": "answers.customs.correct", "at_least": "live - 0.15"},
        {"metric": "answers.tracking.correct", "at_least": "live - 0.25"},
        {"metric": "answers.refusals.correct", "at_least": "live - 0.25"},
        {"metric": "answers.tracking.stops", "at_least": 0.6},
        {"metric": "answers.tracking.streams_alike", "at_least": 0.6},
        {"metric": "general.base-mix.nats_per_token", "at_most": "live + 0.1"},
    )
    return [Criterion.model_validate(row) for row in rows]


def prove(
    served: Served, rows: int, seed: int, report: Callable[[str], None], only: Sequence[str] = ()
) -> Iterator[Outcome]:
    """The candidates one after the other; ``only`` names those that are wanted, ``seed`` is the questions'.

    Raises:
        ProofError, TrainingError: it could not be led.
    """
    parts = load(plan(rows, seed), base.load_tokenizer(str(HOME / "base")))

    def measured(model: str, names: Collection[str]) -> Mapping[str, Measure]:
        asked = [part for part in parts if part.name in names]
        if not asked:
            return {}
        found = evaluate(asked, [model], url=served.url, api_key=None, concurrency=_AT_ONCE, report=report)
        refuse_gaps(found)
        return found[0].measures

    versions = _ask(served, "GET", "").json()["data"]
    [live] = [one["name"] for one in versions if one["alias"] == ALIAS and one["state"] == "live"]
    was: dict[str, Measure] = {}  # of the live version, as far as it was asked
    asked: set[str] = set()
    judged = {**planted.JUDGED, **badly_trained.TRAINED}
    bad = {**planted.CHECKED, **planted.PROBED, _AGAIN: (planted.as_carried, _LIVE), **judged}
    for name, plant in {**{name: plant for name, (plant, _) in bad.items()}, **planted.GOOD}.items():
        if only and name not in only:
            continue
        artefact = plant(served.adapters / "planted")
        try:
            version = version_of(artefact)
            refused = _entered(served, version)
        finally:
            shutil.rmtree(artefact)
        if not refused and f"{ALIAS}@{version}" == live:
            refused = (_LIVE,)
        failed: set[str] = set()
        if not refused:
            names = {judged[name][1].rpartition(".")[0]} if name in judged else {one.name for one in parts}
            was |= measured(live, names - asked)
            asked |= names
            of_those = [row for row in table() if row.metric.rpartition(".")[0] in names]
            verdict = judge(of_those, measured(f"{ALIAS}@{version}", names), was)
            refused = tuple(verdict.reasons)
            failed = {row.metric for row in verdict.rows if row.outcome == "fail"}
        if name in judged:
            right = judged[name][1] in failed
        elif name in bad:
            right = any(bad[name][1] in one for one in refused)
        else:
            right = not refused
        yield Outcome(name, "bad" if name in bad else "good", refused, right)


def _entered(served: Served, version: str) -> tuple[str, ...]:
    """Register, load and probe; every problem that is found."""
    asked = (("", {"alias": ALIAS, "folder": "planted"}), (f"/{ALIAS}/load", {"version": version}))
    for path, body in asked:
        answer = _ask(served, "POST", path, body)
        if answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
            return tuple(answer.json()["error"]["problems"])
        if answer.is_error:
            raise ProofError(f"{path or 'register'}: {answer.status_code} {answer.text[:300]}")
    return ()


def _ask(served: Served, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
    return httpx.request(
        method,
        f"{served.url}/admin/adapters{path}",
        headers=served.admin,
        json=body,
        timeout=_SECONDS,
        trust_env=False,
    )
