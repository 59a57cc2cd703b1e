"""What every test may use."""

import pytest

from tests.directories import pytest_collect_directory
from tests.e2e.demo import demo

__all__ = ["demo", "pytest_collect_directory"]

_GROUP = "vllm"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist, which reads the groups in this hook as well
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the one vLLM goes to one worker, where there are several."""
    for item in items:
        if "e2e" in item.keywords:
            item.add_marker(pytest.mark.xdist_group(_GROUP))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Two workers with a vLLM each take twice as long, and nothing else tells of it."""
    if session.config.getoption("loadgroup", default=False):
        grouped = [item for item in session.items if "e2e" in item.keywords]
        lost = [item for item in grouped if not item.nodeid.endswith(f"@{_GROUP}")]
        assert not lost, f"pytest-xdist does not know the group of {len(lost)} tests, as {lost[0].nodeid}"
