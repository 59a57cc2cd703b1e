"""`pointsman release` against a gateway that answers as it is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.artefact import CONFIG, WEIGHTS, version_of
from tests.pointsman.canned import ALIAS, LIVE, OLD, Reply, canned, version
from tests.pointsman.conftest import Run

MANIFEST: dict[str, Any] = {
    **{"alias": "support", "stage": "sft", "base_model": "b", "base": None, "recipe": {}, "data": {}},
    **{"seed": 0, "code": "c", "libraries": {}, "metrics": {}, "created": "2026-11-25T10:00:00Z"},
}


def answers(new: str, text: Callable[[str], str]) -> dict[str, Reply]:
    """A gateway whose versions say what ``text`` makes of their name."""

    def chat(body: dict[str, Any]) -> dict[str, Any]:
        return {
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text(body["model"])},
                    "finish_reason": "stop",
                }
            ]
        }

    return {
        "GET /v1/models": {"data": [{"id": f"support@{new}"}, {"id": f"support@{OLD}"}]},
        "POST /v1/chat/completions": chat,
        "GET /admin/adapters": {"data": [LIVE, version(new)]},
        "POST /admin/adapters": version(new),
        f"POST {ALIAS}/load": version(new),
        f"POST {ALIAS}/moves": version(new),
        f"POST {ALIAS}/verdict": version(new),
        f"POST {ALIAS}/promote": version(new, state="live", weight=100),
    }


@pytest.fixture
def written(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A release of an artefact that lies on the disk, and the artefact's version."""
    from training.evaluation import report
    from training.models import base

    folder = tmp_path / "candidate" / "artefact"
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_text("new", encoding="utf-8")
    (folder / CONFIG).write_text("{}", encoding="utf-8")
    rows = tmp_path / "questions.jsonl"
    row = {"prompt": "How many days?", "expect": {"contains": ["60 days"]}}
    rows.write_text(f"{json.dumps(row)}\n" * 30, encoding="utf-8")
    recipe = {
        "name": "r",
        "alias": "support",
        "artefact": str(folder),
        "evaluation": {"answers": {"window": {"path": str(rows)}}},
        "gate": [{"metric": "answers.window.correct", "at_least": 0.8}],
    }
    path = tmp_path / "release.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    monkeypatch.setattr(base, "load_tokenizer", lambda _: None)  # answers need none
    monkeypatch.setattr(report, "write", lambda *_: None)  # drawn in the tests of the evaluation
    return path, version_of(folder)


