"""A process takes as many open files as it may have."""

import resource
import subprocess
import sys

SCRIPT = """
import resource
from service.open_files import allow_most
allow_most()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def few() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))


def test_the_soft_limit_rises_to_the_hard_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], preexec_fn=few, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["512", "512"]
