"""A real vLLM behind the gateway, measured: what it says of its prompts is what the weights say."""

from __future__ import annotations

import pytest

from tests.e2e.demo import HOME, Demo
from training.data.tokens.token_rows import TokenRows
from training.evaluation.evaluate import evaluate
from training.evaluation.likelihood import Likelihood
from training.evaluation.load import load
from training.evaluation.plan import Plan
from training.models import base, logprobs

pytestmark = pytest.mark.e2e
PLAN = Plan.model_validate(
    {
        "max_tokens": 1536,
        "general": {"mix": {"generator": "deploy.demo.text.corpus:corpus", "rows": 4}},
        "tools": {
            "desk": {
                "generator": "deploy.demo.text.corpus:held_out_rows",
                "arguments": {"adapter": "support"},
                "rows": 2,
            }
        },
        "preferences": {"style": {"generator": "deploy.demo.text.preference:pairs", "rows": 2}},
    }
)


def test_an_adapter_and_its_base_are_measured_through_the_gateway(demo: Demo) -> None:
    import numpy as np

    tokenizer = base.load_tokenizer(str(HOME / "base"))
    parts = load(PLAN, tokenizer)
    models = ("support", "pointsman-demo")
    adapter, plain = evaluate(parts, models, url=demo.url, api_key=None, concurrency=4, report=lambda _: None)
    assert adapter.versions[0].startswith("support@")

    mix = parts[0]
    assert isinstance(mix, Likelihood)
    rows = TokenRows(
        np.array([token for row in mix.rows for token in row.ids], np.int32),
        np.array([wanted for row in mix.rows for wanted in row.measured], np.bool_),
        np.array([len(row.ids) for row in mix.rows], np.int64),
    )
    here = logprobs.answers(base.load_model(str(HOME / "base")), rows, int(tokenizer.pad_token_id or 0))
    loss = plain.measures["general.mix.nats_per_token"]
    assert loss.value == pytest.approx(-here.sum() / rows.trained, abs=0.02)  # vLLM sums in other orders
    assert adapter.measures["general.mix.nats_per_token"].value != loss.value

    called = adapter.measures["tools.desk.form_accuracy"]
    assert called.value == 1.0
    assert called.count >= 1
    assert adapter.measures["preferences.style.accuracy"].count == 2
