"""A model of sentence-transformers → two ONNX files for :mod:`router.encoding.session`, in another process.

One file encodes for routing, in 8 bits; the other gives the model's own vectors in full precision. They are
named by the content of the model's files, so that whoever looks for them needs no torch. The gateway runs

    python -m router.encoding.exporting SOURCE FOLDER

and goes on without what the export has cost: several hundred megabytes. The last line that it prints is JSON:
``{"made": PATH}``, ``{"refused": REASON}`` where it can't be exported, ``{"error": MESSAGE}`` where it can't
even be loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from router.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PATH = "onnx-int8-6"  # names how vectors are made: to be changed with the export
_CODE = ("depths.py", "export.py", "exporting.py", "rounding.py")  # that an export follows from
_PASSED_OVER = {"onnx", "openvino"}  # folders of other exports


class Refused(Exception):
    """The model can't be exported; the message says why."""


def find(source: str, folder: Path) -> Path | None:
    """Where in ``folder`` the export of ``source`` belongs; None for a hub id that is not kept here."""
    files = _files(source)
    if files is None:
        return None
    digest = hashlib.sha256()
    code = [Path(__file__).with_name(name) for name in _CODE]
    for path in code + sorted(path for path in files.rglob("*") if _counts(path.relative_to(files), path)):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return folder / f"encoder-{digest.hexdigest()[:16]}-{PATH}.onnx"


def own_vectors_of(path: Path) -> Path:
    """Where the export of the model's own vectors is, beside that for routing."""
    return path.with_name(path.name.replace(PATH, "onnx-fp32"))


def make(source: str, folder: Path) -> Path:
    """Export ``source`` into ``folder`` in another process, and say where it is.

    Raises:
        Refused: it can't be exported.
        EncoderError: it can't be loaded.
    """
    paths = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
    done = subprocess.run(
        [sys.executable, "-m", "router.encoding.exporting", source, str(folder.absolute())],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    try:
        said = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip() or "nothing said").splitlines()[-1]
        raise Refused(f"its process ended with status {done.returncode}: {last}") from None
    if "error" in said:
        raise EncoderError(said["error"])
    if "refused" in said:
        raise Refused(said["refused"])
    return Path(said["made"])


def write(model: SentenceTransformer, path: Path) -> None:
    """Export ``model`` to ``path`` and beside it, checked; each file is there at once or not at all.

    Raises whatever torch's exporter and ONNX Runtime do where they can't.
    """
    from router.encoding.depths import deepened
    from router.encoding.export import export
    from router.encoding.session import INPUTS, MOST, PROBES, About, Session
    from router.encoding.transformer import backend_tokenizer, content_hash, inner_columns

    if model.default_prompt_name is not None:
        raise ValueError(f"it puts the prompt {model.default_prompt_name!r} before every text")
    tokenizer = backend_tokenizer(model)
    if tokenizer is None:
        raise ValueError("its tokenizer is written in Python")
    features = model.preprocess([PROBES[0]])
    names = [name for name, value in features.items() if name in INPUTS and value is not None]
    deep = deepened(model)
    identity = hashlib.sha256(f"{content_hash(deep)} {PATH}".encode()).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    own = int(model.encode(PROBES[0], show_progress_bar=False).shape[-1])
    for target, exported, rounded in ((own_vectors_of(path), model, False), (path, deep, True)):
        inner, longest = inner_columns(exported), int(model.max_seq_length)
        exported.max_seq_length = min(MOST, longest) if rounded else longest  # as much as is read
        vectors = exported.encode(list(PROBES), normalize_embeddings=rounded, show_progress_bar=False)
        exported.max_seq_length = longest
        about = About(identity, inner, own, longest, tokenizer, vectors.tolist())
        content = export(exported, names, features["input_ids"], rounded=rounded, about=about.text)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            partial.write_bytes(content)
            Session(partial, threads=1, whole=not rounded)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def _files(source: str) -> Path | None:
    if Path(source).is_dir():
        return Path(source)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def _counts(inside: Path, path: Path) -> bool:
    hidden = any(part.startswith(".") or part in _PASSED_OVER for part in inside.parts)
    return not hidden and path.is_file()


def _main(source: str, folder: Path) -> dict[str, str]:
    from router.encoding.transformer import load_model

    try:
        model = load_model(source, source)
    except EncoderError as exc:
        return {"error": str(exc)}
    path = find(source, folder) or folder / f"encoder-unnamed-{os.getpid()}-{PATH}.onnx"
    try:
        write(model, path)
    except Exception as exc:  # torch's exporter and ONNX Runtime raise whatever their parts raise
        return {"refused": (str(exc).strip() or type(exc).__name__).splitlines()[0]}
    return {"made": str(path)}


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.TextIOWrapper(sys.stderr.buffer, write_through=True)):
        result = _main(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps(result))
