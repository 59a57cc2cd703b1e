"""The admin API as the ``adapters`` commands use it, and the way of an artefact to the gateway."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.artefact import version_of
from pointsman.cli.gateway import GatewayError, Refused, admin_key, call, text
from pointsman.moves import Moves
from service.settings import Settings


class NothingToPromote(GatewayError):
    """The newest version of the alias is live already, or there is none."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the gateway is and where its admin key may be found."""

    url: str
    key_file: Path | None
    config: Path

    def versions(self) -> list[dict[str, Any]]:
        """Every version in the registry."""
        found: list[dict[str, Any]] = self._ask("GET", "")["data"]
        return found

    def check(self, folder: str) -> Any:
        """All checks on ``folder``, named as seen from the adapters folder."""
        return self._ask("POST", "/check", {"folder": folder})

    def register(self, alias: str, folder: str) -> dict[str, Any]:
        """Enter ``folder`` in the registry."""
        return self._version("", {"alias": alias, "folder": folder})

    def begin_upload(self, declared: Mapping[str, Any]) -> tuple[str, dict[str, int]]:
        """Say which files are going to be sent; the upload's id, and the bytes that are there by file."""
        key = admin_key(self.key_file, self.config)
        found = call(self.url, "POST", "/admin/uploads", key=key, body={"files": declared})
        return str(found["id"]), dict(found["files"])

    def put_chunk(self, upload: str, file: str, offset: int, data: bytes) -> int:
        """Add bytes to a file of an upload; how many are there then."""
        key = admin_key(self.key_file, self.config)
        path = f"/admin/uploads/{upload}/{file}?offset={offset}"
        return int(call(self.url, "PUT", path, key=key, body=data)["bytes"])

    def register_upload(self, alias: str, upload: str, folder: Path) -> dict[str, Any]:
        """Enter a whole upload in the registry; what is wrong with it is told of ``folder``."""
        with told_of(folder, upload):
            return self._version("", {"alias": alias, "upload": upload})

    def promote(
        self,
        alias: str,
        version: str,
        weight: int,
        by: str | None = None,
        beside: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Load, probe and give it requests; ``by`` says who did, ``beside`` what must be live now."""
        said = {"by": by, "beside": None if beside is None else list(beside)}
        body = {"version": version, "weight": weight, **{k: v for k, v in said.items() if v is not None}}
        return self._version(f"/{alias}/promote", body)

    def carry(self, alias: str, version: str, moves: Moves | None) -> dict[str, Any]:
        """Have routes, prompts, examples and costs move with it; None: nothing."""
        content = None if moves is None else moves.model_dump(mode="json")
        return self._version(f"/{alias}/moves", {"version": version, "moves": content})

    def route(self, alias: str, version: str, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The intents of texts as if it answered all of its alias."""
        body = {"version": version, "texts": list(texts)}
        found: list[dict[str, Any]] = self._ask("POST", f"/{alias}/route", body)["data"]
        return found

    def load(self, alias: str, version: str) -> dict[str, Any]:
        """Load and probe, without requests."""
        return self._version(f"/{alias}/load", {"version": version})

    def judge(
        self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any], by: str
    ) -> dict[str, Any]:
        """Keep what a gate said."""
        body = {"version": version, "passed": passed, "report": report, "by": by}
        return self._version(f"/{alias}/verdict", body)

    def show(self, alias: str, version: str) -> dict[str, Any]:
        """Manifest, verdict and promotions."""
        found: dict[str, Any] = self._ask("GET", f"/{alias}/{version}")
        return found

    def shadow(self, alias: str, version: str, share: int) -> dict[str, Any]:
        """Have a candidate answer a share of the conversations too, unseen."""
        return self._version(f"/{alias}/shadow", {"version": version, "share": share})

    def shadowed(self, alias: str) -> dict[str, Any]:
        """How its answers compare."""
        found: dict[str, Any] = self._ask("GET", f"/{alias}/shadow")
        return found

    def board(self) -> dict[str, Any]:
        """The table of releases, with the state of engine and queue."""
        key = admin_key(self.key_file, self.config)
        found: dict[str, Any] = call(self.url, "GET", "/admin/releases", key=key)
        return found

    def metrics(self) -> str:
        """The gateway's counters, in Prometheus's form."""
        return text(self.url, "/metrics")

    def rollback(self, alias: str, version: str | None = None) -> dict[str, Any]:
        """Go back to what was live before the newest version, which must be ``version`` if it is given."""
        return self._version(f"/{alias}/rollback", {} if version is None else {"version": version})

    def retire(self, alias: str, version: str) -> dict[str, Any]:
        """Take out of service."""
        return self._version(f"/{alias}/retire", {"version": version})

    def newest(self, alias: str) -> str:
        """The version of ``alias`` that was registered last; a canary too.

        Raises:
            NothingToPromote: there is none, or it answers every conversation already.
        """
        versions = [version for version in self.versions() if version["alias"] == alias]
        if not versions:
            raise NothingToPromote(f"{alias} has no version: pointsman adapters register FOLDER")
        last = max(versions, key=lambda version: str(version["created"]))
        if last["state"] == "live" and last["weight"] == 100:
            raise NothingToPromote(f"{last['name']}, the newest version of {alias}, is live already")
        return str(last["version"])

    def _version(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        version: dict[str, Any] = self._ask("POST", path, body)
        return version

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        key = admin_key(self.key_file, self.config)
        return call(self.url, method, f"/admin/adapters{path}", key=key, body=body)


@contextmanager
def placed(folder: Path, config: Path) -> Iterator[str]:
    """The artefact in ``folder`` as the gateway names it: seen from its adapters folder.

    One that lies elsewhere is copied there for as long as the block runs; the gateway keeps a copy of its
    own of what it registers. What the gateway refuses in the copy is told of ``folder``.

    Raises:
        Refused: as the block raises it, with ``folder`` where it names the copy.
        DocumentError: ``config`` can't be read.
        ArtefactError: ``folder`` holds no artefact.
        OSError: it can't be copied.
    """
    home = Settings.load(config).adapters.folder
    source = folder.resolve()
    if not folder.exists() and (home / folder).is_dir():  # named as in the settings' preload
        with _in_one_home(folder, home, config):
            yield str(folder)
    elif source.is_relative_to(home):
        name = str(source.relative_to(home))
        with _in_one_home(folder, home, config), told_of(folder, name):
            yield name
    else:
        name = f"{source.parent.name}.{version_of(source)}.{secrets.token_hex(4)}"
        try:
            shutil.copytree(source, home / name, symlinks=True)
            with _in_one_home(folder, home, config), told_of(folder, name):
                yield name
        finally:
            shutil.rmtree(home / name, ignore_errors=True)


@contextmanager
def _in_one_home(folder: Path, home: Path, config: Path) -> Iterator[None]:
    """Within it a gateway that does not see what lies in ``home`` is told for what it is: another one."""
    from service.adapters.checks import NO_FOLDER

    try:
        yield
    except Refused as exc:
        if not any(problem.endswith(NO_FOLDER) for problem in (str(exc), *exc.problems)):
            raise
        raise Refused(
            exc.status,
            f"the gateway does not have the adapters folder {home}, which {config} names: say with --config "
            f"which settings it was started with, or send the artefact: pointsman adapters push {folder}",
            [],
        ) from exc


@contextmanager
def told_of(folder: Path, name: str) -> Iterator[None]:
    """Within it what the gateway refuses about files of ``name`` is told of ``folder``, as it was typed."""
    try:
        yield
    except Refused as exc:
        problems = [as_typed(problem, name, folder) for problem in exc.problems]
        raise Refused(exc.status, as_typed(str(exc), name, folder), problems) from exc


def as_typed(said: str, name: str, folder: Path) -> str:
    """``said`` with ``folder`` where it names a file of the adapter ``name``, by whatever path."""
    return re.sub(rf"(?<![^\s'\"])(?:[^\s'\"]*/)?{re.escape(name)}(?=/)", lambda _: str(folder), said)
