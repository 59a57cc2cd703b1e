"""semantic-router in the bench: in an environment of its own, as it is no dependency of Pointsman.

`measure` makes that environment once, with the bench's torch and sentence-transformers visible in it, and
runs this file there. Its IndexedRouter is used with its own settings (the mean of the 5 nearest utterances)
and calibrated by its own `fit` on CLINC150's validation split.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deploy.bench.measured import Measured, Rates
from deploy.bench.sets import Sets
from deploy.bench.timing import Latency, latency

VERSION = "1.1.1"


def measure(
    data: Path, sets: Sets, encoder: Path, folder: Path, say: Callable[[str], None]
) -> Measured | None:
    """None, and the reason by ``say``, where it can't be installed; ``folder`` keeps the environment."""
    python = folder / f"semantic-router-{VERSION}" / "bin" / "python"
    try:
        if not python.exists():
            say(f"semantic-router: installing {VERSION} into an environment of its own")
            _install(python.parents[1], python)
        say("semantic-router: fitting and deciding")
        command = [str(python), "-m", "deploy.bench.semantic_router", str(data), str(encoder)]
        found = json.loads(
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        )
    except (OSError, subprocess.CalledProcessError) as exc:
        say(f"semantic-router is left out: {exc}")
        return None
    truth = [row.intent for row in sets.clinc_test]
    return Measured(
        clinc=Rates.of(truth, found["names"], np.array(found["confidences"])),
        short=Latency(**found["short"]),
    )


def _install(folder: Path, python: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    wanted = f"semantic-router=={VERSION}"
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", wanted], check=False, stderr=subprocess.PIPE
    )
    if done.returncode != 0:
        python.unlink()  # so that the next run installs again
        raise OSError(f"pip could not install {wanted}: {done.stderr.decode(errors='replace').strip()}")
    (packages,) = (folder / "lib").glob("python3.*/site-packages")
    (packages / "bench.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")


class _Encoded:
    """The router's encoder, asked for all texts at once: the same vectors in a tenth of the time."""

    def __init__(self, encoder: Callable[[list[str]], list[list[float]]], texts: list[str]) -> None:
        self._vectors = dict(zip(texts, encoder(texts), strict=True))

    def __call__(self, texts: list[str]) -> list[list[float]]:
        return [self._vectors[text] for text in texts]


def _main(data: Path, encoder: Path) -> None:
    """Within the environment: one line of JSON on stdout."""
    import torch
    from semantic_router import Route
    from semantic_router.encoders.local import LocalEncoder
    from semantic_router.routers import IndexedRouter

    torch.set_num_threads(1)
    sets = Sets.read(data)
    texts: dict[str, list[str]] = {}
    for row in sets.clinc_train:
        if row.intent is not None:
            texts.setdefault(row.intent, []).append(row.text)
    routes = [Route(name=name, utterances=given) for name, given in texts.items()]
    router: Any = IndexedRouter(encoder=LocalEncoder(name=str(encoder), device="cpu"), routes=routes)
    router.fit([row.text for row in sets.clinc_val], [row.intent for row in sets.clinc_val])
    short = latency(router, sets.short())
    router.encoder = _Encoded(router.encoder, [row.text for row in sets.clinc_test])
    choices = [router(row.text) for row in sets.clinc_test]
    found = {
        "names": [choice.name for choice in choices],
        "confidences": [float(choice.confidence or 0) for choice in choices],
        "short": asdict(short),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
