"""More vocabulary for a base: pieces that occur often in the new text, learned on top of its tokenizer.

Byte-pair encoding goes on where the base's tokenizer stopped: words are cut by the old merges, and the most
frequent pair of neighbours becomes a piece, again and again (Sennrich et al., arXiv:1508.07909, algorithm 1).
The new merges stand behind the old ones, so every piece can be reached, and a text is cut exactly as before
but for the new pieces: what they replace is known, and an embedding begins as the mean of those of the old
pieces.

A tokenizer of a base keeps each id that it had. Ids go on behind the last one, into rows of the embedding
that the base has but its tokenizer does not use, where there are such.
"""

from __future__ import annotations

import heapq
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import BaseError, NothingToLearn
from training.recipe import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Words where a tokenizer writes spaces as U+2581 and does not part them itself; no other has such signs.
_SPACED = re.compile("\u2581*[^\u2581\n]+|\u2581+|\n+")
_BYTE = re.compile("<0x[0-9A-F]{2}>")
LOOKED_AT = 2_000_000  # characters of the text in which it is looked whether a pair occurs often enough
_AT_ONCE = 100  # texts between two looks
Pair = tuple[str, str]
Pieces = dict[int, list[int]]  # id of a new token → the old ids that it stands for


@dataclass(slots=True)
class _Words:
    """Words as symbols, and where each pair of neighbours stands."""

    symbols: list[list[str]]
    counts: list[int]  # of each word
    pairs: Counter[Pair]
    places: dict[Pair, set[int]]  # words that hold the pair

    @classmethod
    def of(cls, cut: Iterable[tuple[list[str], int]]) -> _Words:
        words = cls([], [], Counter(), defaultdict(set))
        for symbols, count in cut:
            words.symbols.append(symbols)
            words.counts.append(count)
            words._count(len(words.counts) - 1, 1)
        return words

    def _count(self, word: int, sign: int) -> list[Pair]:
        symbols = self.symbols[word]
        found = list(pairwise(symbols))
        for pair in found:
            self.pairs[pair] += sign * self.counts[word]
            if sign > 0:
                self.places[pair].add(word)
            else:
                self.places[pair].discard(word)
        return found

    def merge(self, pair: Pair) -> set[Pair]:
        """Make ``pair`` one symbol wherever it stands; the pairs whose counts have changed."""
        changed: set[Pair] = set()
        for word in sorted(self.places[pair]):
            changed.update(self._count(word, -1))
            symbols, merged = self.symbols[word], []
            at = 0
            while at < len(symbols):
                both = tuple(symbols[at : at + 2]) == pair
                merged.append("".join(pair) if both else symbols[at])
                at += 1 + both
            self.symbols[word] = merged
            changed.update(self._count(word, 1))
        return changed


def learn(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], plan: Vocabulary) -> list[Pair]:
    """Merges that ``texts`` want behind those of ``tokenizer``; the same texts give the same ones.

    Raises:
        BaseError: the tokenizer is not of the kind that pieces can be added to.
        NothingToLearn: no pair of its tokens occurs often enough.
    """
    content = _content(tokenizer)
    known, apart = set(content["model"]["vocab"]), _apart(content["model"])
    words = _Words.of(_cut(tokenizer, texts))
    # By count, then by the symbols, so that among equal counts the order of the words decides nothing.
    queue = [(-count, pair) for pair, count in words.pairs.items()]
    heapq.heapify(queue)
    merges: list[Pair] = []
    while queue and len(merges) < plan.pieces:
        count, pair = heapq.heappop(queue)
        if -count != words.pairs[pair]:
            continue  # it has changed since, and stands in the queue again
        if -count < plan.min_count:
            break
        if "".join(pair) in known or not apart.isdisjoint(pair):
            continue
        merges.append(pair)
        known.add("".join(pair))
        for changed in words.merge(pair):
            if words.pairs[changed] > 0:
                heapq.heappush(queue, (-words.pairs[changed], changed))
    if not merges:
        raise _none(plan)
    return merges


def look(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], plan: Vocabulary) -> bool:
    """Whether ``learn`` is sure to find a piece; no: it isn't in the first characters, and there are more.

    Counts pairs of neighbours until one occurs often enough, and merges none.

    Raises:
        BaseError, NothingToLearn: as :func:`learn`.
    """
    content = _content(tokenizer)
    known, apart = set(content["model"]["vocab"]), _apart(content["model"])
    pairs: Counter[Pair] = Counter()
    read = 0
    for start in range(0, len(texts), _AT_ONCE):
        if read > LOOKED_AT:
            return False
        some = texts[start : start + _AT_ONCE]
        read += sum(map(len, some))
        for symbols, count in _cut(tokenizer, some):
            for pair in pairwise(symbols):
                pairs[pair] += count
                often = pairs[pair] >= plan.min_count
                if often and "".join(pair) not in known and apart.isdisjoint(pair):
                    return True
    raise _none(plan)


