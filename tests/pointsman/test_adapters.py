"""The adapters commands: what they ask of the gateway, where the key comes from, what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman import artefact
from pointsman.signing import make_key, sign
from service.adapters.checks import NO_FOLDER
from tests.pointsman.canned import Canned, Reply, canned
from tests.pointsman.conftest import Run
from tests.pointsman.test_artefact import CONFIG_BYTES, MANIFEST, WEIGHTS_BYTES
from tests.service.adapters.artefacts import write_adapter, write_base


def version(digits: str, state: str = "registered", **more: Any) -> dict[str, Any]:
    """A version as the gateway shows it."""
    return {
        "alias": "support",
        "version": digits * 12,
        "name": f"support@{digits * 12}",
        "state": state,
        "weight": 100 if state == "live" else 0,
        "leases": 0,
        "rank": 8,
        "base": "demo",
        "folder": "support",
        "created": "2026-11-23T22:00:00Z",
        "live_since": None,
        "metrics": {},
        **more,
    }


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """An artefact where training leaves it, outside the adapters folder."""
    folder = tmp_path / "runs" / "support" / "artefact"
    folder.mkdir(parents=True)
    (folder / artefact.WEIGHTS).write_bytes(WEIGHTS_BYTES)
    (folder / artefact.CONFIG).write_bytes(CONFIG_BYTES)
    artefact.write_manifest(folder, MANIFEST)
    return folder


def test_list_shows_every_version(run: Run, config: Path) -> None:
    versions = [version("a", "live", leases=3), version("b")]
    with canned({"GET /admin/adapters": {"data": versions}}) as gateway:
        table = run("adapters", "list", "--url", gateway.url, "--config", config).stdout
        as_json = run("adapters", "list", "--url", gateway.url, "--config", config, "--json").stdout
    assert json.loads(as_json) == versions
    live, registered = (line for line in table.splitlines() if "support" in line)
    assert live.split() == ["support", "a" * 12, *("live", "100", "%", "3", "8", "2026-11-23", "22:00")]
    assert "registered" in registered
    assert gateway.keys == ["Bearer the-key"] * 2


def test_a_list_fits_a_terminal_of_80_columns(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with canned({"GET /admin/adapters": {"data": [version("b", alias="complaints")]}}) as gateway:
        table = run("adapters", "list", "--url", gateway.url, "--config", config).stdout
    (line,) = (line for line in table.splitlines() if "complaints" in line)
    assert line.split() == ["complaints", "b" * 12, "registered", "0", "8", "2026-11-23", "22:00"]


def test_each_of_several_problems_gets_a_line(run: Run, config: Path, trained: Path) -> None:
    error = {"message": "r is 64; no bias", "code": 422, "problems": ["r is 64", "no bias"]}
    with canned({"POST /admin/adapters/check": {"error": error}}) as gateway:
        said = run("adapters", "check", trained, "--url", gateway.url, "--config", config).stderr
    assert said.splitlines() == ["error: 2 problems", "  r is 64", "  no bias"]


def test_the_key_comes_from_the_option_then_the_environment_then_the_state(
    run: Run, config: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.key"
    other.write_text("of-the-option\n", encoding="utf-8")
    at = ("--config", config)
    with canned({"GET /admin/adapters": {"data": []}}) as gateway:
        words = ("adapters", "list", "--url", gateway.url, *at)
        run(*words)
        run(*words, env={"POINTSMAN_ADMIN_KEY": "of-the-environment"})
        run(*words, "--admin-key-file", other, env={"POINTSMAN_ADMIN_KEY": "of-the-environment"})
    assert gateway.keys == ["Bearer the-key", "Bearer of-the-environment", "Bearer of-the-option"]


def test_no_key_is_one_clear_line(run: Run, config: Path) -> None:
    (config.parent / "state" / "admin.key").unlink()
    ended = run("adapters", "list", "--config", config)
    assert ended.exit_code == 1
    assert ended.stderr.startswith(
        f"error: no admin key in {config.parent / 'state' / 'admin.key'} (No such file"
    )


def test_no_gateway_is_one_clear_line(run: Run, config: Path) -> None:
    ended = run("adapters", "list", "--url", "http://127.0.0.1:9", "--config", config)
    assert ended.exit_code == 1
    assert ended.stderr.startswith("error: nothing answers at http://127.0.0.1:9 (")
    assert ended.stderr.endswith("is the gateway running? make up\n")


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://[", "http://127.0.0.1:99999"])
def test_a_url_that_is_none_is_one_clear_line(run: Run, config: Path, url: str) -> None:
    ended = run("adapters", "list", "--url", url, "--config", config)
    assert ended.exit_code == 1
    assert len(ended.stderr.splitlines()) == 1
    assert ended.exception is None or isinstance(ended.exception, SystemExit)


def test_a_refusal_of_the_gateway_is_shown_as_it_is(run: Run, config: Path) -> None:
    error = {"message": "support has no earlier version", "type": "conflict", "code": 409}
    with canned({"POST /admin/adapters/support/rollback": {"error": error}}) as gateway:
        ended = run("adapters", "rollback", "support", "--url", gateway.url, "--config", config)
    assert ended.exit_code == 1
    assert "error: support has no earlier version" in ended.stderr


def test_a_rollback_may_name_who_must_be_taken_out(run: Run, config: Path) -> None:
    with canned({"POST /admin/adapters/support/rollback": version("a", "live")}) as gateway:
        for named in ("support", f"support@{'b' * 12}"):
            run("adapters", "rollback", named, "--url", gateway.url, "--config", config)
        assert [body for _, body in gateway.asked] == [{}, {"version": "b" * 12}]


def test_promote_takes_the_version_that_was_registered_last(run: Run, config: Path) -> None:
    versions = [
        version("a", "live"),
        version("c", created="2026-11-23T22:02:00Z"),
        version("b", created="2026-11-23T22:01:00Z"),
        version("d", alias="other", created="2026-11-23T22:03:00Z"),
    ]
    path = "POST /admin/adapters/support/promote"
    with canned(
        {"GET /admin/adapters": {"data": versions}, path: version("c", "live", weight=10)}
    ) as gateway:
        words = ("adapters", "promote", "support", "--url", gateway.url, "--config", config)
        ended = run(*words, "--weight", "10")
    assert gateway.asked[-1] == (path, {"version": "c" * 12, "weight": 10})
    assert ended.stdout == "support@cccccccccccc is live, 10 % of conversations\n"


@pytest.mark.parametrize(
    ("words", "digits"),
    [(["support", "a" * 12], "a"), (["support@" + "b" * 12], "b"), (["support", "support@" + "c" * 12], "c")],
)
def test_a_version_may_be_named_with_its_alias(run: Run, config: Path, words: list[str], digits: str) -> None:
    path = "POST /admin/adapters/support/retire"
    with canned({path: version(digits, "retired")}) as gateway:
        ended = run("adapters", "retire", *words, "--url", gateway.url, "--config", config)
    assert gateway.asked == [(path, {"version": digits * 12})]
    assert ended.stdout == f"support@{digits * 12} is retired\n"


def test_a_version_of_another_alias_and_none_at_all_are_refused_here(run: Run, config: Path) -> None:
    for words, message in (
        (("support", "math@" + "a" * 12), "is a version of math, not of support"),
        (("support",), "which version of support?"),
    ):
        ended = run("adapters", "retire", *words, "--config", config)
        assert ended.exit_code == 2
        assert message in ended.stderr


def test_register_brings_the_artefact_to_the_gateway_and_takes_the_copy_away(
    run: Run, config: Path, trained: Path
) -> None:
    home = config.parent / "adapters"
    seen: list[tuple[str, list[str]]] = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        seen.append((body["alias"], sorted(path.name for path in (home / body["folder"]).iterdir())))
        return version("a")

    promoted = version("a", "live")
    answers: dict[str, Reply] = {
        "POST /admin/adapters": answer,
        "POST /admin/adapters/support/promote": promoted,
    }
    with canned(answers) as gateway:
        words = ("adapters", "register", trained, "--url", gateway.url, "--config", config)
        ended = run(*words, "--promote")
    assert ended.stdout == "support@aaaaaaaaaaaa is live, 100 % of conversations\n"
    assert seen == [("support", sorted([artefact.WEIGHTS, artefact.CONFIG, artefact.MANIFEST]))]
    assert list(home.iterdir()) == []


def test_an_artefact_in_the_adapters_folder_is_named_as_it_is(run: Run, config: Path, trained: Path) -> None:
    inside = trained.rename(config.parent / "adapters" / "new")
    with canned({"POST /admin/adapters": version("a")}) as gateway:
        run("adapters", "register", inside, "--alias", "desk", "--url", gateway.url, "--config", config)
        run("adapters", "register", inside, "--url", gateway.url, "--config", config)
    assert [body for _, body in gateway.asked] == [
        {"alias": "desk", "folder": "new"},
        {"alias": "support", "folder": "new"},
    ]


def test_a_refused_artefact_leaves_no_copy(run: Run, config: Path, trained: Path) -> None:
    (trained / "extra.pkl").write_bytes(b"")
    with canned({}) as gateway:
        ended = run("adapters", "register", trained, "--url", gateway.url, "--config", config)
    assert ended.exit_code == 1
    assert "error: nothing at POST /admin/adapters" in ended.stderr
    assert list((config.parent / "adapters").iterdir()) == []


@pytest.mark.parametrize("place", ["elsewhere", "inside"])
@pytest.mark.parametrize("command", ["check", "register"])
def test_a_refusal_names_the_folder_as_it_was_typed(
    run: Run, config: Path, trained: Path, command: str, place: str
) -> None:
    home = config.parent / "adapters"
    typed = trained if place == "elsewhere" else trained.rename(home / "support")
    typed = typed.parent / ".." / typed.parent.name / typed.name

    def refuse(body: dict[str, Any]) -> dict[str, Any]:
        name = body["folder"]
        problems = f"{name}/adapter_config.json: r = 99; {home}/{name}/x.pkl: support code"
        return {"error": {"message": problems, "type": "x", "code": 422}}

    path = "POST /admin/adapters" + ("/check" if command == "check" else "")
    with canned({path: refuse}) as gateway:
        ended = run("adapters", command, typed, "--url", gateway.url, "--config", config)
    assert ended.exit_code == 1
    said = f"error: {typed}/adapter_config.json: r = 99; {typed}/x.pkl: support code"
    assert said in ended.stderr.splitlines()


@pytest.mark.parametrize("command", ["check", "register"])
def test_a_gateway_with_other_settings_is_told_for_that(
    run: Run, config: Path, trained: Path, command: str
) -> None:
    def refuse(body: dict[str, Any]) -> dict[str, Any]:
        said = f"{body['folder']!r}: {NO_FOLDER}"
        return {"error": {"message": said, "type": "x", "code": 422, "problems": [said]}}

    path = "POST /admin/adapters" + ("/check" if command == "check" else "")
    with canned({path: refuse}) as gateway:
        ended = run("adapters", command, trained, "--url", gateway.url, "--config", config)
    assert ended.exit_code == 1
    assert ended.stderr.splitlines()[-1] == (
        f"error: the gateway does not have the adapters folder {config.parent}/adapters, which {config} "
        "names: say with --config which settings it was started with, or send the artefact: "
        f"pointsman adapters push {trained}"
    )


@pytest.mark.parametrize("command", ["check", "register"])
def test_a_folder_that_is_no_artefact_is_one_clear_line(
    run: Run, config: Path, tmp_path: Path, command: str
) -> None:
    ended = run("adapters", command, tmp_path / "none", "--config", config)
    assert ended.exit_code == 1
    assert f"{artefact.WEIGHTS}: no such file; an adapter artefact needs" in ended.stderr


def test_check_asks_the_gateway(run: Run, config: Path, trained: Path) -> None:
    with canned({"POST /admin/adapters/check": {}}) as gateway:
        ended = run("adapters", "check", trained, "--url", gateway.url, "--config", config)
    assert ended.stdout == f"{trained}: version {artefact.version_of(trained)}; every check passed\n"
    assert isinstance(gateway, Canned)


def test_check_offline_says_what_is_wrong_without_a_gateway(run: Run, config: Path, trained: Path) -> None:
    ended = run("adapters", "check", trained, "--offline", "--config", config)
    assert ended.exit_code == 1
    assert "holds no safetensors file, so it is no base model" in ended.stderr


def test_check_offline_holds_to_the_keys_that_the_settings_trust(
    run: Run, config: Path, tmp_path: Path
) -> None:
    folder = write_adapter(tmp_path / "runs" / "support", write_base(tmp_path / "base"))
    key = make_key(tmp_path / "ours.key")
    trusting = config.read_text("utf-8").replace(
        "folder: adapters", f"folder: adapters, trusted_keys: [{key}]"
    )
    config.write_text(trusting, encoding="utf-8")
    ended = run("adapters", "check", folder, "--offline", "--config", config)
    assert ended.exit_code == 1
    assert f"{folder}/signature.json: no such file, and only signed" in ended.stderr
    sign(folder, tmp_path / "ours.key")
    assert run("adapters", "check", folder, "--offline", "--config", config).exit_code == 0


def test_shadow_asks_for_a_candidate_and_tells_what_it_said(run: Run, config: Path) -> None:
    said = {"content": "60 days", "tool_calls": []}
    report = {
        "version": "a" * 12,
        "share": 20,
        "same": 3,
        "different": 1,
        "failed": 0,
        "left_out": 0,
        "seconds": 0.5,
        "live_seconds": 0.25,
        "differences": [{"request": "r1", "live": "support@b", "texts": {"candidate": said}}],
    }
    path = "/admin/adapters/support/shadow"
    replies: dict[str, Reply] = {f"POST {path}": report, f"GET {path}": report}
    with canned(replies) as gateway:
        where = ("--url", gateway.url, "--config", config)
        run("adapters", "shadow", "support", "--version", "a" * 12, "--share", 20, *where)
        told = run("adapters", "shadow", "support", *where)
    assert dict(gateway.asked)[f"POST {path}"] == {"version": "a" * 12, "share": 20}
    assert told.stdout.splitlines() == [
        f"support@{'a' * 12} is asked along for 20 % of the conversations",
        "3 answers the same, 1 different, 0 failed, 0 left out",
        "0.50 s an answer, 0.25 s the live version",
        "request r1, beside support@b",
        "  candidate: 60 days",
    ]
