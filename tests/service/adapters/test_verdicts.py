"""A version that a gate refused takes no requests, and everything known of a version can be asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.errors import AdapterConflict, AdapterNotFound, AdapterRejected
from tests.service.adapters.conftest import World, build
from tests.service.conftest import Running

REPORT = {"reasons": ["answers.desk.correct: 20 rows can't tell"], "rows": []}


async def test_a_refused_version_takes_no_requests_until_another_verdict(world: World) -> None:
    live, bad = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", live)
    info = await world.adapters.judge("support", bad, passed=False, report=REPORT, by="r")
    assert (info.state, info.weight) == ("rejected", 0)
    for weight in (0, 10, 100):
        with pytest.raises(AdapterConflict, match=r"was refused on .*20 rows can't tell.*another verdict"):
            await world.adapters.promote("support", bad, weight)
    assert await world.register("support", 2) == bad  # registered again it is as refused as before
    assert (await world.states())[f"support@{bad}"] == "rejected"
    assert await world.answered_by("support") == live
    await world.adapters.judge("support", bad, passed=True, report={}, by="r")
    await world.adapters.promote("support", bad)
    assert await world.answered_by("support") == bad


async def test_what_is_live_is_not_refused(world: World) -> None:
    live, canary = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", live)
    await world.adapters.promote("support", canary, 10)
    for version in (live, canary):
        with pytest.raises(AdapterConflict, match="is live; roll it back"):
            await world.adapters.judge("support", version, passed=False, report=REPORT)
        assert (await world.states())[f"support@{version}"] == "live"
    with pytest.raises(AdapterNotFound):
        await world.adapters.judge("support", "0" * 12, passed=False, report=REPORT)


async def test_a_verdict_outlives_the_gateway(world: World, tmp_path: Path) -> None:
    bad = await world.register("support", 2)
    await world.adapters.judge("support", bad, passed=False, report=REPORT, by="me")
    await world.adapters.stop()
    again = build(tmp_path, world.engine)
    await again.adapters.start()
    assert (await again.states())[f"support@{bad}"] == "rejected"
    shown = await again.adapters.show("support", bad)
    assert shown.verdict is not None
    assert (shown.verdict.report, shown.verdict.by) == (REPORT, "me")
    await again.adapters.stop()


async def test_a_version_shows_its_manifest_its_verdict_and_its_promotions(world: World) -> None:
    first, second = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", first, by="anna")
    await world.adapters.promote("support", second, 10, by="release")
    await world.adapters.rollback("support")
    await world.adapters.retire("support", second)
    shown = await world.adapters.show("support", first)
    assert shown.manifest is not None
    assert (shown.manifest.seed, shown.verdict, shown.version.state) == (1, None, "live")
    assert [(one.by, one.undone is None) for one in shown.promotions] == [("anna", True), ("release", False)]
    gone = await world.adapters.show("support", second)
    assert (gone.manifest, gone.version.state) == (None, "retired")
    assert [one.after.weight for one in gone.promotions] == [10]


async def test_a_version_is_loaded_and_proved_without_requests(world: World) -> None:
    live, new = await world.register("support", 1), await world.register("support", 2)
    await world.adapters.promote("support", live)
    info = await world.adapters.load("support", new)
    assert (info.state, info.weight, info.canary, info.leases) == ("loaded", 0, False, 0)
    assert await world.answered_by("support") == live
    await world.adapters.promote("support", new, 0)
    assert {one.version: one.canary for one in await world.adapters.list()} == {live: False, new: True}
    dead = await world.register("dead", 3)
    world.engine.without_effect.add("dead")
    with pytest.raises(AdapterRejected, match="no effect"):
        await world.adapters.load("dead", dead)
    await world.adapters.retire("dead", dead)
    with pytest.raises(AdapterConflict, match="is retired"):
        await world.adapters.load("dead", dead)


async def test_the_admin_judges_and_looks(running: Running) -> None:
    version = running.desk.versions["math"].version
    body = {"version": version, "passed": False, "report": REPORT}
    path = "/admin/adapters/math"
    judged = await running.http.post(f"{path}/verdict", json=body, headers=running.admin)
    assert judged.json()["state"] == "rejected"
    loaded = await running.http.post(f"{path}/load", json={"version": version}, headers=running.admin)
    assert loaded.status_code == 200
    shown = await running.http.get(f"{path}/{version}", headers=running.admin)
    assert shown.json()["version"]["version"] == version
    assert (await running.http.get(f"{path}/{version}")).status_code == 401
