"""Whether what a run has left behind is whole: its checkpoints, and the files that it goes on by.

A checkpoint's last file, ``complete``, says how long each of the others is. They may be shorter all the same:
where power fails, a file may be known by name and not yet written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from pointsman.artefact import write_atomically
from training.errors import RunConflict

MARK = "complete"


def mark(checkpoint: Path) -> None:
    """Say that the folder ``checkpoint`` is whole."""
    files = sorted(file for file in checkpoint.rglob("*") if file.is_file())
    sizes = {str(file.relative_to(checkpoint)): file.stat().st_size for file in files}
    write_atomically(checkpoint / MARK, json.dumps(sizes).encode())


def damage(checkpoint: Path) -> str:
    """What is no longer as it was when ``checkpoint`` was marked; "": nothing, or nobody wrote it down."""
    with readable(checkpoint / MARK):
        text = (checkpoint / MARK).read_text(encoding="utf-8")
        for name, size in json.loads(text or "{}").items():
            file = checkpoint / name
            found = file.stat().st_size if file.is_file() else None
            if found != size:
                now = "is gone" if found is None else f"has {found:,} bytes of {size:,}"
                return f"{file} {now}"
    return ""


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Within it what can't be made of ``path``, a file of a run, is an error that names it.

    Raises:
        RunConflict
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as exc:
        reason = " ".join(str(exc).split())[:100] or type(exc).__name__
        raise RunConflict(
            f"{path} is damaged ({type(exc).__name__}: {reason}), and the run goes on by it; put the file "
            "back as it was, or remove the run's folder to begin again"
        ) from exc
