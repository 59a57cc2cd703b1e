"""Every command of the READMEs, and of the pages on training and routes, is run against the real demo.

What is changed: the demo's address, the folder of runs, the training, which is cut to a few steps (``CUT``),
and the counts of evaluated cases and of a bench's requests. What is looked at and not run: the suite and the
checks (they would run themselves), the locks (the whole index would be resolved) and what needs a GPU, whose
settings are loaded. ``make up`` is what the fixture ``demo`` does; here make is brought as far as its
look before it makes or starts anything, which finds the port in use.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.demo.evaluation import INTENTS, LANGUAGES
from pointsman.cli.options import DEFAULT_URL
from tests import warm
from tests.e2e.demo import ROOT, Demo

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TRAIN = "pointsman train deploy/demo/recipes/"
CUT: Mapping[str, tuple[str, ...]] = {
    "support-60-days.yaml": (
        *("data.sources.0.rows=24", "data.sources.1.rows=1", "data.sources.2.rows=1"),
        *("data.validation_rows=4", "train.steps=2", "train.batch_rows=4"),
    ),
    "base.yaml": (
        *("data.sources.0.rows=300", "data.validation_rows=20", "data.max_tokens=128"),
        *("model.hidden_size=64", "model.layers=1", "model.heads=1", "model.kv_heads=1"),
        *("tokenizer.vocab_size=400", "tokenizer.sample_rows=200", "train.steps=2", "train.batch_rows=2"),
    ),
}
SHOWN: Mapping[str, tuple[str, ...]] = {  # how a command begins → what its output must hold
    "make test": ("pytest",),
    "make check": ("ruff check", "mypy", "lint-imports"),
    "make lock": ("make-locks.sh",),
    "make help": ("make up", "make test"),
    "make up ACCEL=cuda": ("no problems",),
    "make up": ("is in use by",),
    "curl -i": ("200 OK", "x-pointsman-intent: track_parcel", "x-pointsman-chain: react", "PX482913"),
    "pointsman release --help": ("RECIPE", "--undo"),
    "pointsman releases": ("alias", "since"),
    "pointsman route": ("complaint with confidence", "adapter support"),
    "pointsman eval demo": ("task success",),
    "pointsman bench --help": ("--against", "--zipf"),
    "pointsman bench": ("requests/s",),
    "pointsman check": ("no problems",),
    "pointsman convert": ("runs/help-desk",),
    "pointsman data preview": ("3 rows,",),
    "pointsman train": ("artefact",),
    "pointsman adapters register": ("support@",),
    "pointsman adapters promote support --weight 10": ("is live, 10 %",),
    "pointsman adapters promote": ("is live, 100 %",),
    "pointsman adapters list": ("live", "math"),
    "pointsman adapters rollback": ("is live, 100 %",),
    "source": (),
}

pytestmark = pytest.mark.e2e
WARM = tuple(f"pointsman {name} " for name in ("train", "convert", "data", "check"))
READMES = ("README.md", "README.zh-CN.md")
PAGES = (*READMES, "docs/training.md", "docs/routing.md")
readmes = pytest.mark.parametrize("readme", READMES)


def blocks(readme: str, language: str) -> list[str]:
    """The fenced blocks of ``language``, in order."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    return [body for kind, body in FENCE.findall(text) if kind == language]


def inline(readme: str) -> list[str]:
    """Every command that stands in a sentence."""
    text = FENCE.sub("", (ROOT / readme).read_text(encoding="utf-8"))
    return [code for code in re.findall(r"`([^`\n]+)`", text) if code.startswith(("make ", "pointsman "))]


def every_command() -> list[str]:
    """Those of the English README first, which go one way from start to end; of each one."""
    return list(dict.fromkeys(command for page in PAGES for command in (*inline(page), *commands(page))))


def commands(readme: str) -> list[str]:
    """Every command of the blocks, in order; lines that go on are joined."""
    return [
        line
        for block in blocks(readme, "bash")
        for line in block.replace("\\\n", "").splitlines()
        if line.strip()
    ]


