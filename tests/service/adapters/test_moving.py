"""Routes, prompts, examples and costs that move with a version: together with it, or not at all."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from chains.events import Limits
from pointsman.moves import Moves
from service import live
from service.dispatch import Dispatch, Plan
from service.errors import AdapterConflict, RoutesRejected
from service.live import LiveRoutes
from service.sections import GatewaySettings
from service.settings import Settings
from tests.service.adapters.conftest import World
from tests.service.conftest import until
from tests.service.parts import PROMPT, SpellingEncoder, write_settings

TRACK = "where is my parcel"
RETURNS = ["I want to send it back", "how do I return this", "return label please", "send the mug back"]
NEW = Moves.model_validate(
    {
        "routes": {
            "track_parcel": {"prompt": "support@2", "chain": "cot", "sampling": {"temperature": 1}},
            "returns": {"prompt": "support@2", "description": "what comes back"},
        },
        "examples": [{"text": text, "intent": "returns"} for text in RETURNS],
        "prompts": {"support@2.yaml": PROMPT.format(name="support").replace('"1"', '"2"')},
        "wrong_cost": 5,
    }
)


@dataclass
class Moving:
    """Adapters, and the routes that follow them."""

    world: World
    settings: Settings
    routes: LiveRoutes
    dispatch: Dispatch

    async def plan(self, text: str = TRACK, conversation: int = 0) -> Plan:
        """How one request would be answered."""
        messages = [{"role": "user", "content": text}]
        return await self.dispatch.chat({"model": "auto", "messages": messages, "user": str(conversation)})

    async def carried(self, alias: str, seed: int, moves: Moves) -> str:
        """A registered version that brings ``moves``."""
        version = await self.world.register(alias, seed)
        await self.world.adapters.carry(alias, version, moves)
        return version

    async def restart(self) -> None:
        """New routes over the same registry, as after a start."""
        await self.routes.stop()
        await self.begin()

    async def begin(self) -> None:
        """Fit, and follow the adapters."""
        adapters = self.world.adapters
        self.routes = LiveRoutes(self.settings, moving=adapters.moving)
        adapters.followed(self.routes.moved)
        self.dispatch = Dispatch(
            "pointsman-demo",
            adapters,
            self.routes,
            Limits(),
            GatewaySettings(),
            encoder="spelling",
            note=lambda _: None,
        )
        await self.routes.start()
        await until(lambda: self.routes.live is not None or bool(self.routes.problems))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Routers that one test fitted, for the next."""
    return tmp_path_factory.mktemp("fitted") / "router"


@pytest.fixture
def settings(world: World, fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Settings, None, None]:
    """Those of the world, with routes and prompts."""
    monkeypatch.setattr(live, "Encoder", SpellingEncoder)
    prompts = write_settings(world.folder, "http://engine").prompts
    state = world.settings.state / "router"
    if fitted.is_dir():
        shutil.copytree(fitted, state)
    yield world.settings.model_copy(update={"prompts": prompts})
    if not fitted.is_dir():
        shutil.copytree(state, fitted)


@pytest.fixture
async def moving(world: World, settings: Settings) -> AsyncGenerator[Moving, None]:
    """The routes of the tests, with every adapter that they name live."""
    found = Moving(world, settings, None, None)  # type: ignore[arg-type]
    await found.begin()
    for seed, alias in enumerate(("support", "math", "chat"), 10):
        await world.adapters.promote(alias, await world.register(alias, seed))
    yield found
    await found.routes.stop()


def shown(plan: Plan) -> tuple[str, str, object]:
    """What a version brings: prompt, chain and sampling."""
    temperature = plan.request.parameters.get("temperature")
    return str(plan.request.messages[0]["content"]), plan.chain_name, temperature


async def test_all_of_it_comes_with_the_version_and_goes_with_it(moving: Moving) -> None:
    old = (await moving.plan()).version
    before = shown(await moving.plan())
    version = await moving.carried("support", 1, NEW)
    assert (shown(await moving.plan()), (await moving.plan()).version) == (before, old)
    await moving.world.adapters.promote("support", version)
    plan = await moving.plan()
    assert (plan.version, shown(plan)) == (f"support@{version}", ("support of Northway", "cot", 1))
    returned = await moving.plan(RETURNS[0])
    assert (returned.intent, returned.version) == ("returns", f"support@{version}")
    await moving.restart()  # the registry knows
    assert shown(await moving.plan()) == ("support of Northway", "cot", 1)
    await moving.world.adapters.rollback("support")
    assert (shown(await moving.plan()), (await moving.plan()).version) == (before, old)
    assert (await moving.plan(RETURNS[0])).intent != "returns"


