"""GET /admin/releases and, for a browser, GET /admin: the table of releases.

A browser can't be told to send a bearer token, so the page alone takes the admin key as the password of
HTTP's basic authentication (RFC 7617), under any name. Nothing can be changed with it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import asdict
from html import escape

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from service.api.incoming import Running, admin_only
from service.board import Line, lines_of
from service.errors import Forbidden, Unauthorized
from service.gateway import Gateway

router = APIRouter()

_EVERY_SECONDS = 5
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
_COLUMNS = (
    *("alias", "version", "role", "share", "requests", "failed", "given up"),
    *("rated down", "first token", "whole answer", "live since"),
)
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="{seconds}">
<title>Pointsman: releases</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }}
table {{ border-collapse: collapse }}
th, td {{ padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }}
th {{ color: #666; font-weight: 600 }}
th:nth-child(-n+3), td:nth-child(-n+3) {{ text-align: left }}
td:nth-child(2) {{ font-family: ui-monospace, monospace }}
tr.canary td {{ background: #fff7e0 }}
td.bad {{ color: #b00020; font-weight: 600 }}
@media (prefers-color-scheme: dark) {{
  body {{ color: #ddd; background: #181818 }}
  th, td {{ border-color: #444 }}
  tr.canary td {{ background: #3a3215 }}
  td.bad {{ color: #ff8a80 }}
}}
</style>
<h1>Releases</h1>
<p>{state}</p>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>Counted since the gateway's start; the page reads itself again every {seconds} seconds.</p>
</html>
"""


@router.get("/admin/releases", dependencies=[Depends(admin_only)])
async def releases(gateway: Running) -> Response:
    """The table as JSON, with the state of engine and queue."""
    lines = [asdict(line) for line in await _lines(gateway)]
    state = {
        "engine": gateway.engine.state,
        "running": gateway.admission.running,
        "waiting": gateway.admission.waiting,
    }
    return Response(orjson.dumps({**state, "data": lines}), media_type="application/json")


@router.get("/admin")
async def page(request: Request, gateway: Running) -> Response:
    """The table as a page."""
    try:
        gateway.keys.admin(_bearer(request.headers.get("authorization")))
    except (Unauthorized, Forbidden) as exc:
        ask = {"www-authenticate": 'Basic realm="Pointsman: the admin key as password", charset="UTF-8"'}
        return Response(f"{exc}\n", 401, {**_HEADERS, **ask}, "text/plain")
    engine, queue = gateway.engine, gateway.admission
    state = f"engine {engine.state}, {queue.running} requests running, {queue.waiting} waiting"
    rows = "\n".join(map(_row, await _lines(gateway)))
    found = _PAGE.format(
        seconds=_EVERY_SECONDS,
        state=escape(state),
        heads="".join(f"<th>{name}</th>" for name in _COLUMNS),
        rows=rows or f'<tr><td colspan="{len(_COLUMNS)}">no alias has a live version</td></tr>',
    )
    return Response(found, 200, _HEADERS, "text/html; charset=utf-8")


async def _lines(gateway: Gateway) -> list[Line]:
    seen = await asyncio.to_thread(gateway.metrics.by_adapter)
    return lines_of(await gateway.adapters.list(), seen)


def _row(line: Line) -> str:
    cells = (
        *(line.alias, line.version, line.role, f"{line.weight} %", f"{line.requests:,}"),
        *(str(line.failed), str(line.aborted), str(line.down)),
        *(_seconds(line.first_token), _seconds(line.seconds), line.since[:16].replace("T", " ")),
    )
    written = "".join(
        f"<td{' class=bad' if name == 'failed' and line.failed else ''}>{escape(cell)}</td>"
        for name, cell in zip(_COLUMNS, cells, strict=True)
    )
    return f'<tr class="{line.role}">{written}</tr>'


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _bearer(authorization: str | None) -> str | None:
    """The header with a password in the place of a token, where it is basic authentication's."""
    scheme, _, content = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        _, _, password = base64.b64decode(content, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return f"Bearer {password}"
