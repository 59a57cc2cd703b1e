"""One method of sft at work on the demo's base, in a process of its own: its peak of memory is its own.

The job: refunds are given within 60 days, where the base says 30. What is measured is the artefact, loaded as
``convert`` loads it: held-out questions about the window and about all else, and what was forgotten.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, get_args

import numpy as np
import yaml

from deploy.demo.scoring import Answer, faults
from deploy.demo.text import corpus, policy
from deploy.demo.text.sample import Language, Sample
from training.data.formats.conversations import FORMS
from training.data.rendering import render
from training.data.tokens.token_rows import TokenRows

BASE = "deploy/demo/base"
DAYS = 60
MAX_TOKENS = 1536
NEW_TOKENS = 96
CASES = 40  # held-out ones of each kind and language
GENERAL_ROWS = 30  # of each of three of the demo's adapters
OPTIONS: dict[str, dict[str, Any]] = {  # method → its options and its learning rate
    "lora": {"lora": {"rank": 12, "alpha": 24}, "learning_rate": 0.001},
    "qlora": {"lora": {"rank": 12, "alpha": 24}, "learning_rate": 0.001},
    "dora": {"lora": {"rank": 12, "alpha": 24}, "learning_rate": 0.001},
    "pissa": {"lora": {"rank": 12, "alpha": 24}, "learning_rate": 0.001},
    "full": {"learning_rate": 0.0002},
    "freeze": {"freeze": {"learn_last": 3}, "learning_rate": 0.0005},
    "prefix": {"prefix": {"tokens": 20, "hidden_size": 512}, "learning_rate": 0.003},
    "p_tuning_v2": {"p_tuning_v2": {"tokens": 20}, "learning_rate": 0.03},
    "p_tuning": {"p_tuning": {"tokens": 20, "hidden_size": 320}, "learning_rate": 0.003},
    "prompt_tuning": {"prompt_tuning": {"tokens": 20}, "learning_rate": 0.03},
}


@dataclass
class Measured:
    """What one method has come to."""

    seconds: float  # the whole run
    learning: int  # weights that learn
    peak_mb: float  # of the GPU, or of the process where there is none
    loss: float  # nats a trained token on held-out rows
    window: float  # share of the questions about the window that are answered with the new one
    rest: float  # share of the other questions about refunds and customs that are answered right
    forgotten: float  # nats a token on rows of the demo's other tasks, more than the base's


def recipe(method: str, rows: int, steps: int, batch_rows: int) -> dict[str, Any]:
    """The recipe of ``method``; all have the same rows in the same order."""
    options = dict(OPTIONS[method])
    return {
        "stage": "sft",
        "name": method.replace("_", "-"),
        "alias": "bench",
        "base": BASE,
        "seed": 60,
        "method": method,
        "data": {
            "sources": [
                {
                    "generator": "deploy.demo.text.corpus:refund_rows",
                    "rows": rows,
                    "arguments": {"refund_days": DAYS},
                }
            ],
            "validation_rows": 40,
            "max_tokens": MAX_TOKENS,
        },
        "train": {
            "steps": steps,
            "batch_rows": batch_rows,
            "learning_rate": options.pop("learning_rate"),
            "warmup": 0.05,
        },
    } | options


def cases(count: int) -> dict[str, list[Sample]]:
    """``count`` held-out questions a language about the ``window``, and as many about the ``rest``."""
    rng = Random(f"methods {count}")
    found: dict[str, list[Sample]] = {"window": [], "rest": []}
    for language in get_args(Language):
        window = policy.STATED["refund_window"][language][0].format(refund_days=DAYS)
        for kind, samples in found.items():
            wanted = len(samples) + count
            while len(samples) < wanted:
                sample = policy.sample(rng, language, "held_out", DAYS)
                about = sample.expect is not None and sample.expect.contains == (window,)
                if about == (kind == "window"):
                    samples.append(sample)
    return found


def run(method: str, plan: dict[str, int], folder: Path, out: Path) -> None:
    """Train ``method`` in this process, and write what it has come to as JSON to ``out``."""
    import torch

    from training import run as runs
    from training.convert import result
    from training.models import base
    from training.preflight import outline
    from training.runs import estimate

    runs.quieten()
    path = folder / f"{method}.yaml"
    path.write_text(yaml.safe_dump(recipe(method, **plan)), encoding="utf-8")
    artefact = runs.train(path, runs=folder / "runs")
    gpu = torch.cuda.is_available()
    peak = torch.cuda.max_memory_allocated() / 1e6 if gpu else _resident_mb()
    opened = result.opened(artefact)
    device = "cuda" if gpu else "cpu"
    model, plain = opened.model().to(device).eval(), opened.base_model().to(device)
    tokenizer = base.load_tokenizer(BASE)
    right = {kind: _right(model, tokenizer, asked) for kind, asked in cases(CASES).items()}
    rows = _general(tokenizer)
    measured = Measured(
        seconds=opened.manifest.metrics["seconds"],
        learning=estimate.of(outline.of(opened.recipe), opened.recipe).trainable,
        peak_mb=peak,
        loss=opened.manifest.metrics["eval_loss"],
        window=right["window"],
        rest=right["rest"],
        forgotten=_loss(model, rows) - _loss(plain, rows),
    )
    out.write_text(json.dumps(asdict(measured)), encoding="utf-8")


def _right(model: Any, tokenizer: Any, asked: Sequence[Sample]) -> float:
    """The share of ``asked`` that is answered as expected, by the likeliest tokens."""
    from training.online import prompts
    from training.online.answers import LocalSampler, stop_tokens
    from training.online.prompts import Prompt
    from training.recipe import Sampling

    rows = [
        prompts.rendered(tokenizer, Prompt(tuple(messages), (), {}, where="bench"))
        for messages in (corpus.conversation(sample)["messages"][:-1] for sample in asked)
    ]
    greedy = Sampling(max_new_tokens=NEW_TOKENS, temperature=1e-3, batch_rows=len(rows))
    sampler = LocalSampler(model, greedy, stop_tokens(model, tokenizer), int(tokenizer.pad_token_id))
    texts = sampler.sample([row.ids for row in rows], 0).texts(tokenizer)
    done = [not faults(s.expect, Answer(text)) for s, text in zip(asked, texts, strict=True) if s.expect]
    return sum(done) / len(asked)


def _general(tokenizer: Any) -> TokenRows:
    """Held-out rows of all the demo's tasks but those that were taught anew."""
    ids: list[int] = []
    mask: list[int] = []
    lengths: list[int] = []
    for adapter in ("chat", "extract", "math"):
        for row in corpus.held_out_rows(adapter, GENERAL_ROWS, 0):
            tokens, learned = render.tokens(tokenizer, FORMS["messages"](row), "sft")
            ids, mask = ids + tokens, mask + learned
            lengths.append(len(tokens))
    return TokenRows(np.array(ids, np.int32), np.array(mask, np.bool_), np.array(lengths, np.int64))


def _loss(model: Any, rows: TokenRows) -> float:
    """Nats a trained token of ``rows``; row by row, as virtual tokens stand before each."""
    import torch

    from training.convert import fidelity

    nats, tokens = 0.0, 0
    with torch.no_grad():
        for ids, learned in fidelity.sequences(rows):
            found = fidelity.log_probs(model, ids.to(model.device))[learned.to(model.device)]
            said = ids[0, 1:][learned][:, None].to(model.device)
            nats -= float(found.gather(1, said).sum())
            tokens += len(said)
    return nats / tokens


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
