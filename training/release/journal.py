"""What a release has done: one JSON file in its folder, replaced whole after every step.

A step is entered when it is done; killed before that, it is done again, so every step bears being done twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from pointsman.artefact import write_atomically
from pointsman.document import DocumentError
from training import recipe as recipes
from training.data.reading import files
from training.errors import ReleaseConflict
from training.held import held
from training.release.recipe import ReleaseRecipe

State = Literal["running", "promoted", "rejected", "rolled back", "undone"]
STEPS = ("train", "register", "evaluate", "gate", "shadow", "canary", "promote")
FILE = "release.json"


@dataclass(slots=True)
class Journal:
    """The steps of one release."""

    folder: Path
    recipe: dict[str, Any]
    state: State = "running"
    reasons: list[str] = field(default_factory=list)  # why it ended so
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)  # name → what it gave
    data: dict[str, str] | None = None  # file of its training → sha256, as it began; None: not known
    changed: list[str] = field(default_factory=list)  # those of them that are others now

    def go_on(self) -> None:
        """Whether it may.

        Raises:
            ReleaseConflict: it was undone, or its data changed since it began.
        """
        if self.state == "undone":
            raise ReleaseConflict(
                f"{self.folder} was undone; give the release another name (--name), or remove the folder"
            )
        if self.changed:
            raise ReleaseConflict(
                f"{self.folder} holds a release of other data: {', '.join(self.changed)} changed since. To "
                "release what is there now, add --name and a name that no release has had"
            )

    def done(self, step: str, **result: Any) -> dict[str, Any]:
        """Enter a step."""
        self.steps[step] = {**result, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        self._write()
        return self.steps[step]

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state != "running"

    def end(self, state: State, reasons: list[str], **steps: dict[str, Any]) -> None:
        """Enter how the release ended, and in the same stroke the ``steps`` that ended it."""
        self.state, self.reasons = state, reasons
        self.steps |= steps
        self._write()

    def forget(self, *steps: str) -> None:
        """Have these steps done again."""
        for step in steps:
            self.steps.pop(step, None)
        self._write()

    def _write(self) -> None:
        content = {
            "state": self.state,
            "reasons": self.reasons,
            "steps": self.steps,
            "data": self.data,
            "recipe": self.recipe,
        }
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        write_atomically(self.folder / FILE, text.encode())


@contextmanager
def opened(recipe: ReleaseRecipe, runs: Path) -> Iterator[Journal]:
    """The journal of ``recipe``'s release, held for this process alone.

    Raises:
        ReleaseConflict: another process has it, or it is of another recipe.
    """
    folder = runs / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    busy = ReleaseConflict(f"{folder}: another process is at this release; wait for it")
    with held(folder / "release.lock", busy):
        now = recipe.model_dump(mode="json", by_alias=True)
        found = read(folder) or Journal(folder, now)
        before = _as_today(found.recipe)
        if changed := [key for key in now if found.steps and before.get(key) != now[key]]:
            raise ReleaseConflict(
                f"{folder} holds a release of another recipe ({', '.join(changed)} changed since). Give this "
                "one another name (--name), or remove the folder"
            )
        found.recipe = now
        data = _files(recipe.train)
        if not found.steps:
            found.data = data
        elif found.data is not None and data is not None:
            found.changed = files.changed(found.data, data)
        yield found


def _files(train: Path | None) -> dict[str, str] | None:
    """What a training recipe learns from; None where it can't be read, which training says itself."""
    try:
        return {} if train is None else files.hashes(recipes.load(train))
    except DocumentError:
        return None


def _as_today(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe that was begun by another version of this code, with what has been added to recipes since."""
    try:
        return ReleaseRecipe.model_validate(recipe).model_dump(mode="json", by_alias=True)
    except ValidationError:
        return recipe


def read(folder: Path) -> Journal | None:
    """The journal in ``folder``; None where there is none.

    Raises:
        ReleaseConflict: its file can't be read.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_bytes())
        done = content["recipe"], content["state"], content["reasons"], content["steps"]
        return Journal(folder, *done, content.get("data"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ReleaseConflict(f"{path}: can't be read ({exc}); remove the folder to begin again") from exc