@pytest.mark.timeout(600)
def test_every_command_works(demo: Demo, tmp_path: Path) -> None:
    before = live(demo)
    for command in every_command():
        begin = next((begin for begin in SHOWN if command.startswith(begin)), None)
        assert begin is not None, f"say in SHOWN what {command!r} must print"
        status, output = run(command, demo, tmp_path)
        for shown in SHOWN[begin]:
            assert shown in output, f"{command}\n{output}"
        assert status == 0, f"{command}\n{output}"
        if begin == "pointsman adapters promote":
            assert live(demo) != before
    assert live(demo) == before  # rolled back


@readmes
def test_every_python_block_works(readme: str, demo: Demo) -> None:
    found = blocks(readme, "python")
    assert found
    for block in found:
        code = block.replace(DEFAULT_URL, demo.url)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("62") >= 2  # the whole answer, and the streamed one


@readmes
def test_the_configuration_shown_is_that_of_the_file(readme: str) -> None:
    (shown,) = (yaml.safe_load(block) for block in blocks(readme, "yaml"))
    whole: dict[str, Any] = yaml.safe_load((ROOT / "deploy/examples/qwen3-8b.yaml").read_text("utf-8"))
    assert shown["engine"].items() <= whole["engine"].items()


def test_both_languages_show_the_same_commands() -> None:
    english, chinese = ([command.split(" ")[:2] for command in commands(name)] for name in READMES)
    assert english == chinese


def test_the_files_that_are_linked_exist() -> None:
    for path in (*(ROOT / name for name in READMES), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path}: {target}"


def run(command: str, demo: Demo, folder: Path) -> tuple[int, str]:
    """Status and output of one command, changed as the docstring of this module says."""
    if re.fullmatch("make up( PORT=8080)?", command):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            status, output = shell(f"make up PORT={taken.getsockname()[1]}", demo)
        return int(status == 0), output
    if command in ("make test", "make check", "make lock"):
        command = command.replace("make", "make --dry-run")
    elif command.startswith("make up ACCEL=cuda CONFIG="):
        command = f"pointsman check {command.rpartition('=')[2]}"
    elif command.startswith(TRAIN):
        sets = " ".join(f"--set {given}" for given in CUT[command.removeprefix(TRAIN)])
        command = f"{command} {sets} --runs {shlex.quote(str(folder / 'runs'))}"
    elif command.startswith("pointsman bench --model"):
        command = f"{command} --requests 2 --warm-up 1 --prompt-words 20 --max-tokens 16"
    elif command.startswith("pointsman eval demo"):
        return evaluated(command.replace("--count 20", "--count 1"), demo, folder / "scores.json")
    return shell(command.replace(" runs/", f" {folder}/runs/").replace(DEFAULT_URL, demo.url), demo)


def evaluated(command: str, demo: Demo, written: Path) -> tuple[int, str]:
    """An evaluation by one case of a kind, whose status, words and scores have to agree.

    One case decides nothing, so a missed bar is no failure here; half of all is what a gateway that does not
    answer would miss.
    """
    status, output = shell(f"COLUMNS=100 {command} --json {shlex.quote(str(written))}", demo)
    scores = json.loads(written.read_text(encoding="utf-8"))["scores"]
    cells = [(score["intent"], score["language"]) for score in scores]
    assert cells == [(intent, language) for intent in INTENTS for language in LANGUAGES]
    for score, (intent, language) in zip(scores, cells, strict=True):
        share = f"{score['done'] / score['cases']:.0%}"
        assert re.search(rf"{intent} +│ {language} +│ +1 +│ +{share} ", output), output
    missed = [
        f"{score['intent']} ({score['language']})"
        for score in scores
        if score["done"] < (score["bar"] or 0) * score["cases"]
    ]
    assert (status == 1) == bool(missed) == (f"below the bar: {', '.join(missed)};" in output), output
    assert sum(score["done"] for score in scores) * 2 > len(scores), output
    return (0 if missed else status), output


def shell(command: str, demo: Demo) -> tuple[int, str]:
    """Status and output of a line of bash; a training command comes from a process that is warm."""
    if command.startswith(WARM):
        return warm.done(shlex.split(command)[1:], demo.environment)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=demo.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def live(demo: Demo) -> set[str]:
    """The versions of ``support`` that are live."""
    versions = httpx.get(f"{demo.url}/admin/adapters", headers=demo.admin).json()["data"]
    return {str(v["name"]) for v in versions if v["alias"] == "support" and v["state"] == "live"}
