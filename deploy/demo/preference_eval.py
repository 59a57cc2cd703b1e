"""What preferences have taught an adapter: its answers to held-out questions, judged beside the base's.

Both answer the same cases of the routes without tools, with names and numbers that no training draws. The
reward model scores the whole conversations, the cases' own expectations say whether an answer is right, and
the loss on held-out rows of all tasks says what was forgotten. A tool of development, like ``offline_eval``:

    python -m deploy.demo.preference_eval deploy/demo/base runs/reward/artefact runs/dpo/artefact \\
        --temperature 0 1 1.5 --out report.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from deploy.demo.scoring import Answer, faults
from deploy.demo.text import corpus
from deploy.demo.text.sample import Intent, Language, Sample
from training.data.formats.conversations import FORMS
from training.data.rendering import render
from training.data.tokens.token_rows import TokenRows
from training.methods import lora
from training.models import base
from training.models.reward_model import RewardModel
from training.online import prompts
from training.online.answers import LocalSampler, stop_tokens
from training.online.prompts import Prompt
from training.recipe import Sampling

INTENTS: tuple[Intent, ...] = (
    "refund",
    "customs",
    "arithmetic",
    "order_json",
    "smalltalk",
    "out_of_scope",
)  # of ``deploy.demo.text.preference``
GREEDY = 1e-3  # the temperature in place of 0: the likeliest token, but for ties
NEW_TOKENS = 192
BATCH = 256
BLOCK = 1024  # tokens, of the rows that forgetting is measured on


@dataclass(frozen=True, slots=True)
class Case:
    """One question, and what a right answer holds."""

    sample: Sample
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Spoken:
    """One model's answers to all N cases at one temperature."""

    scores: NDArray[np.float64]  # (N,), the reward model's
    right: NDArray[np.bool_]  # (N,), True = as the case expects
    tokens: float  # per answer


@dataclass(frozen=True, slots=True)
class Comparison:
    """An adapter's answers beside the base's to the same cases."""

    model: str
    temperature: float
    reward: float
    gain: float  # in reward, the mean over cases
    gain_error: float  # its standard error
    wins: float  # share of the cases with a higher score than the base's; a tie is half of one
    right: float  # share
    right_of_base: float
    tokens: float
    forgotten: float  # nats per token on rows of all tasks, more than the base's


def cases(tokenizer: Any, count: int, seed: int) -> list[Case]:
    """``count`` cases of every intent that preferences are about, in each language."""
    found = []
    for intent in INTENTS:
        for language in get_args(Language):
            for sample in corpus.held_out(intent, language, count, seed):
                said = tuple(corpus.conversation(sample)["messages"][:-1])
                asked = Prompt(said, (), {}, where=f"{intent} {language}")
                found.append(Case(sample, prompts.rendered(tokenizer, asked)))
    return found


def spoken(
    model: Any, tokenizer: Any, judge: RewardModel, asked: Sequence[Case], *, temperature: float, seed: int
) -> Spoken:
    """One answer of ``model`` to each case, judged."""
    plan = Sampling(max_new_tokens=NEW_TOKENS, temperature=temperature or GREEDY, batch_rows=BATCH)
    sampler = LocalSampler(model, plan, stop_tokens(model, tokenizer), int(tokenizer.pad_token_id))
    answers = sampler.sample([case.prompt.ids for case in asked], seed)
    texts = answers.texts(tokenizer)
    whole = [
        [*case.prompt.messages, {"role": "assistant", "content": text}]
        for case, text in zip(asked, texts, strict=True)
    ]
    right = [
        stopped and not faults(case.sample.expect, Answer(text.strip()))
        for case, text, stopped in zip(asked, texts, answers.stopped, strict=True)
    ]
    return Spoken(judge.score(whole), np.array(right), float(np.mean([len(ids) for ids in answers.ids])))


