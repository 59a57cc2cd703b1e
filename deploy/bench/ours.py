"""Pointsman's own router in the bench."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deploy.bench.measured import Measured, Rates
from deploy.bench.sets import Sets
from deploy.bench.timing import latency
from router.batching import BatchingRouter
from router.encoding.encoder import Encoder
from router.judging.evaluation import as_examples, evaluate
from router.judging.trial import run_trials
from router.router import Router

TOGETHER = 32  # requests that wait at any time
DECISIONS = 3_000  # that the rate is taken over
SHOTS, DRAWS = 10, 5


def measure(
    sets: Sets, encoder: Encoder, folder: Path, tokens: Callable[[str], int], say: Callable[[str], None]
) -> Measured:
    """Fit as a service does and decide as it does; vectors of examples are kept in ``folder``."""
    say("pointsman: fitting on CLINC150")
    examples = as_examples(sets.clinc_train)
    Router.fit(examples, encoder, folder)
    began, began_cpu = time.perf_counter(), time.process_time()
    router = Router.fit(examples, encoder, folder)
    fit_s = time.perf_counter() - began, time.process_time() - began_cpu
    say("pointsman: latency")
    texts = sets.short()
    short = latency(lambda text: router.decide(_said(text)), texts)
    long = latency(lambda text: router.decide(_said(text)), sets.long(tokens))
    say(f"pointsman: {TOGETHER} at once")
    per_second = asyncio.run(_rate(router, [row.text for row in sets.clinc_test]))
    say("pointsman: CLINC150's test split")
    report = evaluate(router, sets.clinc_test)
    say("pointsman: Banking77")
    full = evaluate(Router.fit(as_examples(sets.banking_train), encoder, folder), sets.banking_test)
    trials = run_trials(
        sets.banking_train, {"test": sets.banking_test}, encoder, shots=SHOTS, seeds=DRAWS, say=say
    )
    return Measured(
        clinc=Rates(report.accuracy, report.outside_auroc or 0.0, report.calibration_error),
        banking=full.accuracy,
        banking_shots=float(np.mean([trial.report.accuracy for trial in trials])),
        short=short,
        long=long,
        per_second=per_second,
        fit_s=fit_s,
    )


async def _rate(router: Router, texts: list[str]) -> tuple[float, float]:
    """Decisions a second with ``TOGETHER`` clients that each ask again at once, by the clock and by CPU."""
    waiting = iter([texts[n % len(texts)] for n in range(DECISIONS)])

    async def client(batching: BatchingRouter) -> None:
        for text in waiting:
            await batching.decide(_said(text))

    async with BatchingRouter(router) as batching:
        began, began_cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(client(batching) for _ in range(TOGETHER)))
        return DECISIONS / (time.perf_counter() - began), DECISIONS / (time.process_time() - began_cpu)


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]
