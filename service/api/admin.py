"""/admin: adapters and routes, for who has the admin key."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Self

import orjson
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from pointsman.artefact import ALIAS_LENGTH, SERVED_ALIAS
from pointsman.document import Document
from pointsman.moves import Moves
from pointsman.numbers import WHOLE
from service.api.incoming import Running, admin_only, document
from service.errors import AdapterNotFound

router = APIRouter(prefix="/admin", dependencies=[Depends(admin_only)])


class Folder(Document):
    """Body of a check."""

    folder: Annotated[str, Field(min_length=1)]


class Registration(Document):
    """Body of a registration."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [name], "properties": {name: {"type": "string"}}}
                for name in ("folder", "upload")
            ]
        }
    )

    alias: Annotated[
        str,
        Field(json_schema_extra={"maxLength": ALIAS_LENGTH, "pattern": f"^{SERVED_ALIAS.pattern}$"}),
    ]
    folder: Annotated[str, Field(min_length=1)] | None = None
    upload: Annotated[str | None, Field(description="that is whole, in the place of folder")] = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.folder is None) == (self.upload is None):
            raise ValueError("give either folder (in the adapters folder) or upload (the id of one)")
        return self


class Promotion(Document):
    """Body of a promotion; ``weight`` is the percentage of conversations."""

    version: str
    weight: Annotated[int, Field(ge=0, le=100, strict=True), WHOLE] = 100
    by: Annotated[str, Field(max_length=200)] = "admin"
    beside: list[str] | None = None  # who must be live now, the primary first


class Rollback(Document):
    """Body of a rollback, if there is one."""

    version: str | None = None  # which must be the newest live version


class Judgement(Document):
    """Body of a verdict; ``report`` says in ``reasons`` why a version is refused."""

    version: str
    passed: Annotated[bool, Field(strict=True)]
    report: dict[str, Any]
    by: Annotated[str, Field(max_length=200)] = "admin"


class Shadowing(Document):
    """Body of shadow traffic; ``share`` is the percentage of conversations, 0 ends it."""

    version: str
    share: Annotated[int, Field(ge=0, le=100, strict=True), WHOLE]


class Moving(Document):
    """Body of what moves with a version; null: nothing does."""

    version: str
    moves: Moves | None


class Trial(Document):
    """Body of texts that are decided as if a version answered all of its alias."""

    version: str
    texts: Annotated[list[str], Field(min_length=1, max_length=10_000)]


class Named(Document):
    """Body of what is done with one version."""

    version: str


@router.get("/adapters")
async def adapters(gateway: Running) -> Response:
    """Every version in the registry."""
    return _json({"data": list(await gateway.adapters.list())})


@router.post("/adapters/check")
async def check(request: Request, gateway: Running) -> Response:
    """Make all checks on a folder and change nothing."""
    asked = await document(request, Folder)
    return _json(await gateway.adapters.check(asked.folder))


@router.post("/adapters")
async def register(request: Request, gateway: Running) -> Response:
    """Check a folder, or what was pushed, and enter it in the registry."""
    asked = await document(request, Registration)
    if asked.upload is None:
        return _json(await gateway.adapters.register(asked.alias, asked.folder or ""))
    uploads = gateway.uploads
    folder = await asyncio.to_thread(uploads.whole, asked.upload)
    version = await gateway.adapters.register(asked.alias, folder, uploads.folder)
    await asyncio.to_thread(uploads.remove, folder)  # there is a copy of it now
    return _json(version)


@router.post("/adapters/{alias:path}/promote")
async def promote(alias: str, request: Request, gateway: Running) -> Response:
    """Load, probe, and give it requests."""
    asked = await document(request, Promotion)
    promoted = gateway.adapters.promote(alias, asked.version, asked.weight, by=asked.by, beside=asked.beside)
    return _json(await promoted)


@router.post("/adapters/{alias:path}/moves")
async def carry(alias: str, request: Request, gateway: Running) -> Response:
    """Have routes, prompts, examples and costs move with a version; what can't be used is refused."""
    asked = await document(request, Moving)
    if asked.moves is not None:
        await gateway.routes.trial(gateway.adapters.moving_with(alias, asked.version, asked.moves), [])
    return _json(await gateway.adapters.carry(alias, asked.version, asked.moves))


@router.post("/adapters/{alias:path}/route")
async def trial(alias: str, request: Request, gateway: Running) -> dict[str, Any]:
    """The intents of texts, each alone, as if a version answered all of its alias; null: abstained."""
    asked = await document(request, Trial)
    decided = await gateway.routes.trial(gateway.adapters.moving_with(alias, asked.version), asked.texts)
    return {"data": [{"intent": one.intent, "confidence": one.confidence} for one in decided]}


@router.post("/adapters/{alias:path}/load")
async def load(alias: str, request: Request, gateway: Running) -> Response:
    """Load and probe, and give it no requests."""
    asked = await document(request, Named)
    return _json(await gateway.adapters.load(alias, asked.version))


@router.post("/adapters/{alias:path}/verdict")
async def judge(alias: str, request: Request, gateway: Running) -> Response:
    """Keep what a gate said of a version; a refused one can't be promoted."""
    asked = await document(request, Judgement)
    judged = gateway.adapters.judge(
        alias, asked.version, passed=asked.passed, report=asked.report, by=asked.by
    )
    return _json(await judged)


@router.post("/adapters/{alias:path}/shadow")
async def shadow(alias: str, request: Request, gateway: Running) -> Response:
    """Have a candidate answer a share of the conversations too; what it says is only compared."""
    asked = await document(request, Shadowing)
    if asked.share:
        await gateway.adapters.load(alias, asked.version)
    elif gateway.shadows.of(alias) is None and not gateway.adapters.knows(f"{alias}@{asked.version}"):
        raise AdapterNotFound(f"{alias[:80]!r} has no version {asked.version[:80]!r}")
    return _json(gateway.shadows.set(alias, asked.version, asked.share).told())


@router.get("/adapters/{alias:path}/shadow")
async def shadowed(alias: str, gateway: Running) -> Response:
    """What the candidate's shadow answers were beside the live version's."""
    found = gateway.shadows.of(alias)
    if found is None:
        raise AdapterNotFound(f"{alias!r} has had no shadow traffic since the gateway's start")
    return _json(found.told())


@router.get("/adapters/{alias:path}/{version}")
async def show(alias: str, version: str, gateway: Running) -> Response:
    """Where a version comes from: manifest, verdict, promotions."""
    return _json(await gateway.adapters.show(alias, version))


@router.post("/adapters/{alias:path}/rollback")
async def rollback(alias: str, request: Request, gateway: Running) -> Response:
    """Go back to the version that was live before."""
    asked = await document(request, Rollback) if await request.body() else Rollback()
    return _json(await gateway.adapters.rollback(alias, asked.version))


@router.post("/adapters/{alias:path}/retire")
async def retire(alias: str, request: Request, gateway: Running) -> Response:
    """Take a version out of service once nobody uses it."""
    asked = await document(request, Named)
    return _json(await gateway.adapters.retire(alias, asked.version))


@router.post("/routes/reload")
async def reload(gateway: Running) -> dict[str, Any]:
    """Read routes, prompts and examples again; what can't be used changes nothing (RoutesRejected)."""
    live = await gateway.routes.reload()
    return {"routes": list(live.table.routes), "warnings": gateway.warnings}


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value, default=_plain), media_type="application/json")


def _plain(value: object) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
