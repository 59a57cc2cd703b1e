"""What a run was begun with must still be there: its recipe and the files that it learns from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pointsman import artefact
from training.data.reading import files
from training.errors import RunConflict
from training.runs import whole

FILES = "files.json"


def refuse_other_recipe(run: Path, recipe: Path, config: Mapping[str, Any]) -> None:
    """Compare ``config`` with the ``recipe`` that the run in folder ``run`` was begun with.

    Raises:
        RunConflict: with every key that differs; or ``recipe`` is gone.
    """
    if not recipe.is_file():
        raise RunConflict(
            f"{run} holds a run without its {recipe.name}, so nobody can tell whether it is of this recipe. "
            "Put the file back, remove the folder to begin again, or give this recipe another name (--set "
            "name=...)"
        )
    with whole.readable(recipe):
        before = _flat(_deciding(yaml.safe_load(recipe.read_text(encoding="utf-8"))))
    now = _flat(_deciding(config))
    changed = [
        f"{key}: {before.get(key)!r} then, {now.get(key)!r} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise RunConflict(
            f"{run} holds a run of another recipe ({'; '.join(changed)}). Remove the folder to begin "
            "again, or give this recipe another name (--set name=...)"
        )


def compare_files(run: Path, now: Mapping[str, str], *, finished: bool) -> None:
    """Remember the files' hashes; of a run that is finished, compare them with those that it was made of.

    One that is not finished compares the rows that it reads, by itself.

    Raises:
        RunConflict: with the files that changed since.
    """
    path = run / FILES
    if not finished:
        artefact.write_atomically(path, json.dumps(now, indent=2, ensure_ascii=False).encode())
        return
    with whole.readable(path):
        before = (
            json.loads(path.read_text(encoding="utf-8")) if path.is_file() else now
        )  # of an older release
        changed = files.changed(before, now)
    if changed:
        raise RunConflict(
            f"{run} is finished, and {', '.join(changed)} changed since. To train from what is there now, "
            "give the recipe another name (--set name=...), or remove the folder"
        )


def _deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the result: not where the metrics are shown, nor where a server is that samples."""
    kept = {key: value for key, value in config.items() if key not in ("trackers", "server")}
    return kept | ({"server": "a server"} if config.get("server") else {})


def _flat(value: Any, at: str = "") -> dict[str, Any]:
    """Every value by its dotted path; what is empty has none, as in a recipe older than its key."""
    if isinstance(value, dict):
        return {
            k: v
            for key, child in value.items()
            for k, v in _flat(child, f"{at}.{key}" if at else key).items()
        }
    if isinstance(value, list):
        return {k: v for i, child in enumerate(value) for k, v in _flat(child, f"{at}.{i}").items()}
    return {at: value}
