"""What the OpenAPI document says of /admin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from service.api import admin
from service.api.shapes import HTML, Schema, answer, of
from service.uploads import Declaration

_VERSION = answer("alias", "version", "state", "weight")
_SHADOW = answer("version", "share", "same", "different", "failed")
_OFFSET = {
    "name": "offset",
    "in": "query",
    "schema": {"type": "integer", "minimum": 0, "maximum": 10**15 - 1, "default": 0},
    "description": "bytes of the file that are there",
}
_OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def posts() -> Mapping[str, tuple[str, Schema | None, Schema]]:
    """What each path does, takes and gives."""
    return {
        "/admin/adapters": ("Check a folder and enter it", of(admin.Registration), answer("version")),
        "/admin/adapters/check": ("Make all checks on a folder", of(admin.Folder), answer()),
        "/admin/adapters/{alias}/promote": (
            "Load, prove, and give it requests",
            of(admin.Promotion),
            _VERSION,
        ),
        "/admin/adapters/{alias}/rollback": ("Go back to the version before", of(admin.Rollback), _VERSION),
        "/admin/adapters/{alias}/retire": ("Take a version out of service", of(admin.Named), _VERSION),
        "/admin/adapters/{alias}/load": ("Load and prove, without requests", of(admin.Named), _VERSION),
        "/admin/adapters/{alias}/moves": (
            "Have routes, prompts, examples and costs move with a version",
            of(admin.Moving),
            _VERSION,
        ),
        "/admin/adapters/{alias}/route": (
            "Decide texts as if a version answered all of its alias",
            of(admin.Trial),
            answer("data"),
        ),
        "/admin/adapters/{alias}/verdict": ("Keep a gate's verdict", of(admin.Judgement), _VERSION),
        "/admin/adapters/{alias}/shadow": (
            "Have a candidate answer a share too, unseen",
            of(admin.Shadowing),
            _SHADOW,
        ),
        "/admin/uploads": ("Begin to push an artefact, or go on", of(Declaration), answer("id", "files")),
        "/admin/routes/reload": ("Read routes and prompts again", None, answer("routes", "warnings")),
    }


def gets() -> Mapping[str, tuple[str, Schema, str]]:
    """What each path does and gives, and whose key it needs."""
    return {
        "/admin": ("The table of releases as a page", HTML, "page"),
        "/admin/releases": (
            "The live versions, and what came of them",
            answer("engine", "running", "waiting", "data"),
            "admin",
        ),
        "/admin/adapters": ("Every version in the registry", answer("data"), "admin"),
        "/admin/adapters/{alias}/shadow": ("How its answers compare", _SHADOW, "admin"),
        "/admin/adapters/{alias}/{version}": (
            "Where a version comes from",
            answer("version", "manifest", "signed_by", "verdict", "promotions", "moves"),
            "admin",
        ),
    }


def puts() -> Mapping[str, tuple[str, Schema, Callable[[list[Schema]], dict[str, Any]]]]:
    """What each path does and gives, and from the parameters in its path what it takes."""
    return {
        "/admin/uploads/{upload}/{file}": (
            "Add bytes to a file of an upload",
            answer("bytes"),
            lambda places: {
                "requestBody": {"required": True, "content": _OCTETS},
                "parameters": [*places, _OFFSET],
            },
        )
    }
