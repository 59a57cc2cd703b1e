"""``python -m pointsman``, the same as ``pointsman``."""

from pointsman.cli.__main__ import main

if __name__ == "__main__":
    main()
