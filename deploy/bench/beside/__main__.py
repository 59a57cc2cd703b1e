"""``python -m deploy.bench.beside``: every row of the table, on this machine's engine.

``--shape demo`` takes the demo's base; ``--shape 3b`` draws one of Llama 3.2's 3B form. One vLLM is started,
with adapters loaded under names of its own; gateways in front of it load the same adapters under theirs. A
row that fails is told and left out.
"""

from __future__ import annotations

import argparse
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

from deploy.bench.beside import alone, first, page, processes, rows, world
from deploy.bench.beside.asking import Ends, Pair, Row, Sizes, post
from deploy.bench.machine import processor, progress
from service.sections import CARRIED, EngineSettings

SHAPES = {
    "3b": {
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 4096,
    }
}
DEMO = Sizes(
    words=30, tokens=24, clients=8, requests=48, rounds=3, few=4, all=8, many_clients=16, seconds=15,
    overload=15, learning=30, narrow=4,
)  # fmt: skip
GPU = Sizes(
    words=140, tokens=128, clients=64, requests=192, rounds=3, few=16, all=64, many_clients=128, seconds=10,
    overload=60, learning=50, narrow=48,
)  # fmt: skip
PARTS = ["world", "engine", "alone"]
_NARROW = {"overload", "mixed, narrow", "crowded, narrow"}  # rows of a second gateway
_FRESH = 5  # adapters that are promoted while somebody looks at the clock
_START_SECONDS = 400.0


