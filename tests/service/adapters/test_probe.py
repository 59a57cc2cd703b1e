"""What the engine is asked to prove an adapter, and what that proves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from service.adapters.probe import Probe
from service.errors import AdapterRejected, EngineUnavailable
from tests.service.adapters.engine import BASE, FakeEngine


@dataclass
class Proving:
    """A probe of one engine, whose adapters have the effects that a test says."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.probe = Probe(BASE, clock=lambda: self.seconds)
        self.client = self.engine.client()

    async def prove(self, name: str, effect: float) -> float:
        self.engine.loaded[name], self.engine.effects[name] = "00", effect
        return await self.probe.prove(self.client, name)

    def asked(self) -> list[str]:
        """Since this was called last."""
        found, self.engine.asked = sorted(self.engine.asked), []
        return found


@pytest.fixture
def proving() -> Proving:
    return Proving()


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"choices": []}', b'{"choices": [{"index": 0}]}'])
async def test_an_answer_that_is_none_is_the_servers_fault(
    proving: Proving, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def complete(path: str, body: object) -> bytes:
        return answer

    monkeypatch.setattr(proving.client, "complete", complete)
    with pytest.raises(EngineUnavailable, match="http://engine answered POST /v1/completions with no "):
        await proving.prove("a", 0.7)


async def test_the_base_is_asked_twice_and_then_remembered(proving: Proving) -> None:
    assert await proving.prove("a", 0.7) == pytest.approx(0.7)
    assert proving.asked() == ["a", BASE, BASE]
    assert await proving.prove("b", 0.9) == pytest.approx(0.9)
    assert proving.asked() == ["b"]
    proving.seconds = 61
    await proving.prove("c", 0.9)
    assert proving.asked() == ["c", BASE, BASE]


async def test_a_small_effect_is_looked_at_beside_the_base_of_now(proving: Proving) -> None:
    await proving.prove("a", 0.7)
    proving.asked()
    proving.engine.effects[BASE] = 0.4  # what other requests in the batch make of it
    assert await proving.prove("b", 0.43) == pytest.approx(0.03)
    assert proving.asked() == ["b", "b", BASE, BASE]
    with pytest.raises(AdapterRejected, match=r"no effect.*difference 0\.0e\+00"):
        await proving.prove("c", 0.4)


async def test_each_server_says_its_own(proving: Proving) -> None:
    await proving.prove("a", 0.7)
    other = FakeEngine(loaded={"a": "00"}, effects={"a": 0.7})
    await proving.probe.prove(other.client(), "a")
    assert sorted(other.asked) == ["a", BASE, BASE]


@pytest.mark.parametrize("remembered", [False, True])
async def test_what_is_no_number_is_refused(proving: Proving, remembered: bool) -> None:
    if remembered:
        await proving.prove("a", 0.7)
    with pytest.raises(AdapterRejected, match="the engine computes no numbers with it"):
        await proving.prove("b", math.inf)
    await proving.prove("c", 0.7)  # and the next is none the worse


async def test_an_engine_that_refuses_is_told(proving: Proving) -> None:
    await proving.prove("a", 0.7)
    with pytest.raises(AdapterRejected, match=r"could not answer the probe with it: .*does not exist"):
        await proving.probe.prove(proving.client, "nobody")
