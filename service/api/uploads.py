"""/admin/uploads: artefacts that are pushed to the gateway, for who has the admin key."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request

from service.api.incoming import Running, admin_only, document
from service.errors import InvalidRequest
from service.uploads import Declaration

router = APIRouter(prefix="/admin/uploads", dependencies=[Depends(admin_only)])


@router.post("")
async def begin(request: Request, gateway: Running) -> dict[str, Any]:
    """Say what is going to be sent; the same again goes on where its bytes ended."""
    declared = await document(request, Declaration)
    upload, here = await asyncio.to_thread(gateway.uploads.begin, declared)
    return {"id": upload, "files": here}


@router.put("/{upload}/{file}")
async def put(upload: str, file: str, request: Request, gateway: Running) -> dict[str, Any]:
    """Add bytes behind the first ``offset`` of a file; at most the gateway's ``max_body_bytes`` at once."""
    offset = request.query_params.get("offset", "0")
    if not (offset.isascii() and offset.isdecimal() and len(offset) < 16):
        raise InvalidRequest(f"offset must be a number of bytes, found {offset[:40]!r}", "offset")
    data = await request.body()
    here = await asyncio.to_thread(gateway.uploads.put, upload, file, int(offset), data)
    return {"id": upload, "file": file, "bytes": here}
