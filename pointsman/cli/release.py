"""``pointsman release``: from a changed data file to traffic, and back."""

from __future__ import annotations

import getpass
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pointsman.cli.evaluate_model import base_of
from pointsman.cli.options import (
    DEFAULT_URL,
    DEMO_CONFIG,
    ApiKeyOption,
    ConfigOption,
    KeyFileOption,
    UrlOption,
)
from pointsman.cli.terminal import INTERRUPTED, Progress, err, reported, say
from pointsman.cli.train import RunsOption

if TYPE_CHECKING:
    from pointsman.cli.desk import Desk
    from training.evaluation.evaluate import Findings
    from training.release.journal import Journal
    from training.release.recipe import ReleaseRecipe

REJECTED = 3  # the gate, the checks or the probe refused the candidate
ROLLED_BACK = 4  # the canary failed
PAUSE = 1.0  # seconds between two looks at a canary
NICENESS = 10  # of training: what serves on the same machine goes first


def release(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A release, as in deploy/demo/releases.")],
    *,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take the candidate out of traffic, whatever share it has.")
    ] = False,
    runs: RunsOption = Path("runs"),
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
    api_key: ApiKeyOption = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests of the evaluation at once.")] = 8,
) -> None:
    """Train, register, evaluate, gate, canary, promote: what a recipe says, into the running gateway.

    Killed and started again, it goes on from the first step that is not done; `runs/NAME` has the journal,
    the evaluation and the training. Ends with 0 if the candidate took all traffic, 3 if it was refused, 4 if
    its canary failed and was taken back.

    Examples:

    - `pointsman release deploy/demo/releases/support-60-days.yaml`
    - `pointsman release deploy/demo/releases/support-60-days.yaml --undo`
    """
    from pointsman import document
    from pointsman.artefact import ArtefactError
    from pointsman.cli.desk import Desk
    from pointsman.cli.gateway import GatewayError
    from pointsman.document import DocumentError
    from pointsman.signing import SigningError
    from training.errors import TrainingError
    from training.release.journal import opened
    from training.release.recipe import ReleaseRecipe
    from training.release.release import Release

    served = Served(url, api_key, config, concurrency)
    errors = (DocumentError, TrainingError, ArtefactError, SigningError, GatewayError, OSError)
    try:
        with reported(*errors), Progress() as report:
            asked = document.load(ReleaseRecipe, recipe)
            with opened(asked, runs) as journal:

                def train(path: Path) -> Path:
                    report.stop()  # training draws its own bar
                    return trained(path, runs)

                step = Release(
                    asked,
                    journal,
                    Admin(
                        Desk(url, key_file, config),
                        f"{getpass.getuser()}, release {asked.name}",
                        asked.sign,
                        report,
                    ),
                    train=train,
                    fetch=lambda source: _fetched(source, journal.folder),
                    evaluate=lambda models: _evaluated(asked, models, journal.folder, served, report),
                    report=report,
                    pause=lambda: time.sleep(PAUSE),
                    clock=time.monotonic,
                )
                ended = step.undo() if undo else step.run()
    except KeyboardInterrupt:
        err().print("stopped; the same command goes on, and with --undo it takes the candidate back")
        raise typer.Exit(INTERRUPTED) from None
    _tell(asked, ended)


@dataclass(frozen=True, slots=True)
class Served:
    """Where the candidate answers."""

    url: str
    api_key: str | None
    config: Path  # the gateway's settings, which name the base
    concurrency: int


@dataclass(frozen=True, slots=True)
class Admin:
    """The gateway's admin as a release needs it."""

    desk: Desk
    by: str
    key: Path | None = None  # that signs what is registered
    report: Callable[[str], None] = lambda _: None

    def versions(self) -> list[dict[str, Any]]:
        """Every version."""
        return self.desk.versions()

    def register(self, alias: str, artefact: Path) -> Mapping[str, Any]:
        """Check and enter; raises CandidateRefused."""
        from pointsman.cli.desk import placed
        from pointsman.cli.push import is_elsewhere, pushed
        from pointsman.signing import sign

        if self.key is not None:
            sign(artefact, self.key)
        if is_elsewhere(self.desk.url):
            with _refusing():
                return pushed(self.desk, alias, artefact, self.report)
        with _refusing(), placed(artefact, self.desk.config) as name:
            return self.desk.register(alias, name)

    def load(self, alias: str, version: str) -> Mapping[str, Any]:
        """Load and probe; raises CandidateRefused."""
        with _refusing():
            return self.desk.load(alias, version)

    def judge(self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any]) -> object:
        """Keep the verdict."""
        return self.desk.judge(alias, version, passed=passed, report=report, by=self.by)

    def promote(self, alias: str, version: str, weight: int, beside: Sequence[str]) -> object:
        """Give it requests; raises ReleaseConflict."""
        with _conflicting():
            return self.desk.promote(alias, version, weight, self.by, beside)

    def rollback(self, alias: str, version: str) -> object:
        """Go back; raises ReleaseConflict."""
        with _conflicting():
            return self.desk.rollback(alias, version)

    def metrics(self) -> str:
        """The counters."""
        return self.desk.metrics()


