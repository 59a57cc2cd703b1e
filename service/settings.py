"""The settings of a gateway: ``pointsman.yaml`` as one frozen object, or one report of all that is wrong.

Relative paths are relative to the file; after :meth:`Settings.load` every path is absolute. Nothing here
reads the environment.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from pointsman.artefact import ALIAS
from pointsman.document import Document, DocumentError, Location, Problem, lines_of, parse, plain, read

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # sha256 of a key, in hex
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

    max_concurrent: Positive = 64  # where the engine is full: more at once make it no faster
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

    @field_validator("preload")
    @classmethod
    def _aliases(cls, preload: dict[str, str]) -> dict[str, str]:
        for alias in preload:
            if not ALIAS.fullmatch(alias) or alias == "auto":
                raise ValueError(f"{alias!r} is no alias: lower-case letters, digits, - and _; not 'auto'")
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


class Settings(Document):
    """Everything in ``pointsman.yaml``."""

    gateway: GatewaySettings = GatewaySettings()
    state: Path = Path(".pointsman")  # database, logs, keys that were made
    database: str | None = None  # SQLAlchemy URL; None: SQLite in <state>/registry.db
    engine: EngineSettings
    admission: AdmissionSettings = AdmissionSettings()
    router: RouterSettings
    prompts: Path  # folder of templates
    adapters: AdapterSettings
    feedback: FeedbackSettings = FeedbackSettings()
    limits: LimitSettings = LimitSettings()

    @property
    def database_url(self) -> str:
        """Where the registry is."""
        return self.database or f"sqlite:///{self.state / 'registry.db'}"

    @classmethod
    def load(cls, path: Path | str) -> Settings:
        """The settings in ``path``, every path of them absolute.

        Raises:
            DocumentError: with all that is wrong, files that don't exist included.
        """
        path = Path(path).absolute()
        text = read(path)
        try:
            settings, problems = parse(cls, text, path), list[Problem]()
        except DocumentError as exc:
            settings, problems = None, exc.problems
        problems += _missing(text, path.parent)
        if settings is None or problems:
            raise DocumentError(path, problems)
        return settings._resolved(path.parent)

    @staticmethod
    def routes_and_prompts(path: Path | str) -> tuple[Path | None, Path | None]:
        """Where ``path`` says that routes and prompts are, whatever else is wrong; None: not there."""
        path = Path(path).absolute()
        try:
            data = plain(read(path))
        except DocumentError:
            return None, None
        router = data.get("router") if isinstance(data, Mapping) else None
        routes = router.get("routes") if isinstance(router, Mapping) else None
        prompts = data.get("prompts") if isinstance(data, Mapping) else None
        file = _absolute(path.parent, routes) if isinstance(routes, str) else None
        folder = _absolute(path.parent, prompts) if isinstance(prompts, str) else None
        return (
            file if file is not None and file.is_file() else None,
            folder if folder is not None and folder.is_dir() else None,
        )

    def _resolved(self, here: Path) -> Settings:
        engine = self.engine.model_copy(update={"model": _folder_or_id(here, self.engine.model)})
        encoder = _folder_or_id(here, self.router.encoder)
        routes = _absolute(here, self.router.routes)
        router = self.router.model_copy(update={"encoder": encoder, "routes": routes})
        adapters = self.adapters.model_copy(update={"folder": _absolute(here, self.adapters.folder)})
        return self.model_copy(
            update={
                "state": _absolute(here, self.state),
                "engine": engine,
                "router": router,
                "prompts": _absolute(here, self.prompts),
                "adapters": adapters,
            }
        )


def _absolute(here: Path, path: Path | str) -> Path:
    return (here / Path(path).expanduser()).resolve()


def _folder_or_id(here: Path, name: str) -> str:
    folder = _absolute(here, name)
    return name if name == CARRIED or (is_hub_id(name) and not folder.is_dir()) else str(folder)


def _missing(text: str, here: Path) -> list[Problem]:
    """A problem for each file and folder that isn't there, whatever else is wrong in ``text``."""
    try:
        data, lines = plain(text), lines_of(text)
    except DocumentError:
        return []
    problems = []
    for place, name, kind in _paths(data if isinstance(data, Mapping) else {}, here):
        found = _absolute(here, name)
        if not (found.is_file() if kind == "file" else found.is_dir()):
            problems.append(Problem(lines.get(place), ".".join(map(str, place)), f"no such {kind}: {found}"))
    return problems


def _paths(data: Mapping[str, Any], here: Path) -> Iterator[tuple[Location, str, Literal["file", "folder"]]]:
    def value(*place: str) -> Any:
        found: Any = data
        for key in place:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    for place in (("router", "routes"), ("prompts",), ("adapters", "folder")):
        if isinstance(name := value(*place), str):
            yield place, name, "file" if place[-1] == "routes" else "folder"
    for place in (("engine", "model"), ("router", "encoder")):
        if isinstance(name := value(*place), str) and name:
            resolved = _folder_or_id(here, name)
            if resolved != name:
                yield place, resolved, "folder"
    folder, preload = value("adapters", "folder"), value("adapters", "preload")
    if isinstance(folder, str) and _absolute(here, folder).is_dir() and isinstance(preload, Mapping):
        for alias, name in preload.items():
            if isinstance(name, str):
                yield ("adapters", "preload", alias), str(_absolute(here, folder) / name), "folder"
