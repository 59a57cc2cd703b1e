"""The formats of texts that an answer is checked for; all others say nothing to the check.

Those of jsonschema that do not depend on what else is installed, and ``regex`` as patterns are read here.
"""

from __future__ import annotations

from jsonschema import FormatChecker

from chains.schemas.unreadable import unreadable

CHECKED = frozenset({"date", "email", "idn-email", "ipv4", "ipv6", "regex", "uuid"})


def format_checker() -> FormatChecker:
    """One that knows ``CHECKED``."""
    checker = FormatChecker(formats=CHECKED)
    checker.checks("regex")(_is_regex)
    return checker


def _is_regex(value: object) -> bool:
    return not isinstance(value, str) or unreadable(value) is None
