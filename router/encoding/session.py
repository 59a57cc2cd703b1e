"""An exported encoder at work: one text at a time through ONNX Runtime, without torch.

A text's vector depends on nothing but the text: activations are rounded by their own range, and texts in one
batch would share theirs. An export holds all that is needed beside its graph, torch's vectors of some texts
included: it is used only if its own agree with them. :mod:`router.encoding.exporting` writes it.

A long text is routed by its two ends: what it is about stands there, and attention costs the square of what
it reads.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LEAST_COSINE = 0.95  # to torch's vector of each probe; 0.98 and more for the carried encoder
PROBES = (
    "Where is my parcel PX482913? It should have been here on Tuesday.",
    "what's 12.5 + 30",
    "我的包裹在哪里？",
    "Ünïcode, emoji 😀 and CAPITALS",
    "a long text that has to be cut " * 60,
)
MOST = 192  # tokens of a text that routing reads, a quarter of them from its end
KEY = "pointsman"  # of the metadata in the file
INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class About:
    """What an export says of itself."""

    identity: str  # of the model behind it and of how it was exported
    inner: int  # columns of a vector, the last ones, that are an inner layer's
    own_dimension: int  # columns of the model's own vectors
    max_tokens: int  # of a text; the rest is cut
    tokenizer: str  # JSON of the package tokenizers
    probes: list[list[float]]  # torch's vectors of PROBES

    @classmethod
    def read(cls, content: str) -> About:
        """What :attr:`text` wrote."""
        return cls(**json.loads(content))

    @property
    def text(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))


class Session:
    """Text → vector. Any thread may call it."""

    def __init__(self, path: Path, threads: int, *, whole: bool = False) -> None:
        """Open the export at ``path``; ``whole`` reads a text as far as its model can.

        Raises whatever ONNX Runtime does where it is damaged, and ``ValueError`` where its vectors are wrong.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        # one text at a time is nothing to share: it would wake a thread for every core
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.about = About.read(self._session.get_modelmeta().custom_metadata_map[KEY])
        self._inputs = [(given.name, INPUTS[given.name]) for given in self._session.get_inputs()]
        self._outputs = [given.name for given in self._session.get_outputs()]
        self._tokenizer = Tokenizer.from_str(self.about.tokenizer)
        self._tokenizer.no_padding()
        self._whole = whole
        self._tokenizer.no_truncation()
        if whole:
            self._tokenizer.enable_truncation(self.about.max_tokens)
        most = min(MOST, self.about.max_tokens)
        self._head, self._tail = most - most // 4, most // 4
        self._check()

    def encode(self, text: str) -> Vectors:
        """``(H,)``."""
        encoding = self._tokenizer.encode_batch_fast([text])[0]  # in a batch, other threads of Python run
        inputs = {name: np.array([getattr(encoding, what)], np.int64) for name, what in self._inputs}
        if not self._whole and len(encoding) > self._head + self._tail:
            ends = np.r_[: self._head, -self._tail : 0]
            inputs = {name: values[:, ends] for name, values in inputs.items()}
        vector: Vectors = self._session.run(self._outputs, inputs)[0][0]
        return vector

    def encode_all(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)``, one text at a time."""
        return np.array([self.encode(text) for text in texts])

    def _check(self) -> None:
        expected = np.array(self.about.probes)
        found = self.encode_all(PROBES)
        lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
        least = float(((found * expected).sum(axis=1) / lengths).min())
        if not least >= LEAST_COSINE:
            raise ValueError(f"its vectors differ from torch's: cosine {least:.3f}, {LEAST_COSINE} is needed")
