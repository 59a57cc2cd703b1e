"""A fitted model ↔ a folder: ``router.safetensors`` for the arrays, ``router.json`` for the rest.

Nothing in it is ever executed. The JSON is written last and holds the hash of the arrays and of all that
stands in itself, so that a folder half written, or changed by hand, is not taken for whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pointsman.files import replace
from router.errors import ArtefactUnreadable
from router.learning.report import FitReport, FitWarning
from router.model.calibration import Calibration
from router.model.classifier import Gate, Linear
from router.model.features import Shares, Spelling
from router.model.fitted import FittedModel
from router.model.meaning import Meaning
from router.model.nearest import Neighbours

FORMAT = 8
ARRAYS = "router.safetensors"
MANIFEST = "router.json"


def write_fitted(folder: Path, model: FittedModel, report: FitReport, encoder: str, fingerprint: str) -> None:
    """Write ``model`` and ``report``; ``encoder`` is the identity of the one it was fitted with."""
    from safetensors.numpy import save

    arrays = save(
        {
            "labels": model.labels,
            "rows": np.ascontiguousarray(model.neighbours.rows),
            "sentences": np.ascontiguousarray(model.neighbours.sentences),
            "meaning.directions": model.meaning.directions,
            "spelling.columns": model.spelling.columns,
            "spelling.idf": model.spelling.idf,
            "spelling.places": model.spelling.places,
            "spelling.directions": model.spelling.directions,
            "spelling.scales": model.spelling.scales,
            "linear.weights": model.linear.weights,
            "linear.bias": model.linear.bias,
            "gate.mean": model.calibration.gate.mean,
            "gate.scale": model.calibration.gate.scale,
            "gate.weights": model.calibration.gate.weights,
        }
    )
    manifest = {
        "format": FORMAT,
        "encoder": encoder,
        "fingerprint": fingerprint,
        "arrays": hashlib.sha256(arrays).hexdigest(),
        "intents": model.intents,
        "texts": model.texts,
        "shares": asdict(model.shares),
        "idf_unseen": model.spelling.idf_unseen,
        "temperature": model.calibration.temperature,
        "gate_bias": model.calibration.gate.bias,
        "slope": model.calibration.slope,
        "offset": model.calibration.offset,
        "threshold": model.calibration.threshold,
        "report": asdict(report),
    }
    manifest["content"] = _content(manifest)
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / ARRAYS, arrays)
    replace(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())


def read_fitted(folder: Path) -> tuple[FittedModel, FitReport, str, str]:
    """Model, report, identity of its encoder and fingerprint.

    Raises:
        ArtefactUnreadable: something is missing, damaged or of another format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            raise ArtefactUnreadable(
                f"{folder}: format {manifest['format']}, expected {FORMAT}; fit it again"
            )
        content = (folder / ARRAYS).read_bytes()
        if hashlib.sha256(content).hexdigest() != manifest["arrays"]:
            raise ArtefactUnreadable(
                f"{folder / ARRAYS} is not the file that {MANIFEST} describes; fit it again"
            )
        if _content(manifest) != manifest["content"]:
            raise ArtefactUnreadable(f"{folder / MANIFEST} was changed after it was written; fit it again")
        return (*_fitted(manifest, load(content)), manifest["encoder"], manifest["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as exc:
        raise ArtefactUnreadable(f"{folder}: no readable router ({exc}); fit it again") from exc


def _fitted(manifest: dict[str, Any], arrays: dict[str, Any]) -> tuple[FittedModel, FitReport]:
    spelling = Spelling(
        columns=arrays["spelling.columns"],
        idf=arrays["spelling.idf"],
        idf_unseen=manifest["idf_unseen"],
        places=arrays["spelling.places"],
        directions=arrays["spelling.directions"],
        scales=arrays["spelling.scales"],
    )
    gate = Gate(arrays["gate.mean"], arrays["gate.scale"], arrays["gate.weights"], manifest["gate_bias"])
    model = FittedModel(
        intents=tuple(manifest["intents"]),
        texts=tuple(manifest["texts"]),
        labels=arrays["labels"],
        neighbours=Neighbours.of(
            arrays["rows"], arrays["sentences"], arrays["labels"], len(manifest["intents"])
        ),
        meaning=Meaning(arrays["meaning.directions"]),
        spelling=spelling,
        shares=Shares(**manifest["shares"]),
        linear=Linear(arrays["linear.weights"], arrays["linear.bias"]),
        calibration=Calibration(
            manifest["temperature"], gate, manifest["slope"], manifest["offset"], manifest["threshold"]
        ),
    )
    report = dict(manifest["report"])
    warnings = [FitWarning(w["kind"], tuple(w["intents"]), w["message"]) for w in report.pop("warnings")]
    return model, FitReport(**report, warnings=tuple(warnings))


def _content(manifest: dict[str, Any]) -> str:
    """SHA-256 over all that stands in ``manifest`` beside this."""
    rest = {name: value for name, value in manifest.items() if name != "content"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
