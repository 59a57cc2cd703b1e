"""What `make up` tells of settings without YAML is what they say."""

from __future__ import annotations

import pytest
import yaml

from pointsman.cli.before_env import Glimpse, glimpse
from service.sections import EngineSettings, GatewaySettings
from service.settings import Settings
from tests.pointsman.conftest import ROOT

WRITTEN = (
    "gateway:\n  host: ::1\n  port: 9000  # port: 1\n",
    "gateway: {port: 9000, host: 'localhost'}\n",
    "gateway:\n\n  # port: 1\n  max_messages: 9\nlimits: {steps: 3}\n",
    'engine:\n  environment:\n    TORCH_COMPILE_DISABLE: "1"\n',
    "engine: {urls: [http://127.0.0.1:9], environment: {A: '1'}}\n",
    "engine:\n  urls:\n    - http://127.0.0.1:9\n  port: 9\n",
    "engine: {urls: []}\n",
)


def seen(gateway: GatewaySettings, engine: EngineSettings) -> Glimpse:
    """What should be seen of such settings."""
    return Glimpse(gateway.host, gateway.port, not engine.urls, engine.compiles)


@pytest.mark.parametrize("text", WRITTEN, ids=range(len(WRITTEN)))
def test_however_they_are_written(text: str) -> None:
    data = yaml.safe_load(text)
    gateway = GatewaySettings.model_validate(data.get("gateway", {}))
    engine = EngineSettings.model_validate({"model": "base", "model_name": "m", **data.get("engine", {})})
    assert glimpse(text) == seen(gateway, engine)


@pytest.mark.parametrize("name", ["demo/pointsman.yaml", "examples/qwen3-8b.yaml"])
def test_of_the_configurations_here(name: str) -> None:
    path = ROOT / "deploy" / name
    settings = Settings.load(path)
    assert glimpse(path.read_text("utf-8")) == seen(settings.gateway, settings.engine)


def test_a_port_that_can_not_be_told_without_yaml_is_left_for_later() -> None:
    assert glimpse("ours: &ours {port: 9000}\ngateway: *ours\n").port is None