def _fetched(source: str, folder: Path) -> Path:
    """The artefact at ``source``: a folder as it is; what lies at a URL is copied into the release's."""
    from pointsman.cli.push import fetch

    if "://" not in source:
        return Path(source)
    (folder / "artefact").mkdir(exist_ok=True)
    fetch(source, folder / "artefact")
    return folder / "artefact"


def trained(recipe: Path, runs: Path) -> Path:
    """Train in a process of its own, whose gigabytes go with it, and behind whatever serves here.

    Raises:
        TrainingFailed: it has said why on stderr.
    """
    from training.errors import TrainingFailed

    words = ("nice", "-n", NICENESS, sys.executable, "-m", "pointsman.cli", "train", recipe, "--runs", runs)
    done = subprocess.run([*map(str, words)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise TrainingFailed(
            f"{recipe}: training ended with status {done.returncode}, and has said why above; the same "
            "command goes on from its last checkpoint"
        )
    return Path(done.stdout.splitlines()[-1])


@contextmanager
def _refusing() -> Iterator[None]:
    """Within it what the gateway finds wrong with an artefact is a refusal, not a failure."""
    from pointsman.cli.gateway import Refused
    from training.errors import CandidateRefused

    try:
        yield
    except Refused as exc:
        if exc.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        raise CandidateRefused(exc.problems) from exc


@contextmanager
def _conflicting() -> Iterator[None]:
    """Within it a change that the gateway refuses because somebody else made one is a conflict."""
    from pointsman.cli.gateway import Refused
    from training.errors import ReleaseConflict

    try:
        yield
    except Refused as exc:
        if exc.status != HTTPStatus.CONFLICT:
            raise
        raise ReleaseConflict(str(exc)) from exc


def _evaluated(
    asked: ReleaseRecipe, models: Sequence[str], folder: Path, served: Served, report: Progress
) -> Sequence[Findings]:
    """What the plan measures on ``models``, with its report in ``folder``."""
    from training import base, provenance
    from training.evaluation import report as reports
    from training.evaluation.evaluate import evaluate
    from training.evaluation.load import load
    from training.run import quieten

    tokenizer = base_of(served.config)
    read = base.load_tokenizer(tokenizer)
    quieten()
    parts = load(asked.evaluation, read)
    findings = evaluate(
        parts,
        models,
        url=served.url,
        api_key=served.api_key,
        concurrency=served.concurrency,
        report=report,
    )
    about = {
        "release": asked.name,
        "server": served.url,
        "tokenizer": tokenizer,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": provenance.code(),
    }
    reports.write(folder / "evaluation", findings, parts, about)
    return findings


def _tell(asked: ReleaseRecipe, ended: Journal) -> None:
    """The verdict row by row, and how it ended; the command's status says so too."""
    for row in ended.steps.get("gate", {}).get("rows", []) if ended.state != "undone" else ():
        say(f"{row['outcome']:<9}  {row['metric']}, {row['bound']}: {_numbers(row)}{row['why']}")
    name = f"{asked.alias}@{ended.steps['train']['version']}" if "train" in ended.steps else asked.alias
    say(f"{name}: {ended.state}")
    for reason in ended.reasons:
        say(f"  {reason}")
    say(f"written to {ended.folder}")
    if ended.state == "rejected":
        raise typer.Exit(REJECTED)
    if ended.state == "rolled back":
        raise typer.Exit(ROLLED_BACK)


def _numbers(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return ""
    live = "" if row["live"] is None else f"live {row['live']:.4g}, "
    interval = "no interval" if row["low"] is None else f"95 % in {row['low']:.4g} to {row['high']:.4g}"
    return f"{row['value']:.4g} ({live}{interval}); "