def test_a_refused_candidate_is_told_row_by_row_and_by_the_status(
    run: Run, config: Path, written: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, new = written
    _streams_as_told(monkeypatch)
    said = lambda model: "30 days"  # noqa: E731
    with canned(answers(new, said)) as gateway:
        words = ("release", recipe, "--url", gateway.url, "--config", config, "--runs", tmp_path / "runs")
        ended = run(*words)
        again = run(*words)
    assert ended.exit_code == 3, ended.output
    lines = ended.stdout.splitlines()
    assert lines[0].startswith(
        "fail       answers.window.correct, at least 0.8: 0 (live 0, 95 % in 0 to 0.1157)"
    )
    assert lines[1] == f"support@{new}: rejected"
    assert again.stdout == ended.stdout
    asked = dict(gateway.asked)
    assert asked[f"POST {ALIAS}/verdict"]["passed"] is False
    assert f"POST {ALIAS}/promote" not in asked


def test_a_good_candidate_is_promoted_under_the_name_of_the_release(
    run: Run, config: Path, written: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, new = written
    _streams_as_told(monkeypatch)
    said = lambda model: "60 days" if model.endswith(new) else "30 days"  # noqa: E731
    with canned(answers(new, said)) as gateway:
        ended = run("release", recipe, "--url", gateway.url, "--config", config, "--runs", tmp_path / "runs")
    assert ended.exit_code == 0, ended.output
    assert f"support@{new}: promoted" in ended.stdout
    promoted = dict(gateway.asked)[f"POST {ALIAS}/promote"]
    assert (promoted["version"], promoted["weight"]) == (new, 100)
    assert promoted["by"].endswith(", release r")


def test_what_the_checks_refuse_ends_the_release_with_every_problem(
    run: Run, config: Path, written: tuple[Path, str], tmp_path: Path
) -> None:
    recipe, new = written
    problems = ["weights: layers.0 holds NaN", "adapter_config.json: r is 64, over 32"]
    refusal = {"error": {"message": "; ".join(problems), "code": 422, "problems": problems}, "_status": 422}
    with canned({**answers(new, str), "POST /admin/adapters": refusal}) as gateway:
        ended = run("release", recipe, "--url", gateway.url, "--config", config, "--runs", tmp_path / "runs")
    assert ended.exit_code == 3, ended.output
    assert [line.strip() for line in ended.stdout.splitlines()[1:3]] == problems


def test_a_gateway_that_is_away_leaves_the_release_to_go_on(
    run: Run, config: Path, written: tuple[Path, str], tmp_path: Path
) -> None:
    recipe, _ = written
    words = ("--url", "http://127.0.0.1:9", "--config", config, "--runs", tmp_path / "runs")
    ended = run("release", recipe, *words)
    assert ended.exit_code == 1
    assert "nothing answers at http://127.0.0.1:9" in ended.stderr
    kept = json.loads((tmp_path / "runs" / "r" / "release.json").read_text("utf-8"))
    assert (kept["state"], list(kept["steps"])) == ("running", ["train"])


def test_training_is_a_process_of_its_own_and_its_failure_is_told(
    run: Run, config: Path, written: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = yaml.safe_load(written[0].read_text("utf-8"))
    artefact = Path(recipe.pop("artefact"))
    written[0].write_text(yaml.safe_dump({**recipe, "train": "desk.yaml"}), encoding="utf-8")
    ended = [subprocess.CompletedProcess([], 1, ""), subprocess.CompletedProcess([], 0, f"a\n{artefact}\n")]
    asked: list[list[str]] = []

    def process(words: list[str], **_: Any) -> Any:
        asked.append(words)
        return ended.pop(0)

    monkeypatch.setattr(subprocess, "run", process)
    runs = tmp_path / "runs"
    words = ("release", written[0], "--config", config, "--runs", runs, "--url")
    assert "nothing answers" in run(*words, "http://127.0.0.1:9").stderr  # before it is trained
    with canned({"GET /admin/adapters": {"data": []}}) as gateway:
        assert asked == []
        assert "desk.yaml: training ended with status 1" in run(*words, gateway.url).stderr
        assert run(*words, gateway.url).exit_code == 1  # it is trained, and to be registered
    kept = json.loads((runs / "r" / "release.json").read_text("utf-8"))
    assert kept["steps"]["train"]["version"] == version_of(artefact)
    assert asked[0][-6:] == ["-m", "pointsman.cli", "train", "desk.yaml", "--runs", str(runs)]


def test_a_release_once_more_has_its_name_and_so_has_its_training(
    run: Run, config: Path, written: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = yaml.safe_load(written[0].read_text("utf-8"))
    artefact = recipe.pop("artefact")
    written[0].write_text(yaml.safe_dump({**recipe, "train": "desk.yaml"}), encoding="utf-8")
    asked: list[list[str]] = []

    def process(words: list[str], **_: Any) -> Any:
        asked.append(words)
        return subprocess.CompletedProcess([], 0, f"{artefact}\n")

    monkeypatch.setattr(subprocess, "run", process)
    runs = tmp_path / "runs"
    with canned({"GET /admin/adapters": {"data": []}}) as gateway:
        words = ("release", written[0], "--url", gateway.url, "--config", config, "--runs", runs)
        run(*words)
        run(*words, "--name", "r-2")
    kept = json.loads((runs / "r-2" / "release.json").read_text("utf-8"))
    assert kept["recipe"]["name"] == "r-2"
    assert "train" in kept["steps"]
    assert [words[words.index("--runs") + 2 :] for words in asked] == [[], ["--set", "name=r-2-training"]]
    refused = run(*words, "--name", "R 2")
    assert refused.exit_code == 2
    assert "must be small letters of a to z" in refused.stderr
    assert "Value error" not in refused.stderr


def test_a_result_that_is_no_lora_is_converted_before_it_is_registered(
    run: Run, config: Path, written: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = yaml.safe_load(written[0].read_text("utf-8"))
    artefact = Path(recipe["artefact"])
    manifest = {**MANIFEST, "method": "dora"}
    (artefact / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    written[0].write_text(yaml.safe_dump({**recipe, "convert": {"rank": 8, "max_kl": 0.1}}), "utf-8")
    asked: list[list[str]] = []

    def process(words: list[str], **_: Any) -> Any:
        asked.append(words)
        out = Path(words[words.index("--out") + 1])
        shutil.copytree(artefact, out)
        (out / WEIGHTS).write_text("converted", encoding="utf-8")
        return subprocess.CompletedProcess([], 0, f"{out}\n")

    monkeypatch.setattr(subprocess, "run", process)
    runs = tmp_path / "runs"
    where = ("--url", "http://127.0.0.1:9", "--config", config, "--runs", runs)
    assert "nothing answers" in run("release", written[0], *where).stderr
    converted = runs / "r" / "converted"
    assert (
        asked[0][-9:]
        == [
            *("convert", str(artefact), "--to", "lora", "--out", str(converted)),
            *("--rank", "8", "--max-kl", "0.1"),
        ][-9:]
    )
    kept = json.loads((runs / "r" / "release.json").read_text("utf-8"))
    assert kept["steps"]["train"]["version"] == version_of(converted)


def _streams_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canned gateway speaks JSON only: what it says to a stream is read as the whole answer is."""
    from training.served import streamed

    monkeypatch.setattr(streamed, "choice", lambda text: json.loads(text)["choices"][0])
