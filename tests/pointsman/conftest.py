"""The command line in this process, and settings that load without a model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pointsman.cli.main import app

Run = Callable[..., Result]
ROOT = Path(__file__).parents[2]
SETTINGS = """\
gateway: {port: 0}
state: state
engine: {model: ./base, model_name: demo, urls: ["http://127.0.0.1:9"]}
router: {routes: routes.yaml}
prompts: prompts
adapters: {folder: adapters}
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("adapters", "list")`` as typed in a shell that sets nothing."""
    for name in ("POINTSMAN_URL", "POINTSMAN_CONFIG", "POINTSMAN_ADMIN_KEY", "POINTSMAN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    runner = CliRunner()
    return lambda *words, **keywords: runner.invoke(app, [str(word) for word in words], **keywords)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a gateway in a folder of its own: no model in it, the demo's prompts and its routes
    without their further examples."""
    for name in ("base", "adapters", "state"):
        (tmp_path / name).mkdir()
    (tmp_path / "state" / "admin.key").write_text("the-key\n", encoding="utf-8")
    shutil.copytree(ROOT / "prompts" / "templates", tmp_path / "prompts")
    routes = (ROOT / "deploy" / "demo" / "routes.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    alone = "".join(line for line in routes if not line.startswith("example_files:"))  # quick to fit
    (tmp_path / "routes.yaml").write_text(alone, encoding="utf-8")
    for schema in (ROOT / "deploy" / "demo").glob("*.schema.json"):  # that routes name
        shutil.copy(schema, tmp_path)
    path = tmp_path / "pointsman.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    return path
