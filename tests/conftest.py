"""What every test may use."""

from tests.e2e.demo import demo

__all__ = ["demo"]
