"""Stand-ins for the encoder and the adapters, and the configuration of the gateway under test."""

from __future__ import annotations

import hashlib
import string
import threading
import zlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.moves import Moves
from router.encoding.encoder import Vectors
from service.adapters.checks import check_alias
from service.errors import AdapterConflict, AdapterNotFound
from service.moving import Mover, Movers, Moving
from service.settings import Settings

PROMPT = """\
name: {name}
version: "1"
description: a prompt of the tests
variables: {{shop: {{default: Northway}}}}
messages:
  - role: system
    content: "{name} of {{{{ shop }}}}"
"""

ROUTES = """\
version: 1
fallback: {prompt: refusal, chain: direct, adapter: chat}
out_of_scope:
  - what is the weather like in Paris today
  - who won the football match last night
  - write me a poem about the sea
  - recommend a good film
  - what is the capital of Australia
routes:
  - intent: track_parcel
    description: where is it
    prompt: support
    chain: direct
    adapter: support
    sampling: {temperature: 0, max_tokens: 256}
    examples:
      - where is my parcel
      - track my parcel please
      - where is my package now
      - has my parcel been shipped
      - can you track parcel PX1234
      - 我的包裹在哪里
      - 查一下我的包裹
  - intent: arithmetic
    prompt: arithmetic
    chain: cot
    adapter: math
    sampling: {temperature: 0}
    examples:
      - what is 12 plus 30
      - add 4 and 9
      - how much is 55 minus 20
      - calculate 7 plus 8
      - 12 + 44 = ?
      - what is 90 - 41
      - 十二加三十等于多少
"""

SETTINGS = """\
state: state
engine: {{model: base, model_name: pointsman-demo, urls: ["{url}"]}}
router: {{routes: routes.yaml}}
prompts: prompts
adapters: {{folder: adapters}}
"""


class SpellingEmbedder:
    """Counts letters; a token is a word, and eight of them are read."""

    dimension = 26
    max_tokens = 8
    gate: threading.Event | None = None  # embeds only when it is set

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.gate is not None:
            self.gate.wait()
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for letter in " ".join(text.lower().split()[: self.max_tokens]):
                if letter in string.ascii_lowercase:
                    vectors[row, ord(letter) - ord("a")] += 0.1
        return vectors


class SpellingEncoder:
    """Texts that share runs of letters are near each other; takes no time to load."""

    identity = hashlib.sha256(b"spelling").hexdigest()
    inner = 0
    words: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.embedder = SpellingEmbedder()

    @classmethod
    def load(cls, _: str, __: Path) -> SpellingEncoder:
        return cls()

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), 256), dtype=np.float32)
        for row, text in enumerate(texts):
            padded = f" {text.lower()} "
            for size in (1, 2, 3):
                for start in range(len(padded) - size + 1):
                    vectors[row, zlib.crc32(padded[start : start + size].encode()) % 256] += 1
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        normal: Vectors = vectors / np.maximum(lengths, 1e-6)
        return normal

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        return np.zeros(len(texts), dtype=np.bool_)


def write_settings(folder: Path, url: str, extra: str = "", routes: str = ROUTES) -> Settings:
    """A whole set of configuration files in ``folder``, and the settings in them."""
    for name in ("base", "adapters", "prompts"):
        (folder / name).mkdir(exist_ok=True)
    for name in ("support", "arithmetic", "refusal"):
        (folder / "prompts" / f"{name}.yaml").write_text(PROMPT.format(name=name), "utf-8")
    (folder / "routes.yaml").write_text(routes, "utf-8")
    (folder / "pointsman.yaml").write_text(SETTINGS.format(url=url) + extra, "utf-8")
    return Settings.load(folder / "pointsman.yaml")


