"""What asks for more than one plain text, which a chain that makes the answer itself can't give."""

from __future__ import annotations

import pytest

from chains.errors import ChainUnsupported
from chains.parameters import beyond_text, sampling


@pytest.mark.parametrize("wanted", [0, 1, -1])
def test_log_probabilities_of_the_prompt_are_asked_for_with_0_too(wanted: int) -> None:
    """vLLM then gives those of the prompt's own tokens, and no other candidates."""
    assert beyond_text({"prompt_logprobs": wanted}) == "prompt_logprobs"


def test_null_asks_for_none() -> None:
    assert beyond_text({"prompt_logprobs": None}) is None


def test_a_usage_in_each_chunk_is_refused_by_name() -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    with pytest.raises(ChainUnsupported, match=r"'stream_options\.continuous_usage_stats' = True") as refused:
        sampling("cot", {"stream_options": options})
    assert refused.value.parameter == "stream_options.continuous_usage_stats"
    assert sampling("cot", {"stream_options": {**options, "continuous_usage_stats": False}}) == {}
