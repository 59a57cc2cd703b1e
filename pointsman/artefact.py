"""The adapter artefact: the one thing that training writes and service reads.

A folder with ``adapter_model.safetensors``, ``adapter_config.json`` (PEFT's) and ``manifest.json``. Its
version is its content: the first 12 hex digits of the SHA-256 over weights and config, so the same bytes
have the same name everywhere and a name never means two things.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
MANIFEST = "manifest.json"
SIGNATURE = "signature.json"  # optional; see pointsman.signing
BASE_WEIGHTS_PATTERN = "*.safetensors"
ALIAS = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # of a recipe
SERVED_ALIAS = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*"
)  # others' trainers choose
ALIAS_LENGTH = 63  # characters, of both
ALIAS_FORM = (
    f"1 to {ALIAS_LENGTH} letters (a-z, A-Z), digits, '-', '_', '.' and '/', with a letter or digit first "
    "and behind each '/'"
)
VERSION_DIGITS = 12


def is_served_alias(text: str) -> bool:
    """Whether an adapter can be served under the name ``text``; see :data:`ALIAS_FORM`."""
    return len(text) <= ALIAS_LENGTH and SERVED_ALIAS.fullmatch(text) is not None


class ArtefactError(ValueError):
    """A folder that is not a whole artefact; says which file, what was found and what was expected."""


class BaseIdentity(BaseModel):
    """Which base an adapter was trained on; all three must be equal where it is served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: str = Field(description="sha256 over the base's safetensors files and config.json")
    tokenizer: str = Field(description="sha256 of tokenizer.json")
    chat_template: str = Field(description="sha256 of the chat template's text")


SERVED = ("lora", "qlora")  # methods whose artefact vLLM takes as it is


PLAIN_INITS = frozenset(  # of PEFT's ways to begin an adapter, those with names that leave the base as it is
    {"gaussian", "eva", "orthogonal", "mica", "lora_ga"}
)


class Manifest(BaseModel):
    """Where an artefact comes from: enough to make it again and to know if it fits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alias: str
    stage: str
    base_model: str = Field(description="folder or hub id as the recipe named it")
    base: BaseIdentity | None = Field(description="None only for a base made from scratch")
    recipe: dict[str, Any]
    data: dict[str, str] = Field(description="source → sha256 of its rows")
    seed: int
    code: str = Field(description="git commit, with '+changes' where the tree was not clean")
    libraries: dict[str, str]
    metrics: dict[str, float]
    created: str = Field(description="ISO 8601, UTC")
    parent: str | None = Field(default=None, description="alias@version this training went on from")
    method: str = Field(default="lora", description="which weights learned; vLLM serves lora and qlora")
    converted_from: str | None = Field(
        default=None, description="the method that it was trained by, where it was converted since"
    )
    warning: str | None = Field(
        default=None,
        description="what its training ended with: signs that it has gone astray; or what is not known of it",
    )


def version_of(folder: Path) -> str:
    """First 12 hex digits of the SHA-256 over weights and config.

    Raises:
        ArtefactError: a file is missing.
    """
    digest = hashlib.sha256()
    for name in (WEIGHTS, CONFIG):
        path = folder / name
        if not path.is_file():
            raise ArtefactError(f"{path}: no such file; an adapter artefact needs {WEIGHTS} and {CONFIG}")
        digest.update(name.encode() + b"\0" + str(path.stat().st_size).encode() + b"\0")
        _feed(digest, path)
    return digest.hexdigest()[:VERSION_DIGITS]


def identify_base(folder: Path) -> BaseIdentity:
    """The identity of the base model in ``folder`` (reads every byte of its weights)."""
    weights = hashlib.sha256()
    files = sorted(folder.glob(BASE_WEIGHTS_PATTERN))
    if not files:
        raise ArtefactError(f"{folder}: holds no safetensors file, so it is no base model")
    for path in [*files, folder / "config.json"]:
        weights.update(path.name.encode() + b"\0")
        _feed(weights, path)
    return BaseIdentity(
        weights=weights.hexdigest(),
        tokenizer=sha256_file(folder / "tokenizer.json"),
        chat_template=hashlib.sha256(chat_template_of(folder).encode()).hexdigest(),
    )


def chat_template_of(folder: Path) -> str:
    """The chat template's text: ``chat_template.jinja``, or the key in tokenizer_config.json."""
    path = folder / "chat_template.jinja"
    try:
        if path.is_file():
            return path.read_text(encoding="utf-8")
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ArtefactError(
            f"{folder}: no readable chat_template.jinja and no readable tokenizer_config.json"
        ) from exc
    template = config.get("chat_template") if isinstance(config, dict) else None
    if not isinstance(template, str):
        raise ArtefactError(f"{folder}: the tokenizer has no chat template")
    return template


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the artefact in ``folder``.

    Raises:
        ArtefactError: missing, not JSON, or not of this form.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ArtefactError(f"{path}: no such file; `pointsman train` writes it") from None
    except OSError as exc:
        raise ArtefactError(f"{path}: can't be read: {exc.strerror}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        place = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
        raise ArtefactError(f"{path}: {place}{first['msg']}; `pointsman train` writes it anew") from exc


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically: a reader sees the old one or the new one, whole."""
    write_atomically(folder / MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n")


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    _feed(digest, path)
    return digest.hexdigest()


def _feed(digest: hashlib._Hash, path: Path) -> None:
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as exc:
        raise ArtefactError(f"{path}: can't be read: {exc.strerror}") from exc
