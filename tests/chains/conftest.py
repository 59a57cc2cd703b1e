"""Fixtures of the chains' tests."""

import pytest

from chains import react
from chains.errors import ToolNotFound
from chains.tool_call import Tool
from tests.chains.reacting import TOOLS, called, hanging


@pytest.fixture
def weather_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain finds these tools and no others."""

    def by_name(name: str) -> Tool:
        if name not in TOOLS:
            raise ToolNotFound(name, TOOLS)
        return TOOLS[name]

    monkeypatch.setattr(react, "tool_by_name", by_name)
    called.clear()
    hanging.clear()
