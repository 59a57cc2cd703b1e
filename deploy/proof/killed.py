"""The proof of a release whose gateway is killed: it goes on or is undone, and nothing is ever half done.

vLLM is started apart, so that only the gateway dies, at a random moment of a release that runs against it.
Started again, who is live must be one of the states that the release goes through, the engine must have what
the registry says, and the same command, or ``--undo``, must end as it does where nothing is killed.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import yaml

from deploy.proof import planted
from deploy.proof.served import ProofError, Served, engine_apart, running, settings_in
from pointsman.artefact import version_of
from service.settings import Settings
from training.release.journal import read

ALIAS = "support"
_STEPS = (10, 50)  # percent, of the canary
_MOVED = "as {} has it"  # a route's description, by which the version that brought it is known
_CONVERSATIONS = 12  # that are looked at, so that a canary has some
_RELEASE_SECONDS = 600.0
_START_SECONDS = 2.0  # of the command, before its first step is done
_LOOK_SECONDS = 0.05


@dataclass
class Killed:
    """What came of it."""

    kills: int = 0
    went_on: int = 0
    undone: int = 0
    at: list[str] = field(default_factory=list)  # the steps that were done before each kill
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report."""
        return [
            f"gateway killed {self.kills} times in a release: {self.went_on} went on to the end, "
            f"{self.undone} were undone",
            *(f"killed after: {said}" for said in self.at),
            *(f"FAULT {fault}" for fault in self.faults),
        ]


def prove(
    folder: Path, ports: tuple[int, int], kills: int, seed: int, report: Callable[[str], None]
) -> Killed:
    """Kill the gateway ``kills`` times; ``ports`` are the engine's and the gateway's, ``folder`` is empty.

    Raises:
        ProofError: it could not be led.
    """
    random, proof = Random(seed), Killed()
    engine, url = f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
    config = settings_in(folder, {"urls": [engine]}, few_routes=True)
    with engine_apart(Settings.load(config), ports[0], folder / "engine.txt"):
        report("the engine is up")
        releases = [_Candidate.planted(folder, number, url, config) for number in range(kills + 1)]
        moving = {one.new for one in releases}
        with running(config, ports[1], folder) as served:
            began = time.monotonic()
            _release(releases[0], served, None)
            report(f"a release takes {time.monotonic() - began:.0f} s: {', '.join(releases[0].steps())}")
            moments = _moments(releases[0])
            if kills:
                _kill_in(releases[1], served, random, moments)
        for number, one in enumerate(releases[1:], 1):
            proof.kills += 1
            done = ", ".join(one.steps()) or "nothing"
            proof.at.append(done)
            with running(config, ports[1], folder) as served:
                _look(served, engine, one, moving, proof)
                undo = bool(number % 2)
                said = _release(one, served, None, *(["--undo"] if undo else []))
                expected = [(one.old, 100)] if undo else [(one.new, 100)]
                if (found := _live(served)) != expected:
                    proof.faults.append(f"kill {number}: {found} are live, not {expected}; {said}")
                _look(served, engine, one, moving, proof)
                proof.undone += undo
                proof.went_on += not undo
                report(f"kill {number} of {kills}, after {done}: {said}")
                if number < kills:
                    _kill_in(releases[number + 1], served, random, moments)
    return proof


@dataclass
class _Candidate:
    """One release of the proof."""

    words: list[str]  # of the command
    run: Path  # the release's folder
    new: str  # the version that it releases
    old: str = ""  # that was live when it began

    @classmethod
    def planted(cls, folder: Path, number: int, url: str, config: Path) -> _Candidate:
        artefact = planted.good(folder / f"candidate-{number}" / "artefact", seed=number)
        recipe = _recipe(folder, number, artefact)
        words = [str(recipe), "--url", url, "--config", str(config), "--runs", str(folder / "runs")]
        return cls(words, folder / "runs" / f"release-{number}", version_of(artefact))

    def steps(self) -> Mapping[str, Mapping[str, Any]]:
        """What it has done, by its journal."""
        journal = read(self.run)
        return {} if journal is None else journal.steps


def _moments(done: _Candidate) -> list[tuple[str, float]]:
    """The steps behind which another takes time, "" for the beginning, and how many seconds that takes."""
    at = {step: datetime.fromisoformat(found["at"]).timestamp() for step, found in done.steps().items()}
    ends = (("train", "register"), ("register", "evaluate"), ("shadow", "canary"), ("canary", "promote"))
    return [("", _START_SECONDS), *((one, max(0.5, at[other] - at[one])) for one, other in ends)]