def _none(plan: Vocabulary) -> NothingToLearn:
    return NothingToLearn(
        f"vocabulary: no two neighbouring tokens occur {plan.min_count} times within a word of the new "
        "text; lower vocabulary.min_count or give more text"
    )


def save(tokenizer: PreTrainedTokenizerBase, merges: Sequence[Pair], folder: Path) -> None:
    """Write ``tokenizer`` with a piece for each of ``merges`` to ``folder``."""
    from tokenizers import Tokenizer

    content = _content(tokenizer)
    vocabulary, old = content["model"]["vocab"], content["model"]["merges"]
    first = max(vocabulary.values()) + 1
    for number, (left, right) in enumerate(merges):
        vocabulary[left + right] = first + number
    content["model"]["merges"] = [*map(_pair, old), *merges]
    tokenizer.save_pretrained(folder)
    Tokenizer.from_str(json.dumps(content)).save(str(folder / "tokenizer.json"))


def pieces(old: PreTrainedTokenizerBase, new: PreTrainedTokenizerBase) -> Pieces:
    """What each new token of ``new`` stands for in ``old``; empty where both are the same."""
    before, after = _model(old), _model(new)
    known, ids = before["vocab"], after["vocab"]
    found: Pieces = {}
    for left, right in map(_pair, after["merges"][len(before["merges"]) :]):
        found[ids[left + right]] = [
            piece for side in (left, right) for piece in found.get(ids[side]) or [known[side]]
        ]
    return found


def _model(tokenizer: Any) -> dict[str, Any]:
    model: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    return model


def _pair(merge: Any) -> Pair:
    """A merge as ``tokenizer.json`` has it: two symbols, or both in one text in older files."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def _content(tokenizer: Any) -> dict[str, Any]:
    """``tokenizer.json`` as an object, every added token in the model's vocabulary too.

    Behind the vocabulary's end an added token would get another id as the vocabulary grows.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    content: dict[str, Any] = json.loads(backend.to_str()) if backend else {"model": {"type": "slow"}}
    model = content["model"]
    marked = model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")
    if model["type"] != "BPE" or marked:
        kind = f"BPE that marks words by {marked!r}" if marked else model["type"]
        raise BaseError(
            f"vocabulary: the base's tokenizer is of the kind {kind}; pieces can be added to plain BPE "
            "alone, which Llama, Qwen, Mistral and Gemma have. Leave vocabulary out"
        )
    for token in content["added_tokens"]:
        model["vocab"].setdefault(token["content"], token["id"])
    return content


def _cut(tokenizer: Any, texts: Iterable[str]) -> Iterable[tuple[list[str], int]]:
    """Each word of ``texts`` as the tokenizer's symbols, and how often it occurs; in a fixed order."""
    backend = tokenizer.backend_tokenizer
    counts: Counter[str] = Counter()
    for text in texts:
        normal = backend.normalizer.normalize_str(text) if backend.normalizer else text
        parted = backend.pre_tokenizer.pre_tokenize_str(normal) if backend.pre_tokenizer else [(normal, ())]
        for words, _ in parted:
            counts.update(_SPACED.findall(words))
    for word, count in sorted(counts.items()):
        yield [token.value for token in backend.model.tokenize(word)], count


def _apart(model: dict[str, Any]) -> set[str]:
    """Symbols that no piece may hold: what stands for the unknown, and bytes that are spelled out."""
    spelled = (
        {symbol for symbol in model["vocab"] if _BYTE.fullmatch(symbol)} if model["byte_fallback"] else set()
    )
    return spelled | {model["unk_token"]} - {None}


def grow(model: PreTrainedModel, found: Pieces) -> None:
    """Give ``model`` a row of its embeddings for each new token, the mean of those of its old pieces.

    Input and output have each its own mean; where they are one matrix (tied), they stay one.
    """
    import torch

    rows = max(found, default=-1) + 1
    if rows > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(rows, mean_resizing=False)
    read, said = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    with torch.no_grad():
        for matrix in (read,) if said is read else (read, said):
            for row, old in found.items():
                matrix[row] = matrix[old].mean(0)
