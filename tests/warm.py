"""A ``pointsman`` command in a process of its own, forked from one that has the training libraries loaded.

To import them takes eight seconds of a core, which every command of a test would spend anew.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
PRELOADED = ["training.run", "training.trainers.likelihood", "training.runs.progress"]
CONTEXT.set_forkserver_preload(PRELOADED)  # before the server's start, which is that of the first process
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # in time: before torch is loaded
ROOT = Path(__file__).parents[1]


def pointsman(words: Sequence[str], output: Path, environment: Mapping[str, str]) -> ForkServerProcess:
    """``pointsman WORDS``, begun in the repository; what it prints goes to ``output``.

    The process leads a session; its ``exitcode`` is the command's, or the signal below 0.
    """
    process = CONTEXT.Process(target=_run, args=(tuple(words), output, dict(environment)))
    process.start()
    return process


def done(words: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit status and output of ``pointsman WORDS``, once it has ended."""
    with tempfile.NamedTemporaryFile() as output:
        process = pointsman(words, Path(output.name), environment)
        process.join()
        assert process.exitcode is not None
        return process.exitcode, output.read().decode()


def _run(words: Sequence[str], output: Path, environment: Mapping[str, str]) -> None:
    os.setsid()
    with output.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["pointsman", *words]
    if threads := environment.get("OMP_NUM_THREADS"):  # torch was loaded before this was said
        import torch

        torch.set_num_threads(int(threads))
    from pointsman.cli.main import main

    main()
