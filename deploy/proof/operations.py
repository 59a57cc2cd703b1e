"""Promotions, canaries, rollbacks and retirements by the admin API, each answer held against the model."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from deploy.proof.expected import Expected, Operation
from deploy.proof.served import Served
from deploy.proof.traffic import Traffic
from pointsman.artefact import WEIGHTS

_CONFLICT, _REJECTED, _UNAVAILABLE = 409, 422, 503
_AGAIN_SECONDS = 1.0  # between two tries where the engine is down


@dataclass
class Done:
    """What was done, and what was not as it must be."""

    operations: Counter[str] = field(default_factory=Counter)
    refused: int = 0  # as they must be: conflicts, changed bytes
    interrupted: int = 0  # refused because the engine was down, and asked for again
    faults: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Operations."""
        return self.operations.total()


class Operator:
    """Works through operations on aliases of its own; one at a time."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        served: Served,
        aliases: Sequence[Expected],
        folders: Mapping[str, str],
        traffic: Traffic,
        done: Done,
    ) -> None:
        self._client = client
        self._served = served
        self._aliases = aliases
        self._folders = folders  # alias@version → artefact in the adapters folder
        self._traffic = traffic
        self._done = done

    async def work(self, count: int, random: Random, *, spoil: bool, deadline: float) -> None:
        """Do ``count`` operations, or as many as begin before ``deadline`` on the loop's clock."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            if loop.time() >= deadline:
                return
            alias = random.choice(self._aliases)
            await self.do(alias, alias.choose(random, spoil=spoil))

    async def do(self, alias: Expected, asked: Operation) -> None:
        """Do one, and look whether the alias is as it must be."""
        version = asked.version
        if version in alias.retired and asked.kind in ("promote", "canary"):
            await self._refused(alias, asked, _CONFLICT)  # it is gone until it is registered again
            await self._register(alias, version)
        if asked.kind in ("promote", "canary"):
            body = {"version": version, "weight": asked.weight}
            if await self._ask(f"/{alias.alias}/promote", body, asked, alias):
                alias.promoted(version, asked.weight)
                if asked.weight == 100:
                    await self._next_request(alias, version)
        elif asked.kind == "rollback" and alias.way_back() is None:
            await self._refused(alias, asked, _CONFLICT)
        elif asked.kind == "rollback":
            if await self._ask(f"/{alias.alias}/rollback", {}, asked, alias):
                alias.rolled_back()
        elif asked.kind == "conflict":
            await self._refused(alias, asked, _CONFLICT)
        elif asked.kind == "retire":
            if await self._ask(f"/{alias.alias}/retire", {"version": version}, asked, alias):
                alias.retired.add(version)
        else:
            await self._spoil(alias, asked)
        self._done.operations[asked.kind] += 1
        await self._look(alias, asked)

    async def _spoil(self, alias: Expected, asked: Operation) -> None:
        """Change a byte of a version that is not loaded: it must not be served until it is mended.

        One that a request holds may be read this moment; then its bytes are in the engine, and are right.
        """
        name = f"{alias.alias}@{asked.version}"
        versions = {one["name"]: one for one in await self._versions()}
        if versions[name]["loaded"] or versions[name]["leases"]:
            return
        path = self._served.state / "adapters" / name / WEIGHTS
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        await self._refused(alias, asked, _REJECTED)
        await self._register(alias, asked.version)

    async def _register(self, alias: Expected, version: str) -> None:
        folder = self._folders[f"{alias.alias}@{version}"]
        answer = await self._client.post("/admin/adapters", json={"alias": alias.alias, "folder": folder})
        if answer.is_error:
            self._done.faults.append(f"register {alias.alias}@{version}: {answer.status_code} {answer.text}")
        alias.retired.discard(version)

    async def _refused(self, alias: Expected, asked: Operation, status: int) -> None:
        """Ask for what must be refused with ``status``."""
        word = {"rollback": "rollback", "conflict": "retire"}.get(asked.kind, "promote")
        body = {} if word == "rollback" else {"version": asked.version}
        while True:
            answer = await self._client.post(f"/admin/adapters/{alias.alias}/{word}", json=body)
            if answer.status_code != _UNAVAILABLE:
                break
            self._done.interrupted += 1
            await asyncio.sleep(_AGAIN_SECONDS)
        if answer.status_code != status:
            self._done.faults.append(f"{alias.alias}: {asked} gave {answer.status_code}, not {status}")
        self._done.refused += 1

    async def _ask(self, path: str, body: Mapping[str, Any], asked: Operation, alias: Expected) -> bool:
        """Whether it was done. Where the engine is down it must have changed nothing, and is asked again."""
        while True:
            answer = await self._client.post(f"/admin/adapters{path}", json=body)
            if answer.status_code != _UNAVAILABLE:
                break
            self._done.interrupted += 1
            await self._look(alias, asked)
            await asyncio.sleep(_AGAIN_SECONDS)
        if answer.is_error:
            self._done.faults.append(f"{alias.alias}: {asked} gave {answer.status_code} {answer.text[:300]}")
        return answer.is_success

    async def _next_request(self, alias: Expected, version: str) -> None:
        """The next request already is answered by who was promoted."""
        found = await self._traffic.ask_now(alias.alias)
        if found not in ("", f"{alias.alias}@{version}"):
            self._done.faults.append(
                f"{alias.alias}: the request after the promotion was answered by {found}"
            )

    async def _look(self, alias: Expected, asked: Operation) -> None:
        """Compare the shares in the registry with those of the model."""
        shares = {one["name"]: one["weight"] for one in await self._versions()}
        found = {version: shares.get(f"{alias.alias}@{version}") for version in alias.versions}
        live = alias.live
        expected = {version: live.weight_of(version) if live else 0 for version in alias.versions}
        if found != expected:
            self._done.faults.append(f"{alias.alias}: after {asked} {found} have shares, not {expected}")

    async def _versions(self) -> list[dict[str, Any]]:
        answer = await self._client.get("/admin/adapters")
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
        return found
