"""What `make up` looks at while there may be no environment yet: ``python3 -m pointsman.cli.before_env``.

It prints the lines of :mod:`pointsman.cli.preflight` that apply to a configuration, and `make up` stops where
there are any. Settings are YAML, which Python alone can't read, so the four that matter are searched for in
the text; a port that can't be told so is left to ``pointsman serve``, which looks once more.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pointsman.cli.preflight import compiler_problems, memory_problems, port_problems


@dataclass(frozen=True)
class Glimpse:
    """What can be told of settings without reading YAML."""

    host: str = "127.0.0.1"
    port: int | None = 8000  # None: can't be told
    child: bool = True  # vLLM is started here
    compiles: bool = True  # and calls the machine's compilers


def glimpse(text: str) -> Glimpse:
    """The settings in ``text`` as far as they can be told."""
    gateway, engine = _section(text, "gateway"), _section(text, "engine")
    host, port = _value(gateway, "host"), _value(gateway, "port")
    named = re.search(r"[&*]\w|<<", gateway)  # YAML's references: the values may stand elsewhere
    return Glimpse(
        host=host or Glimpse.host,
        port=None if named else int(port) if port.isdecimal() else Glimpse.port,
        child=re.search(r"\burls:\s*(\[\s*['\"\w]|-)", engine) is None,
        compiles=_value(engine, "TORCH_COMPILE_DISABLE") != "1",
    )


def problems(config: Path, port: str) -> Iterator[str]:
    """A sentence for each thing in the way of serving ``config``; ``port`` goes before its own if given."""
    try:
        found = glimpse(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        yield f"the settings {config} can't be read: {getattr(exc, 'strerror', None) or exc}"
        return
    if port and not (port.isdecimal() and int(port) < 1 << 16):
        yield f"PORT={port} is no port: a number up to 65535, or 0 for any that is free"
    elif port or found.port is not None:
        yield from port_problems(found.host, int(port or found.port or 0))
    if found.child:
        yield from compiler_problems() if found.compiles else ()
        yield from memory_problems()


def _section(text: str, name: str) -> str:
    """The lines of a key at the margin, less comments."""
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines()]
    found = re.search(rf"^{name}:(.*(?:\n(?:[ \t].*)?)*)", "\n".join(lines), re.MULTILINE)
    return found[1] if found else ""


def _value(section: str, key: str) -> str:
    found = re.search(rf"(?:^|[\s{{,]){key}:\s*['\"]?([^\s'\",}}]+)", section)
    return found[1] if found else ""


def main() -> None:
    """Print a line for each problem; no output says that there is none."""
    parser = argparse.ArgumentParser(description="What is in the way of `make up`, a line for each.")
    parser.add_argument("--config", type=Path, required=True, help="the settings")
    parser.add_argument("--port", default="", help="a port in place of theirs")
    given = parser.parse_args()
    for problem in problems(given.config, given.port):
        print(problem)


if __name__ == "__main__":
    main()
