"""The router beside its peers, on one core: `make bench-router`, which pins it, writes docs/bench-router.md.

Everything is chosen on train and validation splits; the test splits are only measured on. The rates reproduce
to the digit on one processor; times are of the machine and of what else it does.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from deploy.bench import ours, peers, semantic_router
from deploy.bench.machine import processor, progress
from deploy.bench.measured import Measured, table
from deploy.bench.sets import Sets

FOLDER = Path(".pointsman/bench")  # vectors, the export and the peer's environment are kept here


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description="The router beside its peers, on one core.")
    parser.add_argument("--data", type=Path, required=True, help="folder of clinc150/ and banking77/")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    given = parser.parse_args()
    say = progress()
    from router.encoding.encoder import Encoder, carried_folder
    from router.errors import RouterError

    load = os.getloadavg()[0]
    try:
        sets = Sets.read(given.data)
        encoder = Encoder.load("carried", FOLDER)
    except RouterError as exc:
        sys.exit(f"error: {exc}")
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(carried_folder()), device="cpu")

    def tokens(text: str) -> int:
        return len(model.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    contenders: dict[str, Measured] = {}

    def add(name: str, measured: Measured | None) -> None:  # written at once: a run may be broken off
        if measured is not None:
            contenders[name] = measured
            given.out.write_text(_page(contenders, load), encoding="utf-8")
            say(f"{name}: written to {given.out}")

    add("Pointsman, instant", ours.measure(sets, encoder, FOLDER, tokens, say))
    say("encoders alone")
    add("its encoder alone (ONNX, 8 bits)", peers.onnx_alone(sets, encoder, tokens))
    add("sentence-transformers, encoder alone", peers.torch_alone(sets, model, tokens))
    add(
        f"semantic-router {semantic_router.VERSION}",
        semantic_router.measure(given.data, sets, carried_folder(), FOLDER.absolute(), say),
    )
    add("MiniLM + logistic regression", peers.logistic(sets, model, say))
    print(table(contenders))


def _page(contenders: dict[str, Measured], load: float) -> str:
    cores = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
    return f"""# The router beside its peers

Written by `make bench-router`. All contenders use the carried encoder, all-MiniLM-L6-v2, and the full
training splits of CLINC150 (150 intents; tested on 4,500 rows in scope and 1,000 out of it) and Banking77.
Nothing was chosen on a test split. Rates reproduce to the digit on one processor; another one adds in another
order, which moves an accuracy by a row, AUROC in its fourth digit and ECE in its third. Times are those of
core {cores} of one machine ({processor()}); the load was {load:.1f} when the run began, and where others use
the core as well, CPU time says more than the clock. No text is decided twice but by chance, and nothing
is cached.

{table(contenders)}

"To reach" is what the router is built for. An empty cell was not measured. Latency is that of one decision,
from the messages to the confidence, or of the encoder alone where it says so.
"""


if __name__ == "__main__":
    main()
