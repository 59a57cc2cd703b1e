"""Commands about where versions come from: training one again, signing, pushing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.artefact import CONFIG, WEIGHTS, read_manifest, version_of, write_manifest
from pointsman.cli import release
from pointsman.signing import signer
from tests.pointsman.canned import canned
from tests.pointsman.conftest import Run
from tests.service.adapters.artefacts import write_adapter, write_base

ALIAS = "/admin/adapters/support"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = write_adapter(tmp_path / "run" / "artefact", write_base(tmp_path / "model"))
    manifest = read_manifest(found)
    write_manifest(found, manifest.model_copy(update={"recipe": {"stage": "sft", "name": "r", "seed": 7}}))
    return found


def shown(folder: Path, **changes: Any) -> dict[str, Any]:
    manifest = read_manifest(folder).model_dump(mode="json") | changes
    return {"version": {}, "manifest": manifest, "signed_by": None, "verdict": None, "promotions": []}


def test_a_version_is_trained_again_from_its_manifests_recipe(
    run: Run, config: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, asked = version_of(folder), list[dict[str, Any]]()
    copy = config.parent / "state" / "adapters" / f"support@{version}"
    shutil.copytree(folder, copy)

    def trained(path: Path, _: Path) -> Path:
        asked.append(_read(path))
        return folder

    monkeypatch.setattr(release, "trained", trained)
    runs = tmp_path / "runs"
    with canned({f"GET {ALIAS}/{version}": shown(folder)}) as gateway:
        words = ("adapters", "reproduce", f"support@{version}", "--runs", runs)
        where = ("--url", gateway.url, "--config", config)
        same = run(*words, *where)
        manifest = read_manifest(folder)
        write_manifest(folder, manifest.model_copy(update={"metrics": {"eval_loss": 3.0}, "code": "1"}))
        (folder / CONFIG).write_text((folder / CONFIG).read_text("utf-8") + " ", "utf-8")
        other = run(*words, *where)
        near = run(*words, *where, "--tolerance", "0.6")
    assert same.exit_code == 0, same.output
    assert f"{folder}: the same bytes as support@{version}" in same.stdout
    assert asked[0] == {"stage": "sft", "name": f"reproduce-support-{version}", "seed": 7}
    assert other.exit_code == 3
    assert "goes in differently: the code was 0, now 1" in other.stdout
    assert "eval_loss: 1.5, now 3.0" in other.stdout
    assert "the numbers lie at most 0.00e+00 of the largest apart" in other.stdout
    assert near.exit_code == 0


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found


def test_what_was_not_trained_can_not_be_trained_again(run: Run, config: Path, folder: Path) -> None:
    replies = {
        f"GET {ALIAS}/{'1' * 12}": shown(folder, converted_from="dora"),
        f"GET {ALIAS}/{'2' * 12}": shown(folder, recipe={}),
        f"GET {ALIAS}/{'3' * 12}": {**shown(folder), "manifest": None},
    }
    says = ["was converted, not trained", "holds no recipe", "is retired, and its manifest is gone"]
    with canned(replies) as gateway:
        for digit, why in zip("123", says, strict=True):
            ended = run(
                *("adapters", "reproduce", f"support@{digit * 12}", "--url", gateway.url, "--config", config)
            )
            assert ended.exit_code == 2
            assert why in ended.stderr


def test_a_key_is_made_once_and_signs(run: Run, folder: Path, tmp_path: Path) -> None:
    made = run("adapters", "key", tmp_path / "release.key")
    public = made.stdout.strip()
    assert len(public) == 64
    assert "keep it off the gateway" in made.stderr
    again = run("adapters", "key", tmp_path / "release.key")
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    signed = run("adapters", "sign", folder, "--key", tmp_path / "release.key")
    assert signed.stdout.strip() == f"{folder}: version {version_of(folder)}, signed by {public}"
    assert signer(folder) == public


def test_a_push_sends_every_byte_and_says_what_the_gateway_refuses_of_the_folder(
    run: Run, config: Path, folder: Path
) -> None:
    upload = "e" * 32
    size = {path.name: path.stat().st_size for path in folder.iterdir()}
    problem = f"{upload}/{CONFIG}: r is 64"
    refusal = {"error": {"message": problem, "code": 422, "problems": [problem]}, "_status": 422}
    replies: dict[str, Any] = {
        "POST /admin/uploads": {"id": upload, "files": dict.fromkeys(size, 0)},
        **{f"PUT /admin/uploads/{upload}/{name}?offset=0": {"bytes": size[name]} for name in size},
        "POST /admin/adapters": {"alias": "support", "name": "support@1"},
    }
    with canned(replies) as gateway:
        where = ("--url", gateway.url, "--config", config)
        sent = run("adapters", "push", folder, *where)
        (_, declared), *chunks, (_, entered) = gateway.asked
        gateway.answers = {**replies, "POST /admin/adapters": refusal}
        refused = run("adapters", "push", folder, *where)
    assert sent.exit_code == 0, sent.output
    assert "support@1 is registered" in sent.stdout
    assert {name: about["size"] for name, about in declared["files"].items()} == size
    assert len(chunks) == len(size)
    assert entered == {"alias": "support", "upload": upload}
    assert refused.exit_code == 1
    assert f"{folder}/{CONFIG}: r is 64" in refused.stderr


def test_a_push_of_what_is_no_artefact_says_so(run: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).touch()
    ended = run("adapters", "push", tmp_path, "--alias", "support", "--config", config)
    assert (ended.exit_code, f"{tmp_path / CONFIG}: no such file" in ended.stderr) == (1, True)
    ended = run("adapters", "push", "nowhere://x/y", "--alias", "support", "--config", config)
    assert "nowhere://x/y: can't be read" in ended.stderr


def test_a_release_signs_what_it_registers_and_pushes_to_a_gateway_elsewhere(
    config: Path, folder: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pointsman.cli import push
    from pointsman.cli.desk import Desk
    from pointsman.cli.release_admin import Admin

    run("adapters", "key", tmp_path / "key")
    sent: list[tuple[str, str | None]] = []

    def pushed(desk: Desk, alias: str, artefact: Path, _: object) -> dict[str, Any]:
        sent.append((desk.url, signer(artefact)))
        return {"alias": alias}

    monkeypatch.setattr(push, "pushed", pushed)
    admin = Admin(Desk("https://gateway.example", None, config), "a test", tmp_path / "key")
    assert admin.register("support", folder) == {"alias": "support"}
    assert sent == [("https://gateway.example", signer(folder))]
    assert json.loads((folder / "signature.json").read_text("utf-8"))["key"] == signer(folder)
