"""What every test may use."""

import pytest

from tests.e2e.demo import demo

__all__ = ["demo"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the one vLLM goes to one worker, where there are several."""
    for item in items:
        if "e2e" in item.keywords:
            item.add_marker(pytest.mark.xdist_group("vllm"))
