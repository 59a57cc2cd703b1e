"""What has been asked so far, one line a question, so that a build that was stopped goes on where it was.

::

    runs/<name>/
      journal.jsonl   the plan's digest, then every question's tries
      rows.jsonl      the rows that were kept, in the questions' order, for a recipe of sft
      report.json     the yield by reason
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pointsman import artefact
from training.errors import RunConflict
from training.held import held


@dataclass(slots=True)
class Journal:
    """The journal of one build, held for this process alone."""

    path: Path
    done: dict[int, dict[str, Any]] = field(default_factory=dict)  # question → its line

    def add(self, question: int, line: Mapping[str, Any]) -> None:
        """Write down what became of a question, in one piece."""
        whole = {"question": question, **line}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(whole, ensure_ascii=False) + "\n")
        self.done[question] = whole


@contextmanager
def opened(folder: Path, digest: str) -> Iterator[Journal]:
    """The journal in ``folder`` of the build whose plan and questions have this ``digest``.

    Raises:
        RunConflict: another process builds there, or the folder holds something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    busy = RunConflict(f"{folder}: another process is building there; wait for it or stop it")
    with held(folder / "lock", busy):
        if (folder / "artefact").exists() or (folder / "checkpoints").exists():
            raise RunConflict(f"{folder} holds a training run; give the plan another name")
        yield _read(folder / "journal.jsonl", digest)


def _read(path: Path, digest: str) -> Journal:
    """What is there, its last line cut off where a killed process left half of it."""
    content = path.read_text(encoding="utf-8") if path.is_file() else ""
    whole = content.split("\n")[:-1]  # splitlines cuts inside JSON texts, at U+2028
    if not whole:
        artefact.write_atomically(path, (json.dumps({"plan": digest}) + "\n").encode())
        return Journal(path)
    if json.loads(whole[0]) != {"plan": digest}:
        raise RunConflict(
            f"{path.parent} was begun with another plan or other questions; a build can't change them on "
            "the way. Remove the folder to begin again, or give the plan another name"
        )
    if not content.endswith("\n"):
        artefact.write_atomically(path, "".join(f"{line}\n" for line in whole).encode())
    lines = [json.loads(line) for line in whole[1:]]
    return Journal(path, {line["question"]: line for line in lines})
