"""The command itself, and ``python -m pointsman.cli`` where its script is not on the path.

Ctrl-C while the commands are still being imported and read ends it as at any other time: without a traceback.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that was asked for."""
    try:
        from pointsman.cli import main as commands

        commands.main()
    except KeyboardInterrupt:
        sys.exit(130)  # as shells count it


if __name__ == "__main__":
    main()
