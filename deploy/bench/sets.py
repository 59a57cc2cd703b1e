"""The public sets, and the texts that are timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from router.judging.evaluation import Row, read_rows

SHORT = range(10, 16)  # words of a text that is timed
TIMED = 300  # short texts
TIMED_LONG = 50
LONG = 500  # tokens of a long one


@dataclass(frozen=True)
class Sets:
    """Rows of CLINC150 (full) and Banking77, as `pointsman eval router` reads them."""

    clinc_train: Sequence[Row]
    clinc_val: Sequence[Row]
    clinc_test: Sequence[Row]
    banking_train: Sequence[Row]
    banking_test: Sequence[Row]

    @classmethod
    def read(cls, folder: Path) -> Sets:
        """``folder`` holds ``clinc150/{train,val,test}.jsonl`` and ``banking77/{train,test}.jsonl``.

        Raises:
            RowsError: one is missing or has a bad row.
        """
        clinc = [read_rows(folder / "clinc150" / f"{split}.jsonl") for split in ("train", "val", "test")]
        banking = [read_rows(folder / "banking77" / f"{split}.jsonl") for split in ("train", "test")]
        return cls(*clinc, *banking)

    def short(self) -> list[str]:
        """Test rows of CLINC150 of the length that is timed, spread over the set."""
        fit = [row.text for row in self.clinc_test if len(row.text.split()) in SHORT]
        return fit[:: max(1, len(fit) // TIMED)][:TIMED]

    def long(self, tokens: Callable[[str], int]) -> list[str]:
        """Texts of ``LONG`` tokens, made of test rows; ``tokens`` counts those of a text."""
        made: list[str] = []
        rows = cycle(self.clinc_test)
        while len(made) < TIMED_LONG:
            text = next(rows).text
            while tokens(text) < LONG:
                text = f"{text}. {next(rows).text}"
            made.append(text)
        return made
