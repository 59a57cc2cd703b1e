"""The rows with an engine: plain vLLM, and gateways one after the other in front of it or of a tuned one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from deploy.bench.beside import churn, first, peers, processes, rows, world
from deploy.bench.beside.asking import Ends, Pair, Row, Sizes, post
from service.sections import EngineSettings

_START_SECONDS = 400.0
_NARROW = {"overload", "mixed, narrow", "crowded, narrow"}  # rows of the gateway that lets few in
_DIRECT = "direct"  # an adapter under the same name on the engine that the gateway asks

Add = Callable[[str, Callable[[], Row | Sequence[Row]]], None]
Admission = Mapping[str, int | str]


def measure(
    given: argparse.Namespace, sizes: Sizes, made: world.World, add: Add, say: Callable[[str], object]
) -> None:
    """Start what is needed, and ``add`` the rows that are wanted."""
    known = made.adapters[: sizes.all]
    say("starting vLLM")
    with processes.engines(_engines(given, sizes, made), _START_SECONDS) as (engine, *others):
        behind = others[0] if others else engine
        for alias in known:
            body = {"lora_name": Ends.plain(alias), "lora_path": str(made.artefact(alias))}
            post(f"{engine.url}/v1/load_lora_adapter", body)
        body = {"lora_name": _DIRECT, "lora_path": str(made.artefact(known[0]))}
        post(f"{behind.url}/v1/load_lora_adapter", body)
        bench = _Bench(given, sizes, made, engine.url, behind.url, add, say)
        bench.wide()
        if bench.wanted({"many, learned"}):
            bench.learned()
        if bench.wanted(_NARROW):
            bench.narrow()


def _engines(given: argparse.Namespace, sizes: Sizes, made: world.World) -> list[tuple[EngineSettings, Path]]:
    """The plain one with its log, and one for the gateway alone if that is to have other words."""
    plain = EngineSettings(
        model=str(made.base),
        model_name=world.BASE,
        max_loras=sizes.few,
        max_cpu_loras=2 * len(made.adapters) + 4,
        max_lora_rank=16,
        dtype="float32" if given.shape == "demo" else "bfloat16",
        arguments=tuple(given.engine.split()),
        environment=_pairs(given.environment),
    )
    if not given.ours_engine and not given.ours_environment:
        return [(plain, given.out / "engine.log")]
    more = {
        "arguments": (*plain.arguments, *given.ours_engine.split()),
        "environment": plain.environment | _pairs(given.ours_environment),
    }
    ours = plain.model_copy(update=more)
    return [(plain, given.out / "engine.log"), (ours, given.out / "engine-ours.log")]


def _pairs(text: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in text.split())


@dataclass
class _Bench:
    given: argparse.Namespace
    sizes: Sizes
    made: world.World
    engine: str  # plain vLLM
    behind: str  # that of the gateways
    add: Add
    say: Callable[[str], object]

    @property
    def known(self) -> tuple[str, ...]:
        """Adapters that are served."""
        return self.made.adapters[: self.sizes.all]

    def wanted(self, names: set[str]) -> bool:
        """Whether one of these rows is."""
        return self.given.rows is None or bool(names.intersection(self.given.rows))

    @contextmanager
    def gateway(self, note: str, admission: Admission) -> Generator[Ends, None, None]:
        """Both ends, as long as a gateway with these settings runs."""
        self.say(f"starting a gateway{note}")
        served = replace(self.made, adapters=self.known)
        config = world.write_gateway(served, self.behind, self.sizes.few, admission, self.given.encoder)
        log = self.given.out / f"gateway{note.replace(',', '').replace(' ', '-')}.log"
        with processes.gateway(config, log, _START_SECONDS, None) as running:
            yield Ends(running.url, self.engine, self.sizes, self.say)

    def wide(self) -> None:
        """A gateway that holds nobody back."""
        known, made, add = self.known, self.made, self.add
        few, fresh = known[: self.sizes.few], made.adapters[self.sizes.all :]
        with self.gateway("", {"max_concurrent": 256, "max_queue": 256, "max_wait_seconds": 20}) as ends:
            key = (made.folder / "state" / "admin.key").read_text().strip()
            found: dict[str, Pair] = {}

            def keep(name: str, made: tuple[Row, Pair]) -> Row:
                row, found[name] = made
                return row

            def first_token(model: str, plain: str) -> list[Row]:
                return first.added(ends, self.behind, model, plain, found["base"].plain.throughput)

            def capacity() -> float:
                return min(found["mixed"].ours.throughput, found["mixed"].plain.throughput)

            if self.given.warm:
                self._warm(ends, few)
            add("base", lambda: keep("base", rows.base(ends)))
            if named := peers.named(self.given.nginx, self.given.litellm):
                add("proxies", partial(self._proxies, ends, named))
            add("one adapter", lambda: rows.one_adapter(ends, known[0]))
            add("first token, base", lambda: first_token(world.BASE, world.BASE))
            add("first token, adapter", lambda: first_token(known[0], _DIRECT))
            add("mixed", lambda: keep("mixed", rows.mixed(ends, few, found.get("base"))))
            add("crowded", lambda: rows.crowded(ends, known, self.sizes.few))
            add("open loop", lambda: rows.open_loop(ends, few, capacity()))
            add("churn", lambda: churn.row(ends, made, known[:4], fresh[-1], key))
            add("promotion", lambda: rows.promotion(ends, made, fresh[:-1], key))
            if self.given.routed:
                add("routed", lambda: rows.routed(ends, known[0]))
            add("many", lambda: rows.many(ends))

    def learned(self) -> None:
        """One that learns how much goes in at once."""
        admission: Admission = {"max_concurrent": "learned", "max_queue": 256, "max_wait_seconds": 20}
        with self.gateway(note := ", slots learned", admission) as ends:
            self.add("many, learned", lambda: rows.many(ends, note, self.sizes.learning))

    def narrow(self) -> None:
        """One that lets in as many as the engine answers well."""
        admission = {"max_concurrent": self.sizes.narrow, "max_queue": 256, "max_wait_seconds": 10}
        with self.gateway(note := f", {self.sizes.narrow} let in at once", admission) as ends:
            few = self.known[: self.sizes.few]

            def overload() -> Row:
                _, pair = rows.mixed(ends, few[:1], None, note)
                return rows.overload(ends, few[0], pair.ours.throughput)

            self.add("overload", overload)
            self.add("mixed, narrow", lambda: rows.mixed(ends, few, None, note)[0])
            self.add("crowded, narrow", lambda: rows.crowded(ends, self.known, self.sizes.few, note))

    def _proxies(self, ends: Ends, named: Mapping[str, peers.Peer]) -> list[Row]:
        with ExitStack() as held:
            urls = {}
            for name, start in named.items():
                log = self.given.out / f"{name.lower()}.log"
                urls[name] = held.enter_context(start(self.behind, world.BASE, log, None)).url
            return rows.proxies(ends, self.behind, urls)

    def _warm(self, ends: Ends, few: Sequence[str]) -> None:
        for url, names in ((ends.gateway, few), (self.engine, [*map(Ends.plain, few)])):
            ends.warm(url, [world.BASE])
            ends.warm(url, names)
