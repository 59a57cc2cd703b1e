"""What the tests against the real demo share."""

from __future__ import annotations

import pytest
from openai import OpenAI

from tests.e2e.demo import Demo


@pytest.fixture(scope="module")
def client(demo: Demo) -> OpenAI:
    """The openai client, which asks once."""
    return OpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0)