@dataclass(frozen=True)
class Version:
    """One version as the registry shows it."""

    alias: str
    version: str
    state: str = "live"
    weight: int = 100
    leases: int = 0
    rank: int = 8
    base: str = "pointsman-demo"
    created: str = "2026-01-02T03:04:05+00:00"
    canary: bool = False
    live_since: str | None = "2026-01-03T04:05:06+00:00"

    @property
    def name(self) -> str:
        return f"{self.alias}@{self.version}"


@dataclass
class Desk:
    """Adapters in memory: one version of each, and a count of leases held."""

    versions: dict[str, Version] = field(
        default_factory=lambda: {
            alias: Version(alias, f"{index:012x}") for index, alias in enumerate(("support", "math", "chat"))
        }
    )
    others: dict[str, Version] = field(default_factory=dict)  # by alias@version; not live
    loaded: set[str] = field(default_factory=set)  # names that the engine knows
    held: int = 0
    conversations: list[str] = field(default_factory=list)
    ready: bool = True
    problems: tuple[str, ...] = ()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def names(self) -> Sequence[Version]:
        return list(self.versions.values())

    def _of(self, model: str) -> Version:
        found = self.others.get(model) or self.versions[model.partition("@")[0]]
        if found.alias != model.partition("@")[0]:
            raise AdapterConflict(f"{model} is gone")
        return found

    def _known(self, alias: str) -> Version:
        if alias not in self.versions:
            raise AdapterNotFound(f"there is no {alias}")
        return self.versions[alias]

    def knows(self, model: str) -> bool:
        return any(model in (one.alias, one.name) for one in self.versions.values() if one.state == "live")

    def name_of(self, model: str, conversation: str) -> str:
        return self._of(model).name

    @asynccontextmanager
    async def lease(self, model: str, conversation: str) -> AsyncGenerator[Version, None]:
        self.conversations.append(conversation)
        self.held += 1
        try:
            yield self._of(model)
        finally:
            self.held -= 1

    async def list(self) -> Sequence[Version]:
        return self.names()

    async def check(self, folder: str) -> Any:
        return {"folder": folder, "problems": []}

    async def register(
        self, alias: str, folder: str, root: Path | None = None, *, foreign: bool = False
    ) -> Version:
        check_alias(alias, "pointsman-demo")
        version = Version(alias, hashlib.sha256(folder.encode()).hexdigest()[:12], "registered", 0)
        self.versions[alias] = version
        return version

    async def promote(
        self, alias: str, version: str, weight: int = 100, by: str = "", beside: Sequence[str] | None = None
    ) -> Version:
        known = self.versions.get(alias)
        if known is None or known.version != version:
            raise AdapterNotFound(f"there is no {alias}@{version}")
        self.versions[alias] = replace(known, state="live", weight=weight)
        self.loaded.add(known.name)
        return self.versions[alias]

    async def rollback(self, alias: str, version: str | None = None) -> Version:
        raise AdapterConflict(f"{alias} has no earlier version to go back to")

    async def retire(self, alias: str, version: str) -> Version:
        return replace(self._known(alias), state="retired")

    async def withdraw(self, alias: str) -> None:
        del self.versions[alias]

    async def load(self, alias: str, version: str) -> Version:
        return self._known(alias)

    async def judge(
        self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any], by: str = ""
    ) -> Version:
        self.versions[alias] = replace(self._known(alias), state="loaded" if passed else "rejected")
        return self.versions[alias]

    def followed(self, follow: object) -> None: ...

    def moving(self) -> Moving:
        return Moving()

    def moving_with(self, alias: str, version: str, moves: Moves | None = None) -> Movers:
        name = f"{alias}@{version}"
        return () if moves is None else (Mover(alias, name, moves),)

    async def carry(self, alias: str, version: str, moves: Moves | None) -> Version:
        return self._known(alias)

    async def show(self, alias: str, version: str) -> Any:
        return {
            "version": self._known(alias),
            "manifest": None,
            "signed_by": None,
            "verdict": None,
            "promotions": [],
            "moves": None,
        }
