"""What others do with the same encoder, in this environment: a plain classifier, and the encoder alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.bench.measured import Measured, Rates
from deploy.bench.ours import DRAWS, SHOTS
from deploy.bench.sets import Sets
from deploy.bench.timing import latency
from router.encoding.encoder import Encoder
from router.judging.evaluation import Row
from router.judging.trial import draw

STRENGTHS = (3.0, 10.0, 30.0)  # sklearn's C; the best on CLINC150's validation split is taken
STEPS = 100  # at most, of sklearn's L-BFGS
Floats = NDArray[np.float32]


def logistic(sets: Sets, model: Any, say: Callable[[str], None]) -> Measured:
    """sentence-transformers' vectors and sklearn's logistic regression, which knows no "none of them"."""

    def encode(rows: Sequence[Row]) -> Floats:
        found: Floats = model.encode(
            [row.text for row in rows], batch_size=64, normalize_embeddings=True, show_progress_bar=False
        )
        return found

    say("MiniLM + logistic regression: encoding in torch")
    train = [row for row in sets.clinc_train if row.intent is not None]
    val = [row for row in sets.clinc_val if row.intent is not None]
    vectors, val_vectors, test_vectors = encode(train), encode(val), encode(sets.clinc_test)
    fitted = {}
    for strength in STRENGTHS:
        say(f"MiniLM + logistic regression: C = {strength:g} on CLINC150")
        fitted[strength] = _fit(vectors, train, strength)
    best = max(STRENGTHS, key=lambda c: fitted[c].score(val_vectors, [row.intent for row in val]))
    chances = fitted[best].predict_proba(test_vectors)
    names = fitted[best].classes_[chances.argmax(axis=1)].tolist()
    clinc = Rates.of([row.intent for row in sets.clinc_test], names, chances.max(axis=1))

    say(f"MiniLM + logistic regression: C = {best:g} on Banking77")
    place = {row: n for n, row in enumerate(sets.banking_train)}
    vectors, test_vectors = encode(sets.banking_train), encode(sets.banking_test)
    truth = [row.intent for row in sets.banking_test]

    def accuracy(rows: Sequence[Row]) -> float:
        chosen = vectors[[place[row] for row in rows]]
        return float(_fit(chosen, rows, best).score(test_vectors, truth))

    draws = [accuracy(draw(sets.banking_train, SHOTS, seed)) for seed in range(DRAWS)]
    texts = sets.short()

    def decide(text: str) -> object:
        vector = model.encode([text], normalize_embeddings=True, show_progress_bar=False)
        return fitted[best].predict_proba(vector)

    return Measured(
        clinc=clinc,
        banking=accuracy(sets.banking_train),
        banking_shots=float(np.mean(draws)),
        short=latency(decide, texts),
    )


def torch_alone(sets: Sets, model: Any, tokens: Callable[[str], int]) -> Measured:
    """One text encoded by sentence-transformers, and nothing decided."""

    def encode(text: str) -> object:
        return model.encode([text], normalize_embeddings=True, show_progress_bar=False)

    return Measured(short=latency(encode, sets.short()), long=latency(encode, sets.long(tokens)))


def onnx_alone(sets: Sets, encoder: Encoder, tokens: Callable[[str], int]) -> Measured:
    """One text encoded by Pointsman's export in 8 bits, and nothing decided."""

    def encode(text: str) -> object:
        return encoder.encode([text])

    return Measured(short=latency(encode, sets.short()), long=latency(encode, sets.long(tokens)))


def _fit(vectors: Floats, rows: Sequence[Row], strength: float) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=STEPS).fit(vectors, [row.intent for row in rows])
