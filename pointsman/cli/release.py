"""``pointsman release``: from a changed data file to traffic, and back."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
from pointsman.cli.release_admin import Admin
from pointsman.cli.terminal import INTERRUPTED, Progress, err, reported, say
from pointsman.cli.train import RunsOption

if TYPE_CHECKING:
    from training.evaluation.evaluate import Findings
    from training.release.journal import Journal
    from training.release.recipe import Conversion, ReleaseRecipe

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
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="Another name than the recipe's, for the release and its training: once more, from data "
            "that changed.",
        ),
    ] = None,
    runs: RunsOption = Path("runs"),
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
    api_key: ApiKeyOption = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests of the evaluation at once.")] = 8,
) -> None:
    """Train, register, evaluate, gate, shadow, canary, promote: what a recipe says, into the running gateway.

    Killed and started again, it goes on from the first step that is not done; `runs/NAME` has the journal,
    the evaluation and the training. Ends with 0 if the candidate took all traffic, 3 if it was refused, 4 if
    its canary failed and was taken back.

    Examples:

    - `pointsman release deploy/demo/releases/support-60-days.yaml`
    - `pointsman release deploy/demo/releases/support-60-days.yaml --undo`
    - `pointsman release deploy/demo/releases/support-60-days.yaml --name support-2` releases it again, from
      what its data files hold now
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
            asked = _named(document.load(ReleaseRecipe, recipe), name)
            with opened(asked, runs) as journal:

                def train(path: Path) -> Path:
                    report.stop()  # training draws its own bar
                    run = None if name is None else f"{name}-training"
                    return _as_lora(trained(path, runs, run), asked.convert, journal.folder)

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
                    fetch=lambda source: _as_lora(
                        _fetched(source, journal.folder), asked.convert, journal.folder
                    ),
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


def _fetched(source: str, folder: Path) -> Path:
    """The artefact at ``source``: a folder as it is; what lies at a URL is copied into the release's."""
    from pointsman.cli.push import fetch

    if "://" not in source:
        return Path(source)
    (folder / "artefact").mkdir(exist_ok=True)
    fetch(source, folder / "artefact")
    return folder / "artefact"


def _named(asked: ReleaseRecipe, name: str | None) -> ReleaseRecipe:
    """The recipe, under another ``name`` if one is given; raises typer.BadParameter."""
    from pydantic import ValidationError

    if name is None:
        return asked
    try:
        return type(asked).model_validate(asked.model_dump(by_alias=True) | {"name": name})
    except ValidationError as exc:
        raise typer.BadParameter(f"{name!r}: {exc.errors()[0]['msg']}", param_hint="--name") from exc


def trained(recipe: Path, runs: Path, name: str | None = None) -> Path:
    """Train in a process of its own, whose gigabytes go with it, and behind whatever serves here.

    ``name`` is the run's, where it is not the recipe's.

    Raises:
        TrainingFailed: it has said why on stderr.
    """
    why = (
        f"{recipe}: training ended with status {{}}, and has said why above; the same command goes on from "
        "its last checkpoint, where there is one"
    )
    named = () if name is None else ("--set", f"name={name}")
    return _apart("train", recipe, "--runs", runs, *named, why=why)


def _as_lora(artefact: Path, asked: Conversion, folder: Path) -> Path:
    """``artefact`` if vLLM serves it as it is, else a LoRA made of it, in the release's ``folder``.

    Raises:
        TrainingFailed: it can't be made, or lies too far away; it has said why on stderr.
    """
    from pointsman.artefact import MANIFEST, SERVED, read_manifest

    if not (artefact / MANIFEST).is_file() or read_manifest(artefact).method in SERVED:
        return artefact  # what has no manifest is refused where it is registered
    out = folder / "converted"
    shutil.rmtree(out, ignore_errors=True)
    given = asked.model_dump(exclude_none=True)
    options = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]
    why = f"{artefact}: converting it ended with status {{}}, and has said why above"
    return _apart("convert", artefact, "--to", "lora", "--out", out, *options, why=why)


def _apart(*words: object, why: str) -> Path:
    """Run one of our commands behind whatever serves here; the path that it ends with."""
    from training.errors import TrainingFailed

    command = ("nice", "-n", NICENESS, sys.executable, "-m", "pointsman.cli", *words)
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise TrainingFailed(why.format(done.returncode))
    return Path(done.stdout.splitlines()[-1])


def _evaluated(
    asked: ReleaseRecipe, models: Sequence[str], folder: Path, served: Served, report: Progress
) -> Sequence[Findings]:
    """What the plan measures on ``models``, with its report in ``folder``."""
    from training.evaluation import report as reports
    from training.evaluation.evaluate import evaluate, refuse_gaps
    from training.evaluation.load import load
    from training.models import base
    from training.run import quieten
    from training.runs import provenance

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
    refuse_gaps(findings)  # what is missing is no ground to judge on
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
