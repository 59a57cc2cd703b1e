"""Artefacts that are pushed: in chunks, by hash, and on from where they broke off."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from pointsman.artefact import CONFIG, MANIFEST, WEIGHTS
from pointsman.cli import push
from pointsman.cli.desk import Desk
from pointsman.cli.gateway import NotRunning
from service import uploads
from service.errors import AdapterRejected
from tests.service.conftest import Running
from tests.service.parts import Desk as Adapters
from tests.service.parts import Version

CONTENT = {WEIGHTS: bytes(range(256)) * 40, CONFIG: b"{}", MANIFEST: b'{"alias": "support"}'}
PATH = "/admin/uploads"


def declared(**changes: Any) -> dict[str, Any]:
    files = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in CONTENT.items()
    }
    return {"files": files | changes}


async def put(running: Running, upload: str, name: str, offset: Any, data: bytes) -> tuple[int, Any]:
    url = f"{PATH}/{upload}/{name}?offset={offset}"
    answer = await running.http.put(url, content=data, headers=running.admin)
    told = answer.json()
    return answer.status_code, told["error"]["message"] if "error" in told else told["bytes"]


async def test_chunks_become_a_version_and_a_broken_push_goes_on(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: dict[str, bytes] = {}

    async def register(_: Adapters, alias: str, folder: str, root: Path | None = None) -> Version:
        assert root is not None
        entered.update({path.name: path.read_bytes() for path in (root / folder).iterdir()})
        return Version(alias, "a" * 12)

    monkeypatch.setattr(Adapters, "register", register)
    begun = await running.http.post(PATH, json=declared(), headers=running.admin)
    upload = begun.json()["id"]
    assert begun.json()["files"] == dict.fromkeys(CONTENT, 0)
    assert await put(running, upload, WEIGHTS, 0, CONTENT[WEIGHTS][:4_000]) == (200, 4_000)
    status, said = await put(running, upload, WEIGHTS, 0, CONTENT[WEIGHTS][:4_000])  # its answer was lost
    assert (status, said) == (409, f"{WEIGHTS}: 4000 bytes are here, so the next chunk is at 4000, not 0")
    again = await running.http.post(PATH, json=declared(), headers=running.admin)
    assert again.json() == {"id": upload, "files": {WEIGHTS: 4_000, CONFIG: 0, MANIFEST: 0}}
    asked = {"alias": "support", "upload": upload}
    early = await running.http.post("/admin/adapters", json=asked, headers=running.admin)
    assert early.status_code == 409
    assert f"{WEIGHTS} has 4000 of 10240 bytes" in early.json()["error"]["message"]
    assert await put(running, upload, WEIGHTS, 4_000, CONTENT[WEIGHTS][4_000:]) == (200, 10_240)
    for name in (CONFIG, MANIFEST):
        assert (await put(running, upload, name, 0, CONTENT[name]))[0] == 200
    done = await running.http.post("/admin/adapters", json=asked, headers=running.admin)
    assert done.json()["version"] == "a" * 12
    assert {name: entered[name] for name in CONTENT} == CONTENT
    assert list((running.folder / "state" / "uploads").iterdir()) == []


async def test_other_bytes_than_were_declared_are_refused(running: Running) -> None:
    upload = (await running.http.post(PATH, json=declared(), headers=running.admin)).json()["id"]
    assert await put(running, upload, CONFIG, 0, b"[]") == (
        422,
        f"{CONFIG}: its bytes are not those that were declared; send it again",
    )
    assert await put(running, upload, CONFIG, 0, b"{}") == (200, 2)
    assert (await put(running, upload, CONFIG, 2, b"more"))[0] == 422
    assert (await put(running, upload, "../admin.key", 0, b"x"))[0] == 404
    assert (await put(running, upload, "evil.pkl", 0, b"x"))[0] == 404
    for wrong in ("0" * 32, "..", "x"):
        assert (await put(running, wrong, CONFIG, 0, b"x"))[0] == 404
    for offset in ("-1", "half", "9" * 20):
        assert (await put(running, upload, MANIFEST, offset, b"x"))[0] == 400
    assert (await running.http.put(f"{PATH}/{upload}/{CONFIG}", content=b"x")).status_code == 401
    bodies: tuple[dict[str, Any], ...] = (
        declared(**{"evil.pkl": {"sha256": "0" * 64, "size": 1}}),
        {"files": {CONFIG: declared()["files"][CONFIG]}},
        declared(**{WEIGHTS: {"sha256": "0" * 63, "size": 1}}),
        declared(**{WEIGHTS: {"sha256": "0" * 64, "size": 1 << 40}}),
        {"files": {}},
    )
    for body in bodies:
        answer = await running.http.post(PATH, json=body, headers=running.admin)
        assert answer.status_code == 400, body


def test_an_upload_that_nobody_goes_on_with_is_forgotten(tmp_path: Path) -> None:
    held = uploads.Uploads(tmp_path)
    old, _ = held.begin(uploads.Declaration.model_validate(declared()))
    for path in (tmp_path / old, *(tmp_path / old).iterdir()):
        os.utime(path, (0, 0))
    new, _ = held.begin(
        uploads.Declaration.model_validate(declared(**{CONFIG: {"sha256": "0" * 64, "size": 5}}))
    )
    assert [path.name for path in tmp_path.iterdir()] == [new]


@dataclass
class Flaky:
    """The upload's side of a gateway in memory, whose connection breaks when a test says so."""

    held: uploads.Uploads
    breaks: list[bool] = field(default_factory=list)  # whether the chunk had come by then

    def begin_upload(self, declared: Any) -> tuple[str, dict[str, int]]:
        return self.held.begin(uploads.Declaration.model_validate({"files": declared}))

    def put_chunk(self, upload: str, file: str, offset: int, data: bytes) -> int:
        came = self.breaks.pop(0) if self.breaks else None
        if came is False:
            raise NotRunning("gone before it came")
        here = self.held.put(upload, file, offset, data)
        if came:
            raise NotRunning("gone after it came")
        return here

    def register_upload(self, alias: str, upload: str, folder: Path) -> dict[str, Any]:
        found = self.held.folder / self.held.whole(upload)
        return {"alias": alias, "same": all((found / n).read_bytes() == c for n, c in CONTENT.items())}


