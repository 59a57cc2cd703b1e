"""The encoder of a trial tuned to the trial's rows: what ``pointsman eval router --mode tuned`` measures."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.cli.terminal import reported
from pointsman.cli.train import line

if TYPE_CHECKING:
    from router.encoding.encoder import Encoder
    from router.judging.evaluation import Row
    from router.judging.trial import Tune

_KEPT = 10  # rows of which one is kept out, where the router has no validation split to be calibrated on


@contextmanager
def tuning(encoder: str, *, keep_some: bool) -> Iterator[Tune]:
    """Tunes ``encoder`` by the stage ``router`` as a recipe without settings does, in a folder that goes.

    ``keep_some`` keeps a tenth of the rows out, for the router to be calibrated on.
    """
    from pointsman.artefact import ArtefactError
    from pointsman.document import DocumentError
    from router.encoding.encoder import Encoder
    from training.errors import TrainingError
    from training.run import train

    with tempfile.TemporaryDirectory(prefix="pointsman-tuned-") as folder:

        def tune(rows: Sequence[Row], seed: int) -> Encoder:
            name = f"seed-{seed}"
            data = Path(folder, f"{name}.jsonl")
            texts = [json.dumps({"text": row.text, "intent": row.intent}) for row in rows]
            data.write_text("\n".join(texts), encoding="utf-8")
            held = max(1, len(rows) // _KEPT) if keep_some else 1
            recipe = {
                "stage": "router",
                "name": name,
                "seed": seed,
                "base": encoder,
                "data": {"sources": [{"path": str(data), "format": "intents"}], "validation_rows": held},
            }
            path = Path(folder, f"{name}.yaml")
            path.write_text(json.dumps(recipe), encoding="utf-8")
            with reported(DocumentError, TrainingError, ArtefactError):
                return Encoder.load(str(train(path, runs=Path(folder), report=line)))

        yield tune