def main() -> None:
    """Measure, and write the table."""
    given = _arguments()
    say = progress()
    sizes = DEMO if given.shape == "demo" else GPU
    if given.quick:
        sizes = replace(sizes, requests=sizes.requests // 4, rounds=1, seconds=3, overload=3, learning=3)
    if given.rounds is not None:
        sizes = replace(sizes, rounds=given.rounds)
    if given.adapters is not None:
        sizes = replace(sizes, all=given.adapters)
    found: list[Row] = []
    described = {
        "shape": given.shape,
        "sizes": asdict(sizes),
        "processor": processor(),
        "load": os.getloadavg()[0],
    }

    def add(name: str, row: Callable[[], Row | Sequence[Row]]) -> None:
        if given.rows is not None and name not in given.rows:
            return
        say(name)
        try:
            made = row()
        except Exception as exc:  # the other rows are worth having
            traceback.print_exc()
            made = Row(name, "", "", f"failed: {exc}"[:200].replace("\n", " "), "", {})
        found.extend([made] if isinstance(made, Row) else made)
        page.write(found, described, given.out)

    if "world" in given.parts:
        _draw(_world(given, sizes), given.shape, say)
    if "engine" in given.parts:
        _beside_engine(given, sizes, add, say)
    if "alone" in given.parts:
        add("alone", lambda: alone.measure(given.work / "alone", given.out, given.repeats, say))
    print(page.table(found))


def _beside_engine(
    given: argparse.Namespace,
    sizes: Sizes,
    add: Callable[[str, Callable[[], Row | Sequence[Row]]], None],
    say: Callable[[str], object],
) -> None:
    made = _world(given, sizes)
    known, fresh = made.adapters[: sizes.all], made.adapters[sizes.all :]
    served = replace(made, adapters=known)
    settings = EngineSettings(
        model=str(made.base),
        model_name=world.BASE,
        max_loras=sizes.few,
        max_cpu_loras=2 * len(made.adapters) + 4,
        max_lora_rank=16,
        dtype="float32" if given.shape == "demo" else "bfloat16",
        arguments=tuple(given.engine.split()),
        environment=_pairs(given.environment),
    )
    wanted = [(settings, given.out / "engine.log")]
    if given.ours_engine or given.ours_environment:  # a vLLM for the gateway alone
        ours = settings.model_copy(
            update={
                "arguments": (*settings.arguments, *given.ours_engine.split()),
                "environment": settings.environment | _pairs(given.ours_environment),
            }
        )
        wanted.append((ours, given.out / "engine-ours.log"))
    say("starting vLLM")
    with processes.engines(wanted, _START_SECONDS) as (engine, *others):
        behind = others[0] if others else engine
        for alias in known:
            body = {"lora_name": Ends.plain(alias), "lora_path": str(made.artefact(alias))}
            post(f"{engine.url}/v1/load_lora_adapter", body)
        few, key_file = known[: sizes.few], made.folder / "state" / "admin.key"
        post(
            f"{behind.url}/v1/load_lora_adapter",
            {"lora_name": "direct", "lora_path": str(made.artefact(known[0]))},
        )

        @contextmanager
        def gateway(note: str, admission: Mapping[str, int | str]) -> Iterator[Ends]:
            say(f"starting a gateway{note}")
            config = world.write_gateway(served, behind.url, sizes.few, admission, given.encoder)
            log = given.out / f"gateway{note.replace(' ', '-').replace(',', '')}.log"
            with processes.gateway(config, log, _START_SECONDS, None) as running:
                yield Ends(running.url, engine.url, sizes, say)

        def wanted_of(names: set[str]) -> bool:
            return given.rows is None or bool(names.intersection(given.rows))

        with gateway("", {"max_concurrent": 256, "max_queue": 256, "max_wait_seconds": 20}) as ends:
            key = key_file.read_text().strip()
            found: dict[str, Pair] = {}

            def keep(name: str, made: tuple[Row, Pair]) -> Row:
                row, found[name] = made
                return row

            def first_token(model: str, plain: str) -> list[Row]:
                return first.added(ends, behind.url, model, plain, found["base"].plain.throughput)

            def capacity() -> float:
                return min(found["mixed"].ours.throughput, found["mixed"].plain.throughput)

            if given.warm:
                for url, names in ((ends.gateway, known), (engine.url, [*map(ends.plain, known)])):
                    ends.warm(url, [world.BASE])
                    ends.warm(url, names[: sizes.few])
            add("base", lambda: keep("base", rows.base(ends)))
            add("one adapter", lambda: rows.one_adapter(ends, known[0]))
            add("first token, base", lambda: first_token(world.BASE, world.BASE))
            add("first token, adapter", lambda: first_token(known[0], "direct"))
            add("mixed", lambda: keep("mixed", rows.mixed(ends, few, found.get("base"))))
            add("crowded", lambda: rows.crowded(ends, known, sizes.few))
            add("open loop", lambda: rows.open_loop(ends, few, capacity()))
            add("churn", lambda: rows.churn(ends, made, known[:4], fresh[-1], key))
            add("promotion", lambda: rows.promotion(ends, made, fresh[:-1], key))
            if given.routed:
                add("routed", lambda: rows.routed(ends, known[0]))
            add("many", lambda: rows.many(ends))
        if wanted_of({"many, learned"}):
            learned: dict[str, int | str] = {
                "max_concurrent": "learned",
                "max_queue": 256,
                "max_wait_seconds": 20,
            }
            with gateway(note := ", slots learned", learned) as ends:
                add("many, learned", lambda: rows.many(ends, note, sizes.learning))
        if wanted_of(_NARROW):
            narrow = {"max_concurrent": sizes.narrow, "max_queue": 256, "max_wait_seconds": 10}
            with gateway(note := f", {sizes.narrow} let in at once", narrow) as ends:

                def overload() -> Row:
                    _, pair = rows.mixed(ends, few[:1], None, note)
                    return rows.overload(ends, known[0], pair.ours.throughput)

                add("overload", overload)
                add("mixed, narrow", lambda: rows.mixed(ends, few, None, note)[0])
                add("crowded, narrow", lambda: rows.crowded(ends, known, sizes.few, note))


def _pairs(text: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in text.split())


def _world(given: argparse.Namespace, sizes: Sizes) -> world.World:
    base = world.DEMO / "base" if given.shape == "demo" else given.work / "base"
    return world.named(given.work / "world", base, sizes.all + _FRESH, rank=16)


def _draw(made: world.World, shape: str, say: Callable[[str], object]) -> None:
    if shape in SHAPES:
        say("drawing a base")
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:  # so that the GPU's memory is free again
            apart.submit(world.draw_base, made.base, SHAPES[shape]).result()
    say(f"drawing {len(made.adapters)} adapters")
    world.draw(made)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Pointsman beside the vLLM that it speaks to.")
    parser.add_argument("--shape", choices=["demo", *SHAPES], default="demo")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table, the numbers and logs")
    parser.add_argument(
        "--work", type=Path, default=Path(".pointsman/beside"), help="folder for what is served"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--engine", default="", help="more words for vLLM's command line, as one text")
    parser.add_argument("--environment", default="", help="NAME=VALUE for vLLM, as one text")
    parser.add_argument(
        "--ours-engine",
        default="",
        help="still more words, for a vLLM of the gateway's own beside the plain one",
    )
    parser.add_argument("--ours-environment", default="", help="NAME=VALUE for that one")
    parser.add_argument("--rows", nargs="+", default=None, help="only these, by the names that are told")
    parser.add_argument("--adapters", type=int, default=None, help="in all, where fewer are enough")
    parser.add_argument("--repeats", type=int, default=5, help="of the rows without an engine")
    parser.add_argument("--no-routed", dest="routed", action="store_false", help="there is no encoder here")
    parser.add_argument("--encoder", default=CARRIED, help="of the gateway's router")
    parser.add_argument("--rounds", type=int, default=None, help="of each row")
    parser.add_argument("--warm", action="store_true", help="ask in batches of all sizes before the rows")
    parser.add_argument("--quick", action="store_true", help="a quarter of the requests, one round")
    given = parser.parse_args()
    given.out, given.work = given.out.absolute(), given.work.absolute()
    return given


if __name__ == "__main__":
    main()
