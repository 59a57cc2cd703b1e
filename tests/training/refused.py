"""What is wrong with a recipe, as whoever loads it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.document import DocumentError
from pointsman.problems import Problem
from training import recipe as recipes


def problems(path: Path, *overrides: str) -> list[Problem]:
    """All that is wrong with the recipe in ``path`` under ``overrides`` such as ``train.steps=0``."""
    with pytest.raises(DocumentError) as caught:
        recipes.load(path, overrides)
    return caught.value.problems


def lines(path: Path, *overrides: str) -> list[str]:
    """Each of its ``problems`` as ``line field: message``."""
    return [f"{problem.line} {problem.field}: {problem.message}" for problem in problems(path, *overrides)]