def _kill_in(one: _Candidate, served: Served, random: Random, moments: Sequence[tuple[str, float]]) -> None:
    """Begin a release, and kill the gateway in one of its steps, each as likely."""
    one.old = _live(served)[0][0]
    step, takes = random.choice(moments)
    _release(one, served, (step, random.uniform(0, takes)))


def _release(one: _Candidate, served: Served, kill_after: tuple[str, float] | None, *options: str) -> str:
    """Run it, and kill the gateway so many seconds behind a step; how it says that it ended, if it did."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pointsman.cli", "release", *one.words, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    ended = threading.Event()

    def kill(step: str, seconds: float) -> None:
        while step and step not in one.steps() and not ended.wait(_LOOK_SECONDS):
            pass
        ended.wait(seconds)
        served.gateway.kill()

    killing = None if kill_after is None else threading.Thread(target=kill, args=kill_after)
    if killing is not None:
        killing.start()
    try:
        said = process.communicate(timeout=_RELEASE_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise ProofError(f"the release did not end within {_RELEASE_SECONDS:g} s") from None
    finally:
        ended.set()
        if killing is not None:
            killing.join()
    if kill_after is None and process.returncode:
        raise ProofError(f"the release ended with {process.returncode}:\n{said[-2_000:]}")
    return next((line for line in said.splitlines() if line.startswith(f"{ALIAS}@")), "")


def _look(served: Served, engine: str, one: _Candidate, moving: Collection[str], proof: Killed) -> None:
    """Compare who is live with what a release goes through, and the engine with the registry."""
    old, new = one.old, one.new
    states = [[(old, 100)], *([(old, 100 - share), (new, share)] for share in _STEPS), [(new, 100)]]
    if (live := _live(served)) not in states:
        proof.faults.append(f"{live} are live, which is no state of the release of {new} over {old}")
    versions = _versions(served)
    has = {
        one["id"]
        for one in httpx.get(f"{engine}/v1/models", trust_env=False).json()["data"]
        if one.get("parent")
    }
    known = {one["name"] for one in versions if one["loaded"]}
    proof.faults += [f"{name}: only one of registry and engine has it" for name in sorted(known ^ has)]
    proof.faults += [f"{one['name']} has {one['leases']} leases" for one in versions if one["leases"]]
    proof.faults += _mixed(served, moving)
    body = {"model": ALIAS, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    answer = httpx.post(f"{served.url}/v1/chat/completions", json=body, timeout=60, trust_env=False)
    if answer.is_error:
        proof.faults.append(f"a request to {ALIAS} gave {answer.status_code} {answer.text[:200]}")


def _mixed(served: Served, moving: Collection[str]) -> Iterator[str]:
    """Conversations whose route is of one version and whose answer is of another; ``moving`` move it."""
    for number in range(_CONVERSATIONS):
        asked = {"messages": [{"role": "user", "content": "where is my parcel"}], "user": str(number)}
        body = {"model": "auto", "max_tokens": 1, **asked}
        taken = httpx.post(f"{served.url}/v1/route", json=asked, timeout=60, trust_env=False)
        answer = httpx.post(f"{served.url}/v1/chat/completions", json=body, timeout=60, trust_env=False)
        if taken.is_error or answer.is_error:
            yield f"a conversation gave {taken.text[:200]} and {answer.text[:200]}"
            continue
        version = answer.headers["x-pointsman-adapter"].rpartition("@")[2]
        by = [one for one in moving if taken.json()["route"]["description"] == _MOVED.format(one)]
        if by != [version] * (version in moving):
            yield f"a conversation has the route of {by or 'nobody'}, and {version} answers it"


def _versions(served: Served) -> list[dict[str, Any]]:
    answer = httpx.get(f"{served.url}/admin/adapters", headers=served.admin, timeout=60, trust_env=False)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
    return found


def _live(served: Served) -> list[tuple[str, int]]:
    """Versions and shares, the primary first."""
    live = [one for one in _versions(served) if one["alias"] == ALIAS and one["state"] == "live"]
    live.sort(key=lambda one: bool(one["canary"]))
    return [(one["version"], one["weight"]) for one in live]


def _recipe(folder: Path, number: int, artefact: Path) -> Path:
    window = {"generator": "deploy.demo.text.questions:window", "arguments": {"refund_days": 30}}
    content = {
        "name": f"release-{number}",
        "alias": ALIAS,
        "artefact": str(artefact),
        "evaluation": {"answers": {"window": {**window, "rows": 4, "max_new_tokens": 48}}},
        "gate": [{"metric": "answers.window.correct", "at_least": 0.1}],
        "moves": {"routes": {"track_parcel": {"description": _MOVED.format(version_of(artefact))}}},
        "canary": {"steps": [{"weight": share, "seconds": 2} for share in _STEPS]},
    }
    path = folder / f"release-{number}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
