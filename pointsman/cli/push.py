"""``pointsman adapters push``: an artefact from here, or from a URL, to a gateway elsewhere."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from pointsman.cli.options import DEFAULT_URL, DEMO_CONFIG, ConfigOption, KeyFileOption, UrlOption
from pointsman.cli.terminal import Progress, reported, say

if TYPE_CHECKING:
    from pointsman.cli.desk import Desk

CHUNK = 1 << 20  # bytes; a gateway takes 4 MiB at once unless its settings say otherwise
_TRIES = 3  # of a chunk whose connection broke


def push(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="An artefact's folder, or its URL (s3://, sftp://, ...).")
    ],
    *,
    alias: Annotated[
        str | None,
        typer.Option(metavar="ALIAS", show_default=False, help="Another alias than its manifest's."),
    ] = None,
    url: UrlOption = DEFAULT_URL,
    config: ConfigOption = DEMO_CONFIG,
    key_file: KeyFileOption = None,
) -> None:
    """Send an artefact to a gateway on another machine, and enter it in its registry.

    In chunks, each file verified by its hash; broken off, the same command goes on where it ended. A URL is
    read by fsspec, which needs its own package for some (s3fs for s3://).

    Examples:

    - `pointsman adapters push runs/support-60-days/artefact --url https://gateway.example`
    - `pointsman adapters push s3://models/support-60-days --url https://gateway.example`
    """
    from pointsman.artefact import ArtefactError, read_manifest
    from pointsman.cli.desk import Desk
    from pointsman.cli.gateway import GatewayError

    desk = Desk(url, key_file, config)
    with reported(GatewayError, ArtefactError, OSError), Progress() as report, fetched(source) as folder:
        version = pushed(desk, alias or read_manifest(folder).alias, folder, report)
    say(f"{version['name']} is registered; pointsman adapters promote {version['alias']} gives it traffic")


def is_elsewhere(url: str) -> bool:
    """Whether the gateway at ``url`` is on another machine, which sees no folder of this one's."""
    from service.sections import is_loopback

    host = urlsplit(url).hostname
    return host is not None and not is_loopback(host)


@contextmanager
def fetched(source: str) -> Iterator[Path]:
    """The folder that ``source`` is, or a copy of the artefact at that URL for as long as the block runs.

    Raises:
        ArtefactError: it can't be read, and why.
    """
    if "://" not in source:
        yield Path(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        fetch(source, Path(folder))
        yield Path(folder)


def fetch(url: str, folder: Path) -> None:
    """Copy the files of the artefact at ``url`` into ``folder``.

    Raises:
        ArtefactError: it can't be read, and why.
    """
    import fsspec

    from pointsman.artefact import CONFIG, MANIFEST, SIGNATURE, WEIGHTS, ArtefactError

    try:
        files, root = fsspec.core.url_to_fs(url)
        for name in (WEIGHTS, CONFIG, MANIFEST, SIGNATURE):
            place = f"{root.rstrip('/')}/{name}"
            if name != SIGNATURE or files.exists(place):
                with files.open(place, "rb") as there, (folder / name).open("wb") as here:
                    shutil.copyfileobj(there, here, CHUNK)
    except Exception as exc:  # each file system of fsspec has its own
        raise ArtefactError(f"{url}: can't be read: {type(exc).__name__}: {exc}") from exc


def pushed(desk: Desk, alias: str, folder: Path, report: Callable[[str], None]) -> dict[str, Any]:
    """Send what the gateway has not got of the artefact in ``folder``, and enter it; the version.

    Raises:
        GatewayError: refused, or gone for longer than a moment; the same again goes on.
        ArtefactError: a file can't be read.
    """
    from pointsman.artefact import CONFIG, MANIFEST, SIGNATURE, WEIGHTS, ArtefactError, sha256_file
    from pointsman.cli.gateway import NotRunning

    declared = {}
    for name in (WEIGHTS, CONFIG, MANIFEST, SIGNATURE):
        if (path := folder / name).is_file():
            declared[name] = {"sha256": sha256_file(path), "size": path.stat().st_size}
        elif name != SIGNATURE:
            raise ArtefactError(f"{path}: no such file; an artefact needs it")
    upload, here = desk.begin_upload(declared)
    send = partial(_send, desk, upload, look=lambda: desk.begin_upload(declared)[1], report=report)
    try:
        for name in declared:
            send(folder / name, here[name])
    except NotRunning as exc:
        raise NotRunning(f"{folder} was sent in part; the same command goes on there: {exc}") from exc
    return desk.register_upload(alias, upload, folder)


def _send(
    desk: Desk,
    upload: str,
    path: Path,
    here: int,
    *,
    look: Callable[[], Mapping[str, int]],
    report: Callable[[str], None],
) -> None:
    """Send a file from byte ``here`` on; ``look`` asks how far it is where that is not known any more."""
    from pointsman.cli.gateway import NotRunning, Refused

    failed, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while here < size:
            file.seek(here)
            try:
                here = desk.put_chunk(upload, path.name, here, file.read(CHUNK))
                failed = 0
            except (NotRunning, Refused) as exc:
                failed += 1
                if failed == _TRIES or (isinstance(exc, Refused) and exc.status != HTTPStatus.CONFLICT):
                    raise
                was, here = here, look()[path.name]  # the chunk may have come, and its answer not
                failed = 0 if here > was else failed
            report(f"{path.name}: {here:,} of {size:,} bytes")
