"""``python -m deploy.proof swap|bytes|gate|release``: serves the demo and leads a proof on it.

    python -m deploy.proof swap --operations 1000
    python -m deploy.proof swap --operations 200 --spoil --kill-engine 30
    python -m deploy.proof bytes --changes 100
    python -m deploy.proof gate --rows 32
    python -m deploy.proof release --kills 20

Ends with 1 if something was not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deploy.proof import gate
from deploy.proof.killed import prove as prove_killed
from deploy.proof.served import Served, serving
from deploy.proof.spoiled import prove as prove_bytes
from deploy.proof.swap import Plan, prove

Report = Callable[[str], None]
_FOUND = 0.95  # of the bad candidates must be refused for their own reason; no good one may be


def main() -> int:
    """Serve, prove, tell."""
    given = _parser().parse_args()
    began = time.monotonic()

    def report(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        report("starting the demo")
        if given.proof == "release":
            killed = prove_killed(Path(folder), _free_ports(), given.kills, given.seed, report)
            lines, right = killed.lines(), not killed.faults
        else:
            with serving(Path(folder), _free_ports()[0], {"max_loras": given.slots}) as served:
                lines, right = _PROOFS[given.proof](served, given, report)
    out = given.out or Path(f"runs/prove-{given.proof}/report.txt")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join([*lines, f"written to {out}"]))
    return 0 if right else 1


def _swap(served: Served, given: argparse.Namespace, report: Report) -> tuple[list[str], bool]:
    plan = Plan(
        operations=given.operations,
        minutes=given.minutes,
        aliases=given.aliases,
        clients=given.clients,
        seed=given.seed,
        spoil=given.spoil,
        kill_engine=given.kill_engine,
    )
    proof = asyncio.run(prove(served, plan, report))
    return proof.lines(), not proof.faults


def _gate(served: Served, given: argparse.Namespace, report: Report) -> tuple[list[str], bool]:
    lines, right = [], {"bad": [0, 0], "good": [0, 0]}
    for one in gate.prove(served, given.rows, given.seed, report, given.only):
        right[one.kind][0] += one.right
        right[one.kind][1] += 1
        what = f"refused: {'; '.join(one.refused)}" if one.refused else "passed"
        lines.append(f"{'right' if one.right else 'WRONG'}  {one.kind:<4}  {one.name}: {what}")
        report(lines[-1])
    for kind, what in (("bad", "refused for the right reason"), ("good", "passed")):
        lines.append(f"{right[kind][0]} of {right[kind][1]} {kind} candidates {what}")
    found, count = right["bad"]
    return lines, found >= _FOUND * count and right["good"][0] == right["good"][1]


def _bytes(served: Served, given: argparse.Namespace, report: Report) -> tuple[list[str], bool]:
    proof = prove_bytes(served, given.changes, given.seed, report)
    return proof.lines(), not proof.faults


_PROOFS = {"swap": _swap, "gate": _gate, "bytes": _bytes}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.proof", description="Serves the demo and leads a proof on it."
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--out", type=Path, help="the report; else runs/prove-PROOF/report.txt")
    slots = argparse.ArgumentParser(add_help=False, parents=[shared])
    slots.add_argument("--slots", type=int, default=8, help="of the engine")
    proofs = parser.add_subparsers(dest="proof", required=True)
    swap = proofs.add_parser("swap", parents=[slots], help="versions change under load")
    swap.add_argument("--operations", type=int, default=1_000, help="promotions, canaries, rollbacks, ...")
    swap.add_argument("--minutes", type=float, default=math.inf, help="after which none begins")
    swap.add_argument("--aliases", type=int, default=8, help="with three versions each")
    swap.add_argument("--clients", type=int, default=4, help="that ask without a pause")
    swap.add_argument("--seed", type=int, default=0)
    swap.add_argument("--spoil", action="store_true", help="change bytes of registered versions")
    swap.add_argument("--kill-engine", type=float, metavar="SECONDS", help="that an engine may live")
    spoiled = proofs.add_parser("bytes", parents=[shared], help="bytes change at random moments of a load")
    spoiled.add_argument("--changes", type=int, default=100)
    spoiled.add_argument("--seed", type=int, default=0, help="of the moments")
    spoiled.set_defaults(slots=1)  # so that another version takes the one that it had
    killed = proofs.add_parser(
        "release", parents=[shared], help="a gateway that is killed in the middle of releases"
    )
    killed.add_argument("--kills", type=int, default=20)
    killed.add_argument("--seed", type=int, default=0, help="of the moments")
    judged = proofs.add_parser("gate", parents=[slots], help="bad candidates are refused, good ones are not")
    judged.add_argument(
        "--rows", type=int, default=32, help="questions of each kind; twice as many on customs"
    )
    judged.add_argument("--seed", type=int, default=gate.SEED, help="of the questions")
    judged.add_argument("--only", nargs="*", default=(), metavar="NAME", help="candidates; else all")
    return parser


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