async def test_a_canary_s_conversations_have_the_canary_s_routes(moving: Moving) -> None:
    version = await moving.carried("support", 1, NEW)
    await moving.world.adapters.promote("support", version, 40)
    plans = [await moving.plan(conversation=number) for number in range(60)]
    ours = [plan for plan in plans if plan.version == f"support@{version}"]
    assert 10 < len(ours) < 40
    assert {plan.chain_name for plan in ours} == {"cot"}
    assert {plan.chain_name for plan in plans if plan not in ours} == {"direct"}
    other = await moving.carried("math", 2, Moves.model_validate({"switch_cost": 0.1}))
    with pytest.raises(AdapterConflict, match="math and support: one at a time"):
        await moving.world.adapters.promote("math", other, 10)
    await moving.world.adapters.promote("support", version)
    await moving.world.adapters.promote("math", other, 10)


async def test_no_request_sees_a_mixture_while_versions_change(moving: Moving) -> None:
    version = await moving.carried("support", 1, NEW)
    name, done, seen = f"support@{version}", asyncio.Event(), set[tuple[bool, str]]()

    async def ask() -> None:
        number = 0
        while not done.is_set():
            number += 1
            plan = await moving.plan(conversation=number % 7)
            seen.add((plan.version == name, plan.chain_name))

    asking = [asyncio.create_task(ask()) for _ in range(3)]
    for weight in (20, 60, 100):
        await moving.world.adapters.promote("support", version, weight)
        await moving.plan()
    for _ in range(3):
        await moving.world.adapters.rollback("support")
        await moving.world.adapters.promote("support", version)
    done.set()
    await asyncio.gather(*asking)
    assert seen == {(False, "direct"), (True, "cot")}


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ({"routes": {"track_parcel": {"prompt": "nowhere"}}}, "nowhere"),
        ({"routes": {"track_parcel": {"chain": "cott"}}}, "no chain 'cott'"),
        ({"examples": [{"text": "hm", "intent": "unheard"}]}, "no route has the intent 'unheard'"),
        ({"prompts": {"support.yaml": PROMPT.format(name="support")}}, "support@1 is there already"),
        ({"routes": {"track_parcel": {"limit": 1}}}, "limit"),
    ],
)
async def test_what_can_t_be_used_is_refused_and_changes_nothing(
    moving: Moving, moves: dict[str, object], said: str
) -> None:
    version = await moving.carried("support", 1, Moves.model_validate(moves))
    before = shown(await moving.plan())
    with pytest.raises(RoutesRejected) as caught:
        await moving.world.adapters.promote("support", version)
    assert all(one.startswith(f"with what moves with support@{version}: ") for one in caught.value.problems)
    assert said in "\n".join(caught.value.problems)
    assert shown(await moving.plan()) == before
    assert {info.weight for info in moving.world.adapters.names() if info.version == version} == {0}


async def test_an_alias_that_is_withdrawn_takes_its_moves_along(moving: Moving) -> None:
    await moving.world.adapters.promote("support", await moving.carried("support", 1, NEW))
    await moving.world.adapters.withdraw("support")
    live = moving.routes.live
    assert live is not None
    assert "returns" not in live.table.routes
    assert live.table.routes["track_parcel"].chain_name == "direct"


async def test_two_aliases_can_t_move_one_route(moving: Moving) -> None:
    other = Moves.model_validate({"routes": {"track_parcel": {"chain": "direct"}}})
    await moving.world.adapters.promote("support", await moving.carried("support", 1, NEW))
    version = await moving.carried("chat", 2, other)
    with pytest.raises(RoutesRejected, match="it can follow one only"):
        await moving.world.adapters.promote("chat", version)


async def test_what_a_rollback_may_lead_to_stays_as_it_is(moving: Moving) -> None:
    version = await moving.carried("support", 1, NEW)
    await moving.world.adapters.carry("support", version, None)
    await moving.world.adapters.carry("support", version, NEW)
    await moving.world.adapters.promote("support", version)
    third = await moving.world.register("support", 3)
    await moving.world.adapters.promote("support", third)
    with pytest.raises(AdapterConflict, match="a rollback may lead to it"):
        await moving.world.adapters.carry("support", version, None)
    assert (await moving.world.adapters.show("support", version)).moves == NEW


async def test_texts_are_tried_without_anything_in_force(moving: Moving) -> None:
    version = await moving.carried("support", 1, NEW)
    adapters = moving.world.adapters
    decided = await moving.routes.trial(adapters.moving_with("support", version), [RETURNS[0], TRACK])
    assert [one.intent for one in decided] == ["returns", "track_parcel"]
    assert (await moving.plan(RETURNS[0])).intent != "returns"


def test_moves_that_can_t_be_are_told() -> None:
    for given, said in (
        ({}, "moves nothing"),
        ({"routes": {"x": {"adapter": "math"}}}, "the alias answers it"),
        ({"wrong_cost": 0}, "greater than or equal to 0.1"),
    ):
        with pytest.raises(ValidationError, match=said):
            Moves.model_validate(given)
