"""The sections of ``pointsman.yaml``, each a frozen object with its defaults and its own rules."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from pointsman.artefact import ALIAS_FORM, is_served_alias
from pointsman.document import Document

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # sha256 of a key, in hex
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # ed25519, in hex
Port = Annotated[int, Field(ge=0, le=65535)]  # 0: one that is free
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]

CARRIED = "carried"  # the encoder that the environment brings


def is_hub_id(name: str) -> bool:
    """Whether ``name`` is ``owner/name`` and not a path that begins with ``.``, ``/`` or ``~``."""
    return name.count("/") == 1 and name[0] not in "./~" and not name.endswith("/")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class GatewaySettings(Document):
    """Where clients are answered, who they may be and how much one may ask."""

    host: str = "127.0.0.1"
    port: Port = 8000
    max_body_bytes: Positive = 4_194_304
    max_messages: Positive = 512
    max_choices: Positive = 128  # answers to one request: n, times the prompts of a completion
    max_inputs: Positive = 2048  # texts of one request for embeddings
    request_timeout_seconds: Seconds = 300.0  # from the first byte in to the last byte out
    api_keys: tuple[Digest, ...] = ()  # none: open to everybody, on loopback only
    admin_key: Digest | None = None  # None: one is made at first start, in <state>/admin.key
    stream_workers: Annotated[int, Field(ge=0, le=64)] = 0  # processes beside this one that carry streams
    rate_limit_per_minute: Annotated[int, Field(ge=0)] = 0  # per key, or per address; 0: no limit

    @field_validator("api_keys")
    @classmethod
    def _closed_off_loopback(cls, keys: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        host = info.data.get("host")
        if not keys and host is not None and not is_loopback(host):
            raise ValueError(
                f"the host {host} can be reached from other machines, so at least one key is needed "
                "(its sha256 in hex)"
            )
        return keys


class EngineSettings(Document):
    """The base model and the vLLM that serves it: a child process, or servers that others run."""

    model: str = Field(min_length=1)  # a folder, or a hub id (owner/name)
    model_name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")  # the base's name for clients
    urls: tuple[Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")], ...] = ()
    port: Port = 0
    max_loras: Positive = 8  # different adapters in one batch
    max_cpu_loras: Positive | None = None  # adapters loaded at once, in memory; None: twice max_loras
    max_lora_rank: Positive = 16
    max_model_len: Positive = 2048  # tokens of prompt and answer
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    arguments: tuple[str, ...] = ()  # more words for vLLM's command line
    environment: dict[str, str] = Field(default_factory=dict)  # more of it for the child
    start_timeout_seconds: Seconds = 300.0
    silence_timeout_seconds: Seconds = 120.0  # without a token of what it was asked: it hangs

    @field_validator("urls")
    @classmethod
    def _different(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if urls.count(url) > 1:
                raise ValueError(f"{url} is listed twice: a server is one place to load on")
        return urls

    @field_validator("model_name")
    @classmethod
    def _not_auto(cls, name: str) -> str:
        if name == "auto":
            raise ValueError("'auto' is the name that asks for routing; the base needs another")
        return name

    @field_validator("max_cpu_loras")
    @classmethod
    def _not_fewer(cls, count: int | None, info: ValidationInfo) -> int | None:
        most = info.data.get("max_loras")
        if count is not None and most is not None and count < most:
            raise ValueError(
                f"{count} adapters in memory are fewer than the {most} of max_loras in one batch"
            )
        return count

    @property
    def loaded_loras(self) -> int:
        """Adapters that are loaded at once."""
        return self.max_cpu_loras or 2 * self.max_loras

    @property
    def folder(self) -> Path | None:
        """Where the base lies, None for a hub id; absolute once loaded."""
        return None if is_hub_id(self.model) else Path(self.model)

    @property
    def compiles(self) -> bool:
        """Whether vLLM calls the machine's compilers when it starts and at its first requests."""
        return self.environment.get("TORCH_COMPILE_DISABLE") != "1"


class AdmissionSettings(Document):
    """How many requests the engine gets at once, who goes first and who waits how long."""

    # where the engine is full: more at once make it no faster; "learned" from its own numbers while it runs
    max_concurrent: Positive | Literal["learned"] = 64
    max_queue: Annotated[int, Field(ge=0)] = 256
    max_wait_seconds: Seconds = 60.0
    policy: Literal["affinity", "first_come"] = (
        "affinity"  # affinity: few adapters at a time, callers in turn
    )
    extra_wait_seconds: Seconds = 2.0  # that a request may wait longer than in strict turn, for affinity


class RouterSettings(Document):
    """How intents are found."""

    encoder: str = Field(default=CARRIED, min_length=1)  # "carried", a folder, or a hub id
    routes: Path
    decision_log: Literal["off", "decisions", "texts"] = "decisions"  # texts: what users say is kept too


class AdapterSettings(Document):
    """Where adapter artefacts lie, and which go live at first start."""

    folder: Path
    preload: dict[str, str] = Field(default_factory=dict)  # alias → folder under ``folder``
    trusted_keys: tuple[PublicKey, ...] = ()  # any: only what one of them has signed is served

    @field_validator("preload")
    @classmethod
    def _aliases(cls, preload: dict[str, str]) -> dict[str, str]:
        for alias in preload:
            if not is_served_alias(alias) or alias == "auto":
                raise ValueError(f"{alias!r} is no alias, which is {ALIAS_FORM}; and not 'auto'")
        return preload


class FeedbackSettings(Document):
    """What becomes of ratings (POST /v1/feedback) beyond being counted."""

    keep: Literal["off", "texts"] = "off"  # texts: question and answer of what is rated, redacted
    redact: tuple[str, ...] = ()  # regular expressions; what they match is left out, beside e-mails, ...
    remember: Positive = 2_000  # of the last answers that can be rated

    @field_validator("redact")
    @classmethod
    def _expressions(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as exc:
                raise ValueError(f"{pattern!r} is no regular expression: {exc}") from exc
        return patterns


class LimitSettings(Document):
    """Bounds of one run of a chain where its route gives none."""

    steps: Positive = 6  # calls of the model
    seconds: Seconds = 120.0
    tool_seconds: Seconds = 10.0
    tool_characters: Positive = 8_000
