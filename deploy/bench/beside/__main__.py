"""``python -m deploy.bench.beside``: every row of the table, on this machine's engine.

``--shape demo`` takes the demo's base; ``--shape 3b`` draws one of Llama 3.2's 3B form. One vLLM is started,
with adapters loaded under names of its own; gateways in front of it load the same adapters under theirs. A
row that fails is told and left out.
"""

from __future__ import annotations

import argparse
import os
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

from deploy.bench.beside import alone, engine, page, peers, world
from deploy.bench.beside.asking import Row, Sizes
from deploy.bench.machine import processor, progress
from service.sections import CARRIED

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
    words=30, tokens=24, clients=8, requests=48, rounds=3, few=4, all=8, many_clients=16, crowd=32,
    seconds=15, overload=15, learning=30, narrow=4,
)  # fmt: skip
GPU = Sizes(
    words=140, tokens=128, clients=64, requests=256, rounds=3, few=16, all=64, many_clients=128, crowd=1024,
    seconds=10, overload=60, learning=50, narrow=48,
)  # fmt: skip
PARTS = ["world", "engine", "alone"]
ROWS = (
    "base", "proxies", "one adapter", "first token, base", "first token, adapter", "mixed", "crowded",
    "open loop", "churn", "promotion", "routed", "many", "many, learned", "overload", "mixed, narrow",
    "crowded, narrow", "alone",
)  # fmt: skip
_NEEDS = {"first token, base": "base", "first token, adapter": "base", "open loop": "mixed"}
_FRESH = 5  # adapters that are promoted while somebody looks at the clock


def main() -> None:
    """Measure, and write the table."""
    given = _arguments()
    say = progress()
    sizes = DEMO if given.shape == "demo" else GPU
    if given.quick:
        sizes = replace(
            sizes,
            requests=sizes.requests // 4,
            crowd=sizes.crowd // 4,
            rounds=1,
            seconds=3,
            overload=3,
            learning=3,
        )
    if given.rounds is not None:
        sizes = replace(sizes, rounds=given.rounds)
    if given.places is not None:
        sizes = replace(sizes, few=given.places)
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
        engine.measure(given, sizes, _world(given, sizes), add, say)
    if "alone" in given.parts:
        proxies = peers.named(given.nginx, given.litellm)
        add("alone", lambda: alone.measure(given.work / "alone", given.out, given.repeats, say, proxies))
    print(page.table(found))


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
    given = _parser().parse_args()
    rows = given.rows or ROWS
    for row in given.rows or ():
        if needed := _lacks(row, given):
            _parser().error(f"--rows: {row!r} would not be measured: {needed}, or leave it out")
    if missing := [
        f"{needed!r} for {row!r}" for row, needed in _NEEDS.items() if row in rows and needed not in rows
    ]:
        _parser().error(f"--rows: add {', '.join(missing)}, whose throughput says how fast to ask")
    given.out, given.work = given.out.absolute(), given.work.absolute()
    return given


def _lacks(row: str, given: argparse.Namespace) -> str:
    """What else has to be said to have a row measured; empty if nothing."""
    part = row if row in PARTS else "engine"
    if part not in given.parts:
        return f"add {part!r} to --parts"
    if row == "routed" and not given.routed:
        return "leave out --no-routed"
    if row == "proxies" and given.nginx is None and given.litellm is None:
        return "give --nginx or --litellm"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.bench.beside",
        description="Pointsman beside the vLLM that it speaks to: starts both, asks both, writes a table.",
        epilog="For servers that run already, use `pointsman bench --against URL`, which asks them alone.",
    )
    _add_what(parser)
    _add_servers(parser)
    _add_sizes(parser)
    return parser


def _add_what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shape",
        choices=["demo", *SHAPES],
        default="demo",
        help="the base that is served: demo is the demo's own, small enough for a CPU; 3b is drawn, with the "
        "form of Llama 3.2 3B and random weights, for a GPU. It sets how much is asked too (default: demo)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the table, the numbers and logs; has to be given"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(".pointsman/beside"),
        help="folder for what is served (default: %(default)s)",
    )
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        help="world draws what is served, engine asks it, alone needs no vLLM (default: all three)",
    )
    parser.add_argument(
        "--rows",
        nargs="+",
        choices=ROWS,
        default=None,
        metavar="ROW",
        help=f"only these of {', '.join(map(repr, ROWS))} (default: all)",
    )
    parser.add_argument(
        "--no-routed",
        dest="routed",
        action="store_false",
        help="leave out the row 'routed', which needs an encoder (default: it is measured)",
    )


def _add_servers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", default="", help="more words for vLLM's command line, as one text (default: none)"
    )
    parser.add_argument("--environment", default="", help="NAME=VALUE for vLLM, as one text (default: none)")
    parser.add_argument(
        "--ours-engine",
        default="",
        help="still more words, for a vLLM of the gateway's own beside the plain one (default: none; without "
        "this and the next, one vLLM is asked directly and through the gateway)",
    )
    parser.add_argument(
        "--ours-environment", default="", help="NAME=VALUE for that one, as one text (default: none)"
    )
    parser.add_argument(
        "--encoder",
        default=CARRIED,
        help="of the gateway's router, a folder or hub id (default: the carried one)",
    )
    parser.add_argument(
        "--litellm", type=Path, default=None, help="its command, to be asked beside ours (default: it is not)"
    )
    parser.add_argument(
        "--nginx", type=Path, default=None, help="its command, to be asked beside ours (default: it is not)"
    )


def _add_sizes(parser: argparse.ArgumentParser) -> None:
    def by_shape(size: str) -> str:
        demo, other = getattr(DEMO, size), getattr(GPU, size)
        return f"default: {demo}" if demo == other else f"default: {demo} for demo, {other} else"

    parser.add_argument(
        "--adapters", type=int, default=None, help=f"how many are served in all ({by_shape('all')})"
    )
    parser.add_argument(
        "--places",
        type=int,
        default=None,
        help=f"different adapters that fit into one batch ({by_shape('few')})",
    )
    parser.add_argument("--rounds", type=int, default=None, help=f"of each row ({by_shape('rounds')})")
    parser.add_argument(
        "--repeats", type=int, default=5, help="rounds of the part alone, without vLLM (default: %(default)s)"
    )
    parser.add_argument(
        "--warm", action="store_true", help="ask in batches of all sizes before the rows (default: do not)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a quarter of the requests, one round, open loops of 3 seconds (default: all of them)",
    )


if __name__ == "__main__":
    main()
