"""Candidates that are bad in a known way are refused for that; a good one takes the traffic, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deploy.proof import planted
from pointsman.artefact import version_of
from pointsman.cli.desk import Desk
from pointsman.cli.release_admin import Admin
from tests import warm
from tests.e2e.demo import Demo
from training.errors import CandidateRefused

pytestmark = pytest.mark.e2e


def admin(demo: Demo) -> Admin:
    return Admin(Desk(demo.url, demo.state / "admin.key", demo.config), "a test", None)


def live(demo: Demo) -> list[str]:
    return [one["name"] for one in admin(demo).versions() if one["state"] == "live"]


def enter(demo: Demo, folder: Path) -> None:
    """The step of a release in which a candidate is checked and probed."""
    admin(demo).register("support", folder)
    admin(demo).load("support", version_of(folder))


@pytest.mark.parametrize("name", ["NaN in a layer", "over-rank", "another base", *planted.PROBED])
def test_a_candidate_that_can_not_serve_is_refused_for_its_own_reason(
    demo: Demo, tmp_path: Path, name: str
) -> None:
    plant, reason = {**planted.CHECKED, **planted.PROBED}[name]
    before, folder = live(demo), plant(tmp_path / "artefact")
    with pytest.raises(CandidateRefused, match=reason):
        enter(demo, folder)
    assert live(demo) == before


def test_a_good_candidate_is_released_and_taken_back(demo: Demo, tmp_path: Path) -> None:
    folder = planted.good(tmp_path / "candidate" / "artefact")
    window = {"generator": "deploy.demo.text.questions:window", "arguments": {"refund_days": 30}}
    recipe = {
        "name": "good",
        "alias": "support",
        "artefact": str(folder),
        "evaluation": {"answers": {"window": {**window, "rows": 4, "max_new_tokens": 48}}},
        "gate": [{"metric": "answers.window.correct", "at_least": 0.3}],  # 4 of 4 may be 0.4
    }
    path = tmp_path / "release.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")

    def release(*given: str) -> str:
        words = ["release", str(path), "--runs", str(tmp_path / "runs"), *given]
        status, output = warm.done(words, demo.environment)
        assert status == 0, output
        return output

    before, new = live(demo), version_of(folder)
    assert f"support@{new}: promoted" in release()
    assert f"support@{new}" in live(demo)
    assert f"support@{new}: undone" in release("--undo")
    assert live(demo) == before
