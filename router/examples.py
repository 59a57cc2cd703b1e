"""What a router is fitted on: example texts by intent, examples of what belongs to no route, a cost.

The service reads them from routes.yaml; this module knows nothing of files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pointsman.spoken import spoken
from router.errors import ExamplesError

OUT_OF_SCOPE = -1  # label of a row that belongs to no intent
DECOY = -2  # label of a row that no user would write, see router.model.decoys
WRONG_COST = 2.0
NAMED = 20  # examples of an intent, under which its name says more than nothing


@dataclass(frozen=True)
class RoutingExamples:
    """Example texts for each of ``K`` intents, and ``out_of_scope`` ones that should abstain.

    ``wrong_cost`` is that of a wrong route, where abstaining on a request that has a route costs 1; the
    threshold is chosen for it. A text that an intent has twice counts once.

    Raises:
        ExamplesError: fewer than two intents, an intent without examples, an example that is empty.
    """

    intents: Mapping[str, Sequence[str]]
    out_of_scope: Sequence[str] = field(default=())
    wrong_cost: float = WRONG_COST

    def __post_init__(self) -> None:
        intents = {name: tuple(dict.fromkeys(texts)) for name, texts in self.intents.items()}
        object.__setattr__(self, "intents", intents)
        object.__setattr__(self, "out_of_scope", tuple(dict.fromkeys(self.out_of_scope)))
        problems = [
            f"intent {name!r} has no examples; give 5 or more" for name, e in intents.items() if not e
        ]
        if len(intents) < 2:
            problems.append(f"a router needs two intents or more, found {len(intents)}")
        for name, texts in (*intents.items(), ("out_of_scope", self.out_of_scope)):
            empty = [str(i + 1) for i, text in enumerate(texts) if not text.strip()]
            if empty:
                problems.append(f"{name!r} has an empty example at place {', '.join(empty)}")
        if problems:
            raise ExamplesError(problems)

    @property
    def names(self) -> tuple[str, ...]:
        """The intents, in the order given."""
        return tuple(self.intents)

    @property
    def size(self) -> int:
        """How many texts there are, ``N``."""
        return sum(map(len, self.intents.values())) + len(self.out_of_scope)

    def with_names(self) -> RoutingExamples:
        """The same, and the name of each intent with fewer than ``NAMED`` examples behind those, as said."""
        named = {
            name: (*texts, spoken(name)) if len(texts) < NAMED and spoken(name) else texts
            for name, texts in self.intents.items()
        }
        return RoutingExamples(named, self.out_of_scope, self.wrong_cost)

    def rows(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """All ``N`` texts and their labels: the index of the intent, or ``OUT_OF_SCOPE``."""
        pairs = [(text, k) for k, texts in enumerate(self.intents.values()) for text in texts]
        pairs += [(text, OUT_OF_SCOPE) for text in self.out_of_scope]
        return tuple(text for text, _ in pairs), tuple(label for _, label in pairs)

    def rows_by(self, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """As :meth:`rows`, with the labels that the intents have in ``names``.

        Raises:
            ExamplesError: an intent is not among them.
        """
        if strange := [name for name in self.intents if name not in names]:
            raise ExamplesError(
                [f"intent {name!r} is in the validation split alone; give examples of it" for name in strange]
            )
        texts, labels = self.rows()
        places = [list(names).index(name) for name in self.intents]
        return texts, tuple(label if label < 0 else places[label] for label in labels)

    @property
    def digest(self) -> str:
        """SHA-256 over everything in here, the order included."""
        content = json.dumps(
            [list(self.intents.items()), self.out_of_scope, self.wrong_cost], ensure_ascii=True
        )
        return hashlib.sha256(content.encode()).hexdigest()