def general_loss(model: Any, tokenizer: Any, rows: int, seed: int) -> float:
    """Nats per token that an assistant writes in held-out rows, ``rows`` of each of the demo's adapters."""
    from training.cpt import heldout  # loads TRL

    ids: list[int] = []
    mask: list[int] = []
    lengths: list[int] = []
    for adapter in ("chat", "extract", "math", "support"):
        for row in corpus.held_out_rows(adapter, rows, seed):
            tokens, learned = render.tokens(tokenizer, FORMS["messages"](row), "sft")
            ids, mask = ids + tokens, mask + learned
            lengths.append(len(tokens))
    found = heldout.likelihood(
        model,
        TokenRows(np.array(ids, np.int32), np.array(mask, np.bool_), np.array(lengths, np.int64)).cut(BLOCK),
        block=BLOCK,
        batch_rows=8,
        pad=int(tokenizer.pad_token_id),
        arithmetic=contextlib.nullcontext(),
    )
    return found.nats / found.tokens


def compared(name: str, temperature: float, adapted: Spoken, plain: Spoken, forgotten: float) -> Comparison:
    """The numbers of both side by side."""
    gain = adapted.scores - plain.scores
    return Comparison(
        name,
        temperature,
        reward=float(adapted.scores.mean()),
        gain=float(gain.mean()),
        gain_error=float(gain.std(ddof=1) / math.sqrt(len(gain))),
        wins=float(((gain > 0) + 0.5 * (gain == 0)).mean()),
        right=float(adapted.right.mean()),
        right_of_base=float(plain.right.mean()),
        tokens=adapted.tokens,
        forgotten=forgotten,
    )


def main() -> None:
    """Print a line for each adapter and temperature."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", help="the base's folder")
    parser.add_argument("reward", type=Path, help="the reward model's folder")
    parser.add_argument("adapters", type=Path, nargs="+", help="artefact folders of adapters")
    parser.add_argument("--temperature", type=float, nargs="+", default=[0.0, 1.0])
    parser.add_argument("--count", type=int, default=25, help="cases by intent and language")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file for the report")
    given = parser.parse_args()
    report = evaluate(
        given.base, given.reward, given.adapters, given.temperature, count=given.count, seed=given.seed
    )
    if given.out:
        lines = [asdict(comparison) for comparison in report]
        given.out.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")


def evaluate(
    name: str,
    reward: Path,
    adapters: Sequence[Path],
    temperatures: Sequence[float],
    *,
    count: int,
    seed: int,
) -> list[Comparison]:
    """Every adapter at every temperature; each line is printed as soon as it is known."""
    import torch

    from training import run

    run.quieten()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer: Any = base.load_tokenizer(name)
    judge = RewardModel.load(reward)
    asked = cases(tokenizer, count, seed)
    model: Any = base.load_model(name)
    model = model.to(device).eval()
    loss = general_loss(model, tokenizer, count, seed)
    plain = {t: spoken(model, tokenizer, judge, asked, temperature=t, seed=seed) for t in temperatures}
    report = []
    for folder in adapters:
        model = lora.load(base.load_model(name), folder).to(device).eval()
        forgotten = general_loss(model, tokenizer, count, seed) - loss
        for temperature, of_base in plain.items():
            said = spoken(model, tokenizer, judge, asked, temperature=temperature, seed=seed)
            label = folder.parent.name if folder.name == "artefact" else folder.name
            report.append(compared(label, temperature, said, of_base, forgotten))
            _say(report[-1], len(asked))
    return report


def _say(found: Comparison, count: int) -> None:
    print(
        f"{found.model:<14} at {found.temperature:<4g} reward {found.reward:7.3f}, gain {found.gain:+.3f} ± "
        f"{found.gain_error:.3f}, wins {found.wins:6.1%}, right {found.right:6.1%} (base "
        f"{found.right_of_base:6.1%}) of {count}, {found.tokens:.1f} tokens, forgotten "
        f"{found.forgotten:+.4f} nats a token",
        flush=True,
    )


if __name__ == "__main__":
    main()
