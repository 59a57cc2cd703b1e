"""The proof of the adapter life: versions change under load, and every token is the right version's.

Promotions, canaries, rollbacks and retirements over more versions than the engine has slots, while clients
stream, ask for several choices, call tools and hang up. Afterwards: which requests failed, which answers were
not the named version's, which leases are left, whether registry and engine agree, whether memory grew.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import psutil

from deploy.proof import planted
from deploy.proof.expected import Expected
from deploy.proof.memory import Growth, Sample, growth, watch
from deploy.proof.operations import Done, Operator
from deploy.proof.served import ProofError, Served
from deploy.proof.traffic import QUESTIONS, Tally, Traffic, references, told_apart

VERSIONS = 3  # of each alias
_ORIGINS = ("support", "math", "extract", "chat")
_NOISE = 0.6  # of the weights' deviation: each version says something else, and still says it fluently
_SETTLED_SECONDS = 90.0
_READY_SECONDS = 300.0
_REQUEST_SECONDS = 300.0


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    operations: int = 200
    minutes: float = math.inf  # after which no operation begins
    aliases: int = 8
    clients: int = 4
    operators: int = 2
    questions: int = len(QUESTIONS)
    seed: int = 0
    spoil: bool = False  # bytes of registered versions change now and then
    kill_engine: float | None = None  # seconds that an engine may live


@dataclass
class Proof:
    """What came of it."""

    plan: Plan
    tally: Tally
    done: Done
    told_apart: float  # share of requests in which another version would have been seen
    seconds: float = 0.0
    kills: int = 0
    leases: int = 0  # left at the end
    loaded: int = 0  # in the engine at the end
    disagreements: list[str] = field(default_factory=list)  # of registry and engine
    gateway: Growth | None = None
    engine: Growth | None = None

    @property
    def faults(self) -> list[str]:
        """Everything that must not be."""
        found = [*self.tally.failed, *self.tally.wrong, *self.done.faults, *self.disagreements]
        if self.leases:
            found.append(f"{self.leases} leases are left")
        if self.plan.kill_engine is None and (refused := self.tally.unavailable + self.done.interrupted):
            found.append(f"{refused} requests were answered with 503 while the engine was up")
        return found

    def lines(self) -> list[str]:
        """The report."""
        tally, done = self.tally, self.done
        requests = tally.answered.total()
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(tally.answered.items()))
        operations = ", ".join(f"{number} {kind}" for kind, number in sorted(done.operations.items()))
        return [
            f"{done.count} operations ({operations}) on {self.plan.aliases} aliases with {VERSIONS} versions "
            f"each in {self.seconds:.0f} s, {done.refused} refusals as they must be",
            f"{requests} requests ({kinds}), {tally.tokens} tokens compared, {len(tally.versions)} versions "
            f"answered; another version would have been seen in {self.told_apart:.1%}",
            f"failed requests {len(tally.failed)}, wrong answers {len(tally.wrong)}, wrong operations "
            f"{len(done.faults)}, leases left {self.leases}",
            f"engine killed {self.kills} times, requests answered with 503 {tally.unavailable}, operations "
            f"asked again {done.interrupted}",
            f"registry and engine {'agree' if not self.disagreements else 'DISAGREE'}, {self.loaded} loaded",
            f"memory of the gateway {self.gateway or 'not enough samples'}",
            f"memory of the engine {self.engine or 'not enough samples'}",
            *(f"FAULT {fault}" for fault in self.faults[:20]),
        ]


async def prove(served: Served, plan: Plan, report: Callable[[str], object]) -> Proof:
    """Lead the proof on a running demo, whose other aliases stay as they are.

    Raises:
        ProofError, httpx.HTTPError: it could not be led.
    """
    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(
            base_url=served.url, timeout=_REQUEST_SECONDS, limits=limits, trust_env=False
        ) as client,
        httpx.AsyncClient(
            base_url=served.url, headers=served.admin, timeout=_REQUEST_SECONDS, trust_env=False
        ) as admin,
    ):
        base, aliases, folders = await _registered(admin, served, plan)
        report(f"references of {len(folders)} versions")
        questions = QUESTIONS[: plan.questions]
        models = [alias.alias for alias in aliases]
        known = await references(client, [base, *folders], questions)
        traffic = Traffic(client, [*models, base], questions, known)
        proof = Proof(plan, traffic.tally, Done(), told_apart(known))
        groups = [aliases[place :: plan.operators] for place in range(plan.operators)]
        operators = [
            Operator(admin, served=served, aliases=group, folders=folders, traffic=traffic, done=proof.done)
            for group in groups
        ]
        for operator, group in zip(operators, groups, strict=True):
            for alias in group:
                await operator.do(alias, alias.choose(Random(plan.seed), spoil=False))
        await _under_load(proof, served, operators, traffic, report)
        await _settled(admin, proof, served)
        await _cleared(admin, proof, served, aliases)
        for folder in folders.values():
            await asyncio.to_thread(shutil.rmtree, served.adapters / folder)
    return proof


async def _registered(
    admin: httpx.AsyncClient, served: Served, plan: Plan
) -> tuple[str, list[Expected], dict[str, str]]:
    """The base's name, aliases whose versions are registered, and the artefact's folder of each version."""
    base, aliases, folders = "", list[Expected](), dict[str, str]()
    for number in range(plan.aliases):
        alias, versions = f"proof-{plan.seed}-{number}", []
        for place in range(VERSIONS):
            folder = f"{alias}.{place}"
            origin = _ORIGINS[(number + place) % len(_ORIGINS)]
            seed = plan.seed * 1_000 + number * VERSIONS + place
            await asyncio.to_thread(
                planted.noise, served.adapters / folder, _NOISE, seed=seed, origin=origin, alias=alias
            )
            answer = await admin.post("/admin/adapters", json={"alias": alias, "folder": folder})
            if answer.is_error:
                raise ProofError(f"{folder} is not registered: {answer.text[:300]}")
            versions.append(answer.json()["version"])
            base = answer.json()["base"]
            folders[f"{alias}@{versions[-1]}"] = folder
        aliases.append(Expected(alias, tuple(versions)))
    return base, aliases, folders


async def _under_load(
    proof: Proof,
    served: Served,
    operators: Sequence[Operator],
    traffic: Traffic,
    report: Callable[[str], object],
) -> None:
    plan, stopped, samples = proof.plan, asyncio.Event(), list[Sample]()
    deadline = asyncio.get_running_loop().time() + 60 * plan.minutes
    began, each = time.monotonic(), -(-plan.operations // len(operators))

    async def told() -> None:
        while not stopped.is_set():
            report(f"{proof.done.count} operations, {proof.tally.answered.total()} requests")
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), 10)

    async with asyncio.TaskGroup() as beside:
        beside.create_task(told())
        beside.create_task(watch(served, lambda: proof.done.count, samples, stopped))
        for number in range(plan.clients):
            beside.create_task(traffic.run(number, stopped))
        if plan.kill_engine is not None:
            beside.create_task(_kill(proof, served, plan.kill_engine, stopped))
        try:
            async with asyncio.TaskGroup() as group:
                for number, operator in enumerate(operators):
                    random = Random(f"{plan.seed} {number}")
                    group.create_task(operator.work(each, random, spoil=plan.spoil, deadline=deadline))
        finally:
            stopped.set()
    proof.seconds = time.monotonic() - began
    proof.gateway = growth([(one.operations, one.gateway) for one in samples])
    if plan.kill_engine is None:
        proof.engine = growth([(one.operations, one.engine) for one in samples if one.engine is not None])


async def _kill(proof: Proof, served: Served, seconds: float, stopped: asyncio.Event) -> None:
    """Kill the engine so many seconds after it is ready, again and again."""
    while not stopped.is_set():
        if await asyncio.to_thread(served.ready):
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), seconds)
                return
            if (engine := served.engine) is not None:
                with suppress(psutil.Error):
                    engine.kill()
                    proof.kills += 1
        await asyncio.sleep(1)


async def _settled(admin: httpx.AsyncClient, proof: Proof, served: Served) -> None:
    """Wait until nothing is under way, then compare registry and engine."""
    deadline = time.monotonic() + (_READY_SECONDS if proof.kills else _SETTLED_SECONDS)
    while True:
        answer = await admin.get("/admin/adapters")
        versions: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        proof.leases = sum(version["leases"] for version in versions)
        is_ready = await asyncio.to_thread(served.ready)
        if is_ready and not proof.leases and not any(one["state"] == "draining" for one in versions):
            break
        if time.monotonic() > deadline:
            proof.disagreements.append("it did not come to rest")
            break
        await asyncio.sleep(0.25)
    known = {version["name"] for version in versions if version["loaded"]}
    has = await asyncio.to_thread(served.in_engine)
    retired = {version["name"] for version in versions if version["state"] == "retired"}
    proof.loaded = len(has)
    for name in sorted(known ^ has):
        proof.disagreements.append(f"{name}: only {'the registry' if name in known else 'the engine'} has it")
    proof.disagreements += [f"{name} is retired, and the engine has it" for name in sorted(retired & has)]


async def _cleared(
    admin: httpx.AsyncClient, proof: Proof, served: Served, aliases: Sequence[Expected]
) -> None:
    """Take the aliases out of service: the engine must let go of every version of theirs."""
    for alias in aliases:
        answer = await admin.post("/v1/unload_lora_adapter", json={"lora_name": alias.alias})
        if answer.is_error:
            proof.disagreements.append(f"{alias.alias} can't be withdrawn: {answer.text[:300]}")
        gone = alias.retired | set(alias.live.versions if alias.live else ())
        for version in sorted(set(alias.versions) - gone):
            await admin.post(f"/admin/adapters/{alias.alias}/retire", json={"version": version})
    ours = {f"{alias.alias}@{version}" for alias in aliases for version in alias.versions}
    left = ours & await asyncio.to_thread(served.in_engine)
    proof.disagreements += [f"{name} was withdrawn, and the engine has it" for name in sorted(left)]
