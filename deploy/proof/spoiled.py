"""The proof that changed bytes are found: an artefact's file is written over at random moments of its load.

Before the load, in the middle of it and after it. Each change must be refused, at that load or, where the
engine had read the right bytes before, at the next one; and until then the answers are the right version's.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

import httpx

from deploy.proof import planted
from deploy.proof.served import ProofError, Served
from deploy.proof.traffic import QUESTIONS
from pointsman.artefact import WEIGHTS, version_of

ALIAS = "support"
_BLOCK = 4096  # bytes, of which two change places: other numbers, and finite ones
_TOKENS = 16
_SPANS = ((-0.1, 0.1), (0.0, 1.2))  # of a load: where its files are read, and all of it with the probe
_CHANGED = "were changed"  # of the refusal
_SECONDS = 300.0


@dataclass
class Spoiled:
    """What came of it."""

    changes: int = 0
    moments: Counter[str] = field(default_factory=Counter)  # when they were made
    at_once: int = 0  # refused by the load that was under way
    at_next: int = 0  # by the next; this one had read the right bytes
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report."""
        moments = ", ".join(f"{count} {moment}" for moment, count in sorted(self.moments.items()))
        return [
            f"bytes changed {self.changes} times ({moments} its load): {self.at_once} refused by that load, "
            f"{self.at_next} by the next, after right answers",
            *(f"FAULT {fault}" for fault in self.faults),
        ]


def prove(served: Served, changes: int, seed: int, report: Callable[[str], None]) -> Spoiled:
    """Change the bytes of one version ``changes`` times; the engine has so few slots that another takes its.

    Raises:
        ProofError, httpx.HTTPError: it could not be led.
    """
    random, proof = Random(seed), Spoiled()
    with httpx.Client(base_url=served.url, headers=served.admin, timeout=_SECONDS, trust_env=False) as admin:
        one, other = (_Version.planted(served, admin, name, seed) for seed, name in enumerate("ab", 1))
        stored = served.state / "adapters" / f"{ALIAS}@{one.version}" / WEIGHTS
        one.load()
        right = one.answers()
        other.load()
        began = time.monotonic()
        one.load()
        takes = time.monotonic() - began
        for number in range(1, changes + 1):
            other.load()
            if one.is_loaded():
                raise ProofError("both versions are loaded: start the engine with --slots 1")
            moment, answer = _changed_during(stored, one, random, takes)
            proof.changes += 1
            proof.moments[moment] += 1
            if answer.is_success:
                if moment == "before":
                    proof.faults.append(f"change {number}, before the load, was not refused")
                if one.answers() != right:
                    proof.faults.append(f"change {number}, {moment} the load: its answers are others")
                other.load()
                answer = one.ask("load")
                proof.at_next += _is_refused(answer)
            else:
                proof.at_once += _is_refused(answer)
            if not _is_refused(answer):
                proof.faults.append(f"change {number}, {moment} the load: {answer.status_code} {answer.text}")
            one.register()
            report(f"change {number} of {changes}, {moment} the load: {answer.status_code}")
        one.load()
        if one.answers() != right:
            proof.faults.append("registered again, it answers otherwise")
        for version in (one, other):
            version.ask("retire").raise_for_status()
            shutil.rmtree(version.folder)
    return proof


@dataclass(frozen=True)
class _Version:
    """A version that is registered, and answers who names it."""

    admin: httpx.Client
    folder: Path
    version: str

    @classmethod
    def planted(cls, served: Served, admin: httpx.Client, name: str, seed: int) -> _Version:
        folder = planted.noise(served.adapters / f"spoiled-{name}", 0.3, seed=seed)
        found = cls(admin, folder, version_of(folder))
        found.register()
        return found

    def register(self) -> None:
        """Enter it, or mend its copy."""
        body = {"alias": ALIAS, "folder": self.folder.name}
        self.admin.post("/admin/adapters", json=body).raise_for_status()

    def ask(self, word: str) -> httpx.Response:
        """Load or retire it."""
        return self.admin.post(f"/admin/adapters/{ALIAS}/{word}", json={"version": self.version})

    def load(self) -> None:
        """Load it, which must succeed."""
        self.ask("load").raise_for_status()

    def is_loaded(self) -> bool:
        """Whether the gateway says so."""
        versions = self.admin.get("/admin/adapters").raise_for_status().json()["data"]
        return any(one["loaded"] for one in versions if one["version"] == self.version)

    def answers(self) -> Sequence[Any]:
        """What it says greedily, with the chance of each token."""
        found = []
        for question in QUESTIONS[:2]:
            body = {
                "model": f"{ALIAS}@{self.version}",
                "messages": [{"role": "user", "content": question}],
                "max_tokens": _TOKENS,
                "temperature": 0,
            }
            answer = self.admin.post("/v1/chat/completions", json=body).raise_for_status()
            found.append(answer.json()["choices"][0]["message"]["content"])
        return found


def _changed_during(
    path: Path, version: _Version, random: Random, takes: float
) -> tuple[str, httpx.Response]:
    """Load it while its file is changed some time from just before to just after; when, and the answer."""
    after = random.uniform(*random.choice(_SPANS)) * takes
    answers: list[tuple[float, float, httpx.Response]] = []

    def load() -> None:
        began = time.monotonic()
        answer = version.ask("load")
        answers.append((began, time.monotonic(), answer))

    loading = threading.Thread(target=load)
    if after >= 0:
        loading.start()
        time.sleep(after)
    change(path, random)
    changed = time.monotonic()
    if after < 0:
        time.sleep(-after)
        loading.start()
    loading.join()
    if not answers:
        raise ProofError("the load got no answer")
    began, ended, answer = answers[0]
    moment = "before" if changed < began else "after" if changed > ended else "during"
    return moment, answer


def change(path: Path, random: Random) -> None:
    """Two blocks of the file's numbers change places, written over where they are."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        first, last = size // 2, size - _BLOCK  # the header lies before
        while True:
            places = random.randrange(first, last) & ~1, random.randrange(first, last) & ~1
            blocks = []
            for place in places:
                file.seek(place)
                blocks.append(file.read(_BLOCK))
            if abs(places[0] - places[1]) >= _BLOCK and blocks[0] != blocks[1]:
                break
        for place, block in zip(places, reversed(blocks), strict=True):
            file.seek(place)
            file.write(block)


def _is_refused(answer: httpx.Response) -> bool:
    return answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY and _CHANGED in answer.text
