"""Where registered versions lie: a copy of each, so that a name means the same bytes for ever.

The folder that a version was registered from may be trained into again, moved or deleted the next minute,
and vLLM reads an adapter's files again, at a time of its choosing, whenever its own cache had let go of it.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from pointsman.artefact import (
    CONFIG,
    MANIFEST,
    SIGNATURE,
    WEIGHTS,
    ArtefactError,
    Manifest,
    read_manifest,
    version_of,
    write_manifest,
)
from pointsman.signing import SigningError, mistrust, signer
from service.errors import AdapterRejected, StoreUnavailable

_NEW = ".new-"  # a copy that is being made
_OURS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}  # the disk's fault, not the artefact's

Stamp = tuple[int, int, int, int]  # device, inode, time of change in ns, size

_TICK_NS = 10_000_000  # file systems tell times of change apart that are further from each other


class Store:
    """Copies of artefacts in one folder, by ``alias@version``. Blocks: call it in a thread."""

    def __init__(self, folder: Path, trusted: Collection[str] = ()) -> None:
        self._folder = folder
        self._trusted = trusted  # public keys; none: signatures are not asked for
        self._whole: dict[str, tuple[Stamp, ...]] = {}  # by name: the files when they were last hashed

    def add(self, name: str, version: str, source: Path, made: Manifest | None = None) -> None:
        """Copy the artefact in ``source``; one that is there and whole stays, unless it is signed otherwise.

        Where ``source`` has no manifest it is the one that was ``made``.

        Raises:
            AdapterRejected: its bytes are no longer those of ``version``, or can't be read.
            StoreUnavailable: the disk is full or read-only.
        """
        target = self._folder / name
        if self._is_whole(name, version) and _signature(target) == _signature(source):
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=self._folder, prefix=_NEW))
        except OSError as exc:
            raise _unavailable(self._folder, exc) from exc
        try:
            for file in (WEIGHTS, CONFIG):
                shutil.copyfile(source / file, temporary / file)
            if made is not None and not (source / MANIFEST).exists():
                write_manifest(temporary, made)
            else:
                shutil.copyfile(source / MANIFEST, temporary / MANIFEST)
            if (source / SIGNATURE).is_file():
                shutil.copyfile(source / SIGNATURE, temporary / SIGNATURE)
            found = _stamps(temporary)
            time.sleep(_TICK_NS / 1e9)  # so that what changes them from here on changes their stamps
            if not _is_whole(temporary, version):
                raise AdapterRejected(
                    [f"{source.name}: its files changed while it was being registered; again"]
                )
            os.chmod(temporary, 0o755)
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(exist_ok=True, parents=True)  # of an alias with a slash
            os.rename(temporary, target)
            if found is not None:
                self._whole[name] = found
        except OSError as exc:
            if exc.errno in _OURS:
                raise _unavailable(self._folder, exc) from exc
            raise AdapterRejected([f"{source.name}: can't be copied: {exc.strerror}"]) from exc
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def verified(self, name: str, version: str) -> Path:
        """The folder of a version, whose bytes are what was registered: hashed again if a file was touched.

        Raises:
            AdapterRejected: they are not what was registered, not there, or not signed by who is trusted.
        """
        path = self._folder / name
        if not self._is_whole(name, version):
            raise AdapterRejected(
                [f"{name}: its stored files are missing or were changed; register its folder again"]
            )
        if why := mistrust(path, self._trusted):
            raise AdapterRejected([f"{name}/{SIGNATURE}: {why}"])
        return path

    def _is_whole(self, name: str, version: str) -> bool:
        """Whether the bytes are those of ``version``.

        A file that is written, replaced or renamed onto has another time of change, which no program can set,
        or another number. So what was whole and has kept both is whole.
        """
        found = _stamps(self._folder / name)  # before the bytes are read
        if found is not None and self._whole.get(name) == found:
            return True
        if not _is_whole(self._folder / name, version):
            return False
        if found is not None and time.time_ns() - max(stamp[2] for stamp in found) > _TICK_NS:
            self._whole[name] = found
        return True

    def manifest(self, name: str) -> Manifest | None:
        """The manifest of a version; None where its copy is gone."""
        try:
            return read_manifest(self._folder / name)
        except ArtefactError:
            return None

    def signer(self, name: str) -> str | None:
        """The public key whose signature a version has, in hex; None: it has none that holds."""
        try:
            return signer(self._folder / name)
        except (SigningError, ArtefactError):
            return None

    def sweep(self, gone: Iterable[str]) -> None:
        """Delete what a gateway that was killed has left: half a copy, and copies of who is ``gone``."""
        for half in self._folder.glob(f"{_NEW}*"):
            shutil.rmtree(half, ignore_errors=True)
        for name in gone:
            self.remove(name)

    def remove(self, name: str) -> None:
        """Delete the copy, if there is one."""
        shutil.rmtree(self._folder / name, ignore_errors=True)


def _signature(folder: Path) -> bytes | None:
    path = folder / SIGNATURE
    return path.read_bytes() if path.is_file() else None


def _unavailable(folder: Path, exc: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"{folder} takes no copy of the artefact: {exc.strerror}; nothing was entered. Make room, or let the "
        "gateway write there, and ask again"
    )


def _stamps(folder: Path) -> tuple[Stamp, ...] | None:
    """Of the files that a version is hashed over; None if one is missing."""
    try:
        found = [(folder / name).stat() for name in (WEIGHTS, CONFIG)]
    except OSError:
        return None
    return tuple((one.st_dev, one.st_ino, one.st_ctime_ns, one.st_size) for one in found)


def _is_whole(folder: Path, version: str) -> bool:
    try:
        return version_of(folder) == version
    except (ArtefactError, OSError):
        return False
