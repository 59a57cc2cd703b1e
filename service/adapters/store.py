"""Where registered versions lie: a copy of each, so that a name means the same bytes for ever.

The folder that a version was registered from may be trained into again, moved or deleted the next minute,
and vLLM reads an adapter's files again, at a time of its choosing, whenever its own cache had let go of it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from pointsman.artefact import (
    CONFIG,
    MANIFEST,
    WEIGHTS,
    ArtefactError,
    Manifest,
    read_manifest,
    version_of,
)
from service.errors import AdapterRejected


class Store:
    """Copies of artefacts in one folder, by ``alias@version``. Blocks: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, version: str, source: Path) -> None:
        """Copy the artefact in ``source``; one that is there and whole stays.

        Raises:
            AdapterRejected: its bytes are no longer those of ``version``.
        """
        target = self._folder / name
        if _is_whole(target, version):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=self._folder, prefix=".new-"))
        try:
            for file in (WEIGHTS, CONFIG, MANIFEST):
                shutil.copyfile(source / file, temporary / file)
            if not _is_whole(temporary, version):
                raise AdapterRejected(
                    [f"{source.name}: its files changed while it was being registered; again"]
                )
            os.chmod(temporary, 0o755)
            shutil.rmtree(target, ignore_errors=True)
            os.rename(temporary, target)
        except OSError as exc:
            raise AdapterRejected([f"{source.name}: can't be copied: {exc.strerror}"]) from exc
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def verified(self, name: str, version: str) -> Path:
        """The folder of a version, with its bytes hashed once more.

        Raises:
            AdapterRejected: they are not what was registered, or not there.
        """
        path = self._folder / name
        if not _is_whole(path, version):
            raise AdapterRejected(
                [f"{name}: its stored files are missing or were changed; register its folder again"]
            )
        return path

    def manifest(self, name: str) -> Manifest | None:
        """The manifest of a version; None where its copy is gone."""
        try:
            return read_manifest(self._folder / name)
        except ArtefactError:
            return None

    def remove(self, name: str) -> None:
        """Delete the copy, if there is one."""
        shutil.rmtree(self._folder / name, ignore_errors=True)


def _is_whole(folder: Path, version: str) -> bool:
    try:
        return version_of(folder) == version
    except (ArtefactError, OSError):
        return False
