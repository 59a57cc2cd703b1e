"""Passages and their vectors, which are kept in a folder and made once for each text.

FAISS searches them exactly (``IndexFlatIP``): that takes a millisecond for thousands of passages, and an
approximate index would have to be trained anew whenever the documents change.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chains.passages import SUFFIXES, Passage, passages_in
from chains.resources import TextEncoder, Vectors
from pointsman.files import replace

log = logging.getLogger("pointsman.documents")

_FORMAT = 1
_VECTORS = "index.safetensors"
_MANIFEST = "index.json"


@dataclass(frozen=True, slots=True)
class Found:
    """A passage and how near it is to what was asked: a cosine."""

    passage: Passage
    score: float
    paragraph: str  # of the passage, with the sentence that is nearest


class PassageIndex:
    """Passages, and one vector for each of their views."""

    def __init__(
        self, passages: Sequence[Passage], vectors: Mapping[str, Vectors], unreadable: Sequence[str] = ()
    ) -> None:
        """``vectors`` holds the vector ``(H,)``, of length 1, of each view of each of the passages."""
        import faiss

        self.unreadable = tuple(unreadable)  # a sentence for each document that is not in it
        self.passages = tuple(passages)
        views = [passage.views for passage in passages]
        self._ends = np.cumsum([0, *(len(some) for some in views)])  # (N + 1,) first view of each, and V
        self._passage = np.repeat(np.arange(len(views)), np.diff(self._ends))  # (V,) whose view it is
        rows = np.array([vectors[view] for some in views for view in some], dtype=np.float32)  # (V, H)
        self._index = faiss.IndexFlatIP(rows.shape[1] if passages else 1)
        if passages:
            self._index.add(rows)

    @classmethod
    def synced(cls, documents: Path, encoder: TextEncoder, folder: Path) -> PassageIndex:
        """The index of the files in ``documents``, whose vectors are kept in ``folder``; blocks.

        Only what has no vector yet is encoded.

        Raises:
            DocumentsUnreadable: there are documents, and none of them can be read.
        """
        library = passages_in(documents)
        passages = library.passages
        for problem in library.unreadable:
            log.warning("%s; the other documents are served", problem)
        if library.others:
            _warn(documents, library.others)
        views = list(dict.fromkeys(view for passage in passages for view in passage.views))
        kept = _kept(folder, encoder.identity)
        new = [view for view in views if _key(view) not in kept]
        made = dict(zip(new, encoder.encode(new), strict=True)) if new else {}
        vectors = {view: made[view] if view in made else kept[_key(view)] for view in views}
        if new or len(kept) > len(views):
            _keep(folder, encoder.identity, vectors)
            log.info(
                "%s: %d passages; %d of %d vectors are new", documents, len(passages), len(new), len(views)
            )
        return cls(passages, vectors, library.unreadable)

    def search(self, queries: Vectors, most: int, threshold: float) -> list[Found]:
        """The ``most`` passages nearest to any of ``queries`` ``(Q, H)``, none below ``threshold``."""
        if not self.passages:
            return []
        below = np.nextafter(np.float32(threshold), np.float32(-np.inf))  # FAISS leaves out the bound itself
        _, found, views = self._index.range_search(queries, float(below))
        scores = np.full(len(self.passages), -np.inf, dtype=np.float32)
        np.maximum.at(scores, self._passage[views], found)
        best = np.argsort(-scores, kind="stable")[:most]
        return [self._found(row, float(scores[row]), queries) for row in best if np.isfinite(scores[row])]

    def _found(self, row: int, score: float, queries: Vectors) -> Found:
        passage, first, end = self.passages[row], int(self._ends[row]) + 1, int(self._ends[row + 1])
        if first == end:  # a heading without a sentence
            return Found(passage, score, passage.paragraph(0))
        sentences = self._index.reconstruct_n(first, end - first)  # (S, H)
        return Found(passage, score, passage.paragraph(int((sentences @ queries.T).max(axis=1).argmax()) + 1))


def _warn(documents: Path, others: Sequence[str]) -> None:
    """Name the files that are not read."""
    names = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
    kinds = " or ".join(SUFFIXES)
    log.warning("%s: %d files are not read, as they are not %s: %s", documents, len(others), kinds, names)
    if any(name.lower().endswith(".pdf") for name in others):
        log.warning("%s: a PDF is read where pypdf is installed beside the gateway", documents)


def _key(view: str) -> str:
    return hashlib.sha256(view.encode()).hexdigest()


def _keep(folder: Path, encoder: str, vectors: Mapping[str, Vectors]) -> None:
    from safetensors.numpy import save

    content = save({"vectors": np.array(list(vectors.values()))})
    manifest = {
        "format": _FORMAT,
        "encoder": encoder,
        "vectors": hashlib.sha256(content).hexdigest(),
        "keys": [_key(view) for view in vectors],
    }
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / _VECTORS, content)
    replace(folder / _MANIFEST, json.dumps(manifest, indent=1).encode())


def _kept(folder: Path, encoder: str) -> dict[str, Vectors]:
    """The vectors in ``folder`` by key, if ``encoder`` made them; what can't be read is made anew."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        content = (folder / _VECTORS).read_bytes()
        told = (manifest["format"], manifest["encoder"], manifest["vectors"])
        if told != (_FORMAT, encoder, hashlib.sha256(content).hexdigest()):
            return {}
        return dict(zip(manifest["keys"], load(content)["vectors"], strict=True))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as exc:
        log.warning("%s is no readable index (%s); it is made anew", folder, exc)
        return {}