@pytest.fixture
def flaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flaky:
    monkeypatch.setattr(push, "CHUNK", 3_000)
    found = Flaky(uploads.Uploads(tmp_path / "uploads"))
    (tmp_path / "artefact").mkdir()
    for name, data in CONTENT.items():
        (tmp_path / "artefact" / name).write_bytes(data)
    return found


def test_a_push_whose_connection_breaks_goes_on_where_it_was(flaky: Flaky, tmp_path: Path) -> None:
    desk, told = cast("Desk", flaky), list[str]()
    flaky.breaks += [False, False, False]
    with pytest.raises(NotRunning):  # three times in a row
        push.pushed(desk, "support", tmp_path / "artefact", told.append)
    flaky.breaks += [False, True, True, False, False]
    assert push.pushed(desk, "support", tmp_path / "artefact", told.append)["same"]
    assert any("10,240 of 10,240 bytes" in line for line in told)


def test_what_lies_at_a_url_is_fetched(flaky: Flaky, tmp_path: Path) -> None:
    with push.fetched(f"file://{tmp_path / 'artefact'}") as folder:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    with (
        pytest.raises(Exception, match=r"file:///nowhere: can't be read: FileNotFoundError"),
        push.fetched("file:///nowhere"),
    ):
        pass
    assert not push.is_elsewhere("http://127.0.0.1:8000")
    assert push.is_elsewhere("https://gateway.example")


def test_a_file_that_was_declared_otherwise_begins_anew(tmp_path: Path) -> None:
    held = uploads.Uploads(tmp_path)
    upload, _ = held.begin(uploads.Declaration.model_validate(declared()))
    with pytest.raises(AdapterRejected):
        held.put(upload, CONFIG, 0, b"[]")
    assert held.begin(uploads.Declaration.model_validate(declared()))[1][CONFIG] == 0
