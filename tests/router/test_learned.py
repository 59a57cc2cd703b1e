"""An encoder that was tuned on examples: they are fitted on, and others say how sure a router may be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pointsman import learned
from router.encoding.encoder import Encoder, Vectors, carried_folder
from router.errors import EncoderError, ExamplesError
from router.examples import RoutingExamples
from router.router import Router
from tests.router.conftest import WordEncoder


def drawn(count: int, seed: int) -> list[str]:
    """Texts that share no spelling."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(word) for word in np.random.default_rng(seed).choice(letters, (count, 12))]


TEXTS = {f"intent{k}": drawn(60, k) for k in range(3)}


class Tuned(WordEncoder):
    """What it was tuned on lies at its intent, all other texts lie anywhere."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.stack([self._vector(text) for text in texts])
        lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / lengths

    def _vector(self, text: str) -> Vectors:
        vector = np.random.default_rng(list(text.encode())).normal(size=8).astype(np.float32)
        for place, texts in enumerate(TEXTS.values()):
            if text in texts[:40]:
                vector = vector * np.float32(0.3)
                vector[place] += 1
        return vector


def test_texts_that_the_encoder_learned_say_nothing_of_how_sure_it_may_be() -> None:
    examples = RoutingExamples(TEXTS, drawn(20, 9))
    encoder = Tuned()
    fooled = Router.fit(examples, encoder)
    encoder.tuned_on = frozenset(text for texts in TEXTS.values() for text in texts[:40])
    honest = Router.fit(examples, encoder)
    assert fooled.report.recall > 0.4
    assert honest.report.recall < 0.2  # what it was not tuned on lies anywhere
    assert honest.model.calibration.temperature > 2 * fooled.model.calibration.temperature


def test_a_validation_split_is_scored_in_place_of_what_was_learned() -> None:
    encoder = Tuned()
    examples = RoutingExamples({name: texts[:40] for name, texts in TEXTS.items()}, drawn(20, 9))
    validation = RoutingExamples({name: texts[40:] for name, texts in reversed(TEXTS.items())}, drawn(9, 8))
    fooled = Router.fit(examples, encoder)
    honest = Router.fit(examples, encoder, validation=validation)
    assert fooled.report.recall > 0.9
    assert honest.report.recall < 0.2
    assert honest.model.calibration.temperature > 2 * fooled.model.calibration.temperature
    assert honest.model.texts == fooled.model.texts  # none of the split is fitted on
    assert honest.fingerprint != fooled.fingerprint


def test_a_validation_split_has_no_intent_of_its_own() -> None:
    examples = RoutingExamples({name: TEXTS[name] for name in ("intent0", "intent1")})
    with pytest.raises(ExamplesError, match=r"intent 'intent2' is in the validation split alone"):
        Router.fit(examples, WordEncoder(), validation=RoutingExamples(TEXTS))


def test_what_was_learned_is_written_and_read(tmp_path: Path) -> None:
    assert learned.read(tmp_path) == frozenset()
    learned.write(tmp_path, ["where is it", "where is it", "什么"])
    assert learned.read(tmp_path) == {learned.key("where is it "), learned.key("什么")}
    (tmp_path / learned.FILE).write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"learned\.json: not the file that"):
        learned.read(tmp_path)


def test_a_damaged_list_of_what_was_learned_is_refused(tmp_path: Path) -> None:
    for path in carried_folder().iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / learned.FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"learned\.json"):
        Encoder.load(str(tmp_path))
