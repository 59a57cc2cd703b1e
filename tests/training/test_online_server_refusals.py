"""Servers that can't sample for a recipe: said by ``pointsman check`` where that is seen, else by the run."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pointsman.document import DocumentError
from tests.training.asking import Online
from tests.training.conftest import make_base
from tests.training.rollouts import Engine, Said, refusal, serving
from tests.training.test_run import quiet
from training import run
from training.errors import NotReady, RolloutError
from training.models import base as bases
from training.preflight import check
from training.served import transport


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """``served(engine)`` gives the engine a URL."""
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.0)
    with ExitStack() as stack:
        yield lambda engine: stack.enter_context(serving(engine))


def refused(path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What check says of the recipe, and the run as well, before a model is loaded."""
    with pytest.raises(RolloutError) as caught:
        check.check(path, [], quiet)
    with monkeypatch.context() as patch:
        patch.setattr(bases, "load_model", lambda name: pytest.fail(f"the model {name} was loaded"))
        with pytest.raises(RolloutError, match=re.escape(str(caught.value))):
            run.train(path, runs=runs, report=quiet)
    return str(caught.value)


def test_a_server_that_fits(online: Online, speaker: Path, served: Any) -> None:
    engine = Engine(speaker)
    check.check(online("grpo", server={"url": served(engine)}), [], quiet)
    assert engine.loaded == []


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_a_server_that_is_not_there(
    online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = online(kind, server={"url": "http://127.0.0.1:9"})
    found = refused(path, tmp_path, monkeypatch)
    assert re.match(r"server\.url: nothing answers at http://127\.0\.0\.1:9/v1/models", found)
    path = online(kind, server={"url": "http://127.0.0.1:9"}, base="no/such/folder")
    with pytest.raises(NotReady, match=r"(?s)^2 problems.*server\.url.*no/such/folder"):
        check.check(path, [], quiet)


@pytest.mark.parametrize("silent", ["models", "unload_lora_adapter"])
def test_a_server_that_never_answers(
    online: Online, speaker: Path, served: Any, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """It is not waited for as for answers, which may take server.timeout, ten minutes."""
    ended = threading.Event()
    engine = Engine(speaker)
    monkeypatch.setattr(engine, silent, lambda _: (ended.wait(), refusal(500, "too late"))[1])
    monkeypatch.setattr(transport, "LOOK_SECONDS", 1.0)
    path = online("grpo", server={"url": served(engine)})
    try:
        with pytest.raises(RolloutError, match=rf"/v1/{silent} did not answer within 1 s"):
            check.check(path, [], quiet)
    finally:
        ended.set()


def test_a_server_that_wants_a_key(
    online: Online, speaker: Path, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(speaker)
    engine.key = "secret"
    url = served(engine)
    keyless = online("rloo", server={"url": url})
    found = refused(keyless, tmp_path, monkeypatch)
    assert re.search(r"/v1/models: 401 Unauthorized; the server wants a key: .* in server\.key", found)

    plan: dict[str, Any] = {"sampling.max_new_tokens": 4, "data.validation_rows": 2, "train.steps": 1}
    path = online("rloo", server={"url": url, "key": "SAMPLER_KEY"}, name="keyed", **plan)
    monkeypatch.delenv("SAMPLER_KEY", raising=False)
    found = refused(path, tmp_path, monkeypatch)
    assert found == "server.key: the environment has no SAMPLER_KEY"
    monkeypatch.setenv("SAMPLER_KEY", "another")
    found = refused(path, tmp_path, monkeypatch)
    assert re.search(r"401 Unauthorized; the server does not accept the key in SAMPLER_KEY", found)
    assert "another" not in found

    monkeypatch.setenv("SAMPLER_KEY", "secret")
    made = run.train(path, runs=tmp_path, report=quiet)
    assert engine.live == {}  # each request had it: looks, loading, answers, unloading
    assert "secret" not in (made / "manifest.json").read_text(encoding="utf-8")


def test_a_server_that_takes_no_adapters(
    online: Online, speaker: Path, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(Engine):
        load_lora_adapter = unload_lora_adapter = None  # type: ignore[assignment]

    path = online("ppo", server={"url": served(Closed(speaker))})
    found = refused(path, tmp_path, monkeypatch)
    assert re.search(r"404 .*Not Found.*takes no adapters.*VLLM_ALLOW_RUNTIME_LORA_UPDATING=1", found)


def test_a_server_of_something_else(
    online: Online, speaker: Path, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other(Engine):
        def models(self, _: dict[str, Any]) -> Said:
            return 200, {"data": [{"id": "gpt"}]}

    path = online("grpo", server={"url": served(Other(speaker))})
    assert "does not say which base it serves" in refused(path, tmp_path, monkeypatch)


def test_a_server_of_another_base(
    online: Online, speaker: Path, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_base(tmp_path / "other", seed=1)
    path = online("grpo", server={"url": served(Engine(other))})
    assert f"serves {other}, which is another base" in refused(path, tmp_path, monkeypatch)
    # one that lies where nobody sees it here is believed
    check.check(online("grpo", server={"url": served(Engine(Path("/on/another/machine")))}), [], quiet)


def test_a_server_of_too_few_tokens(
    online: Online, speaker: Path, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = online("grpo", server={"url": served(Engine(speaker, longest=16))})
    found = refused(path, tmp_path, monkeypatch)
    assert re.search(r"takes 16 tokens at once, and the longest prompt has \d+.*--max-model-len", found)


def test_a_rank_over_the_servers(online: Online, speaker: Path, tmp_path: Path, served: Any) -> None:
    engine = Engine(speaker, rank=2)
    with pytest.raises(RolloutError, match=r"rank is 4, and .* takes ranks up to 2; .*--max-lora-rank 4"):
        run.train(online("grpo", server={"url": served(engine)}), runs=tmp_path, report=quiet)
    assert engine.asked.count("/v1/load_lora_adapter") == 1  # no other attempt would get another answer
    assert list((tmp_path / "tiny" / "served").glob("tiny*")) == []


def test_an_alias_that_another_run_has_there(
    online: Online, speaker: Path, tmp_path: Path, served: Any
) -> None:
    class Held(Engine):
        def load_lora_adapter(self, body: dict[str, Any]) -> Said:
            self.live[body["lora_name"]] = "/runs/another"
            return super().load_lora_adapter(body)

    path = online("grpo", server={"url": served(Held(speaker))})
    said = (
        "already, from /runs/another: another run samples there .*; or it was killed: start it again, or "
        "unload tiny-training@"
    )
    with pytest.raises(RolloutError, match=said):
        run.train(path, runs=tmp_path, report=quiet)


def test_a_server_whose_log_probabilities_are_of_something_else(
    online: Online, speaker: Path, tmp_path: Path, served: Any
) -> None:
    raw = {"url": served(Engine(speaker, processed=False))}
    plan: dict[str, Any] = {"sampling.max_new_tokens": 4, "data.validation_rows": 2, "train.steps": 1}
    hot = {"sampling.temperature": 2.0}
    with pytest.raises(
        RolloutError, match=r"before sampling\.temperature.*--logprobs-mode processed_logprobs"
    ):
        run.train(online("grpo", server=raw, **plan, **hot), runs=tmp_path, report=quiet)
    run.train(online("grpo", server=raw, name="at-one", **plan), runs=tmp_path, report=quiet)
    run.train(online("rloo", server=raw, name="rloo", **plan, **hot), runs=tmp_path, report=quiet)


def test_a_server_that_gives_texts_alone(online: Online, speaker: Path, tmp_path: Path, served: Any) -> None:
    class Texts(Engine):
        def completions(self, body: dict[str, Any]) -> Said:
            return 200, {"choices": [{"index": 0, "text": "red"}]}

    path = online("ppo", server={"url": served(Texts(speaker))})
    with pytest.raises(RolloutError, match="answered without token ids"):
        run.train(path, runs=tmp_path, report=quiet)


def test_a_server_without_log_probabilities(
    online: Online, speaker: Path, tmp_path: Path, served: Any
) -> None:
    class Short(Engine):
        def _log_probs(self, *given: Any) -> list[float]:
            return super()._log_probs(*given)[:-1]

    path = online("grpo", server={"url": served(Short(speaker))})
    with pytest.raises(RolloutError, match=r"answered \d+ tokens with the log-probabilities \["):
        run.train(path, runs=tmp_path, report=quiet)


@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_a_server_whose_log_probabilities_are_no_numbers(
    online: Online, speaker: Path, tmp_path: Path, served: Any, number: float
) -> None:
    class Broken(Engine):
        def _log_probs(self, *given: Any) -> list[float]:
            return [*super()._log_probs(*given)[:-1], number]

    path = online("grpo", server={"url": served(Broken(speaker))})
    with pytest.raises(RolloutError, match=rf"http.* answered the log-probability {number} for token \d+ of"):
        run.train(path, runs=tmp_path, report=quiet)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([3, 10**6], r"answered the token id 1000000 at place 1, and the base's are 0 to \d+"),
        ([-1], r"answered the token id -1 at place 0"),
        (["red"], r"answered the token id 'red' at place 0"),
        ([3] * 9, r"answered 9 tokens where 8 were asked for at most \(sampling\.max_new_tokens\)"),
    ],
)
def test_a_server_whose_answers_can_be_none(
    online: Online, speaker: Path, tmp_path: Path, *, served: Any, ids: list[Any], said: str
) -> None:
    class Other(Engine):
        def completions(self, body: dict[str, Any]) -> Said:
            return 200, {"choices": [{"index": 0, "token_ids": ids}]}

    path = online("ppo", server={"url": served(Other(speaker))}, **{"sampling.max_new_tokens": 8})
    with pytest.raises(RolloutError, match=said):
        run.train(path, runs=tmp_path, report=quiet)


def test_a_server_that_was_started_again(online: Online, speaker: Path, tmp_path: Path, served: Any) -> None:
    class Forgetful(Engine):
        def completions(self, body: dict[str, Any]) -> Said:
            return refusal(404, f"The model `{body['model']}` does not exist.")

    path = online("grpo", server={"url": served(Forgetful(speaker))})
    with pytest.raises(
        RolloutError, match=r"404 .*does not exist.*begins anew, as there is no checkpoint yet"
    ):
        run.train(path, runs=tmp_path, report=quiet)


@pytest.mark.parametrize("kind", ["ppo", "grpo", "rloo"])
def test_a_temperature_over_the_servers(online: Online, kind: str) -> None:
    hot = {"sampling.temperature": 2.1}
    with pytest.raises(DocumentError, match=r"sampling\.temperature: 2\.1 is more than a vLLM .* 2 at most"):
        check.check(online(kind, server={"url": "http://127.0.0.1:9"}, **hot), [], quiet)
    check.check(online(kind, **hot), [], quiet)  # transformers takes any


def test_adapters_alone_are_sampled_by_a_server(online: Online) -> None:
    with pytest.raises(DocumentError, match="method: unknown key"):
        check.check(online("grpo", server={"url": "http://127.0.0.1:9"}, method="full"), [], quiet)
