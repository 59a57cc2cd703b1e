"""Routes and prompts change under the running gateway; a set that is broken changes nothing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from pointsman.document import DocumentError
from service import live
from service.configuration import load_configuration
from service.errors import ConfigurationRejected, RoutesRejected
from service.routes import load_table
from service.sections import LimitSettings
from service.settings import Settings
from tests.service.conftest import Running, Start, until
from tests.service.parts import PROMPT, ROUTES, SpellingEncoder, write_settings

TRACK = "where is my parcel"

BROKEN = (
    ROUTES.replace("prompt: support", "prompt: suport")
    .replace("chain: cot", "chain: cott")
    .replace("adapter: math", "adapter: math@1")
    .replace("sampling: {temperature: 0}", "sampling: {temprature: 0}\n    tools: [no_such_tool]")
)


async def test_reload_on_request(running: Running) -> None:
    (running.folder / "routes.yaml").write_text(ROUTES.replace("adapter: support", "adapter: chat"), "utf-8")
    response = await running.http.post("/admin/routes/reload", headers=running.admin)
    assert response.status_code == 200
    assert response.json()["routes"] == ["track_parcel", "arithmetic"]
    assert (await running.ask(TRACK)).headers["x-pointsman-adapter"].startswith("chat@")


async def test_ready_says_how_far_a_new_set_is(running: Running) -> None:
    reloading = asyncio.create_task(running.http.post("/admin/routes/reload", headers=running.admin))
    seen = set()
    while not reloading.done():
        seen.add((await running.http.get("/ready")).json()["routes"]["building"])
    assert any(each is not None and each.startswith("the router is being fitted (") for each in seen)
    assert (await running.http.get("/ready")).json()["routes"]["building"] is None


async def test_broken_set_keeps_the_old_one_and_says_what_is_wrong(running: Running) -> None:
    (running.folder / "routes.yaml").write_text(BROKEN, "utf-8")
    (running.folder / "prompts" / "refusal.yaml").write_text("name: refusal\n", "utf-8")
    response = await running.http.post("/admin/routes/reload", headers=running.admin)
    assert response.status_code == 422
    problems = response.json()["error"]["problems"]
    assert any("routes.yaml" in problem and "temprature" in problem for problem in problems)
    assert any("refusal.yaml" in problem for problem in problems)
    assert (await running.ask(TRACK)).status_code == 200
    ready = await running.http.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["routes"]["problems"] == problems
    write_settings(running.folder, running.pool.clients()[0].url)
    response = await running.http.post("/admin/routes/reload", headers=running.admin)
    assert response.status_code == 200
    assert (await running.http.get("/ready")).json()["routes"]["problems"] == []


async def test_a_changed_file_is_loaded_without_being_asked(running: Running) -> None:
    path = running.folder / "prompts" / "support.yaml"
    before = running.gateway.routes.live
    while running.gateway.routes.live is before:  # the watch may begin after the first change
        path.write_text(PROMPT.format(name="support").replace('"support of', '"now of'), "utf-8")
        await asyncio.sleep(0.3)
    await running.ask(TRACK)
    assert running.vllm.requests[-1]["messages"][0]["content"] == "now of Northway"


async def test_requests_succeed_while_sets_change(start: Start) -> None:
    other = ROUTES.replace("intent: track_parcel", "intent: find_parcel")
    async with start() as running:
        done = asyncio.Event()
        intents = set()

        async def keep_asking() -> None:
            while not done.is_set():
                response = await running.ask(TRACK)
                assert response.status_code == 200, response.text
                intents.add(response.headers["x-pointsman-intent"])

        asking = asyncio.create_task(keep_asking())
        for routes in (other, ROUTES, other):
            (running.folder / "routes.yaml").write_text(routes, "utf-8")
            response = await running.http.post("/admin/routes/reload", headers=running.admin)
            assert response.status_code == 200
        await running.ask(TRACK)
        done.set()
        await asking
        assert (await running.ask(TRACK)).headers["x-pointsman-intent"] == "find_parcel"
        assert intents == {"track_parcel", "find_parcel"}


def settings_in(tmp_path: Path) -> Settings:

    return write_settings(tmp_path, "http://127.0.0.1:1")


def problems_of(settings: Settings, text: str) -> list[str]:
    settings.router.routes.write_text(text, "utf-8")
    with pytest.raises(RoutesRejected) as caught:
        load_table(settings.router.routes, settings.prompts, LimitSettings())
    return caught.value.problems


async def test_who_waits_for_the_first_set_is_told_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = threading.Event()

    class SlowEncoder(SpellingEncoder):
        @classmethod
        def load(cls, name: str, folder: Path) -> SpellingEncoder:
            loaded.wait()
            return super().load(name, folder)

    monkeypatch.setattr(live, "Encoder", SlowEncoder)
    routes = live.LiveRoutes(write_settings(tmp_path, "http://127.0.0.1:9"))
    await routes.start()
    try:
        await until(lambda: routes.progress.endswith(" s): loading its encoder"))
        loaded.set()
        await until(lambda: routes.live is not None)
        assert "scoring them" in routes.progress
    finally:
        await routes.stop()


def test_cross_checks_name_their_lines(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    text = (
        ROUTES.replace("prompt: support", "prompt: suport")
        .replace("chain: cot", "chain: cott\n    tools: [no_such_tool]")
        .replace("intent: arithmetic", "intent: track_parcel")
        .replace("prompt: refusal", "prompt: refusal, variables: {shopp: x}")
    )
    problems = problems_of(settings, text)
    for line, words in (
        (2, "shopp"),
        (12, "did you mean 'support'"),
        (24, "given twice"),
        (26, "no chain 'cott'"),
        (27, "no tool 'no_such_tool'"),
    ):
        assert any(f"routes.yaml:{line}:" in p and words in p for p in problems), (line, words, problems)
    assert len(problems) == 5


def test_unknown_keys_come_all_at_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    problems = problems_of(settings, BROKEN + "extra: 1\n")
    text = "\n".join(problems)
    assert all(word in text for word in ("temprature", "extra", "named by its alias"))


def test_what_is_named_and_what_is_misspelt_come_in_one_report(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    (settings.prompts / "support.yaml").write_text("name: support\n", "utf-8")
    text = (
        ROUTES.replace("chain: cot", "chain: cott\n    tools: [no_such_tool]\n    stepz: 3")
        .replace("intent: track_parcel", "intent: [x]")
        .replace("prompt: refusal", "prompt: refusl")
        + "example_files: [none.jsonl]\n"
    )
    problems = "\n".join(problems_of(settings, text))
    for words in (
        *("routes.0.intent: must be", "stepz: unknown key"),  # the form
        *("no chain 'cott'", "no tool 'no_such_tool'", "none.jsonl"),  # what is named
        "support.yaml",  # the prompts
    ):
        assert words in problems
    (settings.prompts / "support.yaml").unlink()
    assert "did you mean 'refusal'" in "\n".join(problems_of(settings, text))


def test_settings_that_are_wrong_hide_nothing_of_the_routes(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    path = tmp_path / "pointsman.yaml"
    assert load_configuration(path)[0] == settings
    path.write_text(path.read_text("utf-8") + "statee: x\n", "utf-8")
    settings.router.routes.write_text(ROUTES.replace("chain: cot", "chain: cott"), "utf-8")
    (settings.prompts / "refusal.yaml").write_text("nam: x\n", "utf-8")
    with pytest.raises(ConfigurationRejected) as caught:
        load_configuration(path)
    text = str(caught.value)
    for place in (f"{path}:6: statee", f"{settings.router.routes}:26: routes.1.chain", "refusal.yaml:1: nam"):
        assert place in text
    path.write_text("engine: [", "utf-8")
    with pytest.raises(ConfigurationRejected, match="not YAML"):
        load_configuration(path)


def test_settings_report_everything_at_once(tmp_path: Path) -> None:

    (tmp_path / "pointsman.yaml").write_text(
        "gateway: {host: 0.0.0.0, prot: 1}\n"
        "engine: {model: nowhere, model_name: auto, max_lora_rank: 0}\n"
        "router: {routes: none.yaml}\n"
        "prompts: nowhere\n"
        "adapters: {folder: ., preload: {b@d: x}}\n"
        "statee: x\n",
        "utf-8",
    )
    with pytest.raises(DocumentError) as caught:
        Settings.load(tmp_path / "pointsman.yaml")
    found = {(problem.line, problem.field) for problem in caught.value.problems}
    assert found == {
        (1, "gateway.api_keys"),
        (1, "gateway.prot"),
        (2, "engine.model"),
        (2, "engine.model_name"),
        (2, "engine.max_lora_rank"),
        (3, "router.routes"),
        (4, "prompts"),
        (5, "adapters.preload"),
        (5, "adapters.preload.b@d"),
        (6, "statee"),
    }


def test_settings_make_paths_absolute(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert settings.engine.folder is not None
    for path in (settings.state, settings.prompts, settings.router.routes, settings.engine.folder):
        assert path.is_absolute()
        assert path.parent == tmp_path
