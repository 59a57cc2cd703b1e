"""Takes what names a person out of texts that are kept: addresses, numbers, keys, and what settings add.

It finds forms, not meanings: a name or a street stays, unless a pattern of the settings matches it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_FORMS = (
    ("email", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("key", re.compile(r"\b(?:sk|pk|ghp|hf|xox[bp])[-_][A-Za-z0-9_-]{12,}")),
    ("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("address", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")),
    # a telephone or a card: at least nine digits with single spaces, hyphens or dots between them
    ("number", re.compile(r"(?<![\w+])\+?\(?\d(?:[ .()-]{0,2}\d){8,}(?!\w)")),
)


class Redaction:
    """Replaces what it finds by the form's name in brackets."""

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """``patterns`` are regular expressions; what they match becomes ``[redacted]``."""
        self._forms = (*(("redacted", re.compile(pattern)) for pattern in patterns), *_FORMS)

    def of(self, value: Any) -> Any:
        """``value``, JSON as Python has it, with every text in it redacted; keys of objects stay."""
        if isinstance(value, str):
            for name, form in self._forms:
                value = form.sub(f"[{name}]", value)
            return value
        if isinstance(value, Mapping):
            return {key: self.of(one) for key, one in value.items()}
        return [self.of(one) for one in value] if isinstance(value, list | tuple) else value
