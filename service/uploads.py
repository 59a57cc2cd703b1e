"""Artefacts that are pushed to the gateway: in chunks, each where the last one ended, every file by its hash.

An upload is named by what was declared of it, so who starts again with the same files goes on where the bytes
ended. It is no version yet: registering it is a step of its own, with all checks.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from pointsman.artefact import CONFIG, MANIFEST, SIGNATURE, WEIGHTS, sha256_file, write_atomically
from pointsman.document import Document
from pointsman.numbers import WHOLE
from service.errors import AdapterConflict, AdapterNotFound, AdapterRejected, StoreUnavailable

FILES = (WEIGHTS, CONFIG, MANIFEST, SIGNATURE)
_DECLARED = "declared.json"
_ID = re.compile(r"[0-9a-f]{32}")
_LARGEST = 16 << 30  # bytes of a file
_KEPT_SECONDS = 7 * 86_400  # since its last chunk


class DeclaredFile(Document):
    """One file that is going to be sent."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0, le=_LARGEST, strict=True, description="bytes"), WHOLE]


class Declaration(Document):
    """Body of the beginning of an upload."""

    files: dict[str, DeclaredFile] = Field(
        description=f"{WEIGHTS}, {CONFIG}, {MANIFEST}; {SIGNATURE} may be",
        json_schema_extra={"propertyNames": {"enum": [*FILES]}, "required": [*FILES[:3]]},
    )

    @model_validator(mode="after")
    def _an_artefact(self) -> Self:
        missing = [name for name in (WEIGHTS, CONFIG, MANIFEST) if name not in self.files]
        foreign = [name for name in self.files if name not in FILES]
        if missing or foreign:
            raise ValueError(
                f"files must be those of an artefact, {', '.join(FILES[:3])} and perhaps {SIGNATURE}"
                + (f"; there is no {', '.join(missing)}" if missing else "")
                + (f"; {', '.join(name[:80] for name in foreign)} is none of them" if foreign else "")
            )
        return self


class Uploads:
    """Uploads below one folder. Blocks: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, declared: Declaration) -> tuple[str, dict[str, int]]:
        """The upload's id, and how many bytes of each file are here already.

        Raises:
            StoreUnavailable
        """
        content = json.dumps(declared.model_dump(), sort_keys=True).encode()
        found = hashlib.sha256(content).hexdigest()[:32]
        try:
            self._sweep()
            (self.folder / found).mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / found / _DECLARED, content)
        except OSError as exc:
            raise StoreUnavailable(f"{self.folder} takes no upload: {exc.strerror}; make room there") from exc
        return found, {name: self._size(found, name) for name in declared.files}

    def put(self, upload: str, name: str, offset: int, data: bytes) -> int:
        """Add ``data`` behind the first ``offset`` bytes of a file; how many are here then.

        Raises:
            AdapterNotFound: no such upload, or no such file in it.
            AdapterConflict: the file has another length by now; go on from there.
            AdapterRejected: more than was declared, or the whole file has another hash; it begins anew then.
            StoreUnavailable: the disk is full.
        """
        file = self._declared(upload).get(name)
        if file is None:
            raise AdapterNotFound(f"the upload {upload} has no file {name[:80]!r}")
        path, here = self.folder / upload / name, self._size(upload, name)
        if offset != here:
            raise AdapterConflict(
                f"{name}: {here} bytes are here, so the next chunk is at {here}, not {offset}"
            )
        if here + len(data) > file.size:
            raise AdapterRejected([f"{name}: {here + len(data)} bytes came, {file.size} were declared"])
        try:
            with path.open("ab") as target:
                target.write(data)
        except OSError as exc:
            raise StoreUnavailable(f"{path.name}: {exc.strerror}; make room, and go on") from exc
        if here + len(data) == file.size and sha256_file(path) != file.sha256:
            path.unlink()
            raise AdapterRejected([f"{name}: its bytes are not those that were declared; send it again"])
        return here + len(data)

    def whole(self, upload: str) -> str:
        """The upload's folder below ``folder``, once everything is in it.

        Raises:
            AdapterNotFound: no such upload.
            AdapterConflict: bytes are missing.
        """
        declared = self._declared(upload)
        missing = [
            f"{name} has {here} of {file.size} bytes"
            for name, file in declared.items()
            if (here := self._size(upload, name)) != file.size
        ]
        if missing:
            raise AdapterConflict(f"the upload {upload} is not whole: {', '.join(missing)}")
        return upload

    def remove(self, upload: str) -> None:
        """Forget an upload."""
        shutil.rmtree(self.folder / upload, ignore_errors=True)

    def _declared(self, upload: str) -> Mapping[str, DeclaredFile]:
        if _ID.fullmatch(upload):
            try:
                content = (self.folder / upload / _DECLARED).read_bytes()
                return Declaration.model_validate_json(content).files
            except FileNotFoundError:
                pass
        raise AdapterNotFound(f"there is no upload {upload[:80]!r}; begin it with POST /admin/uploads")

    def _size(self, upload: str, name: str) -> int:
        path = self.folder / upload / name
        return path.stat().st_size if path.is_file() else 0

    def _sweep(self) -> None:
        """Forget what nobody goes on with."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if time.time() - max(one.stat().st_mtime for one in (path, *path.iterdir())) > _KEPT_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
