"""Signatures of artefacts: who vouches for the bytes. Ed25519 (RFC 8032) over the hashes of the three files.

``signature.json`` lies beside them and holds the public key and the signature, both in hex. A key alone says
nothing: who checks has a list of keys that it trusts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pointsman.artefact import (
    CONFIG,
    MANIFEST,
    SIGNATURE,
    WEIGHTS,
    ArtefactError,
    sha256_file,
    write_atomically,
)

_WHAT = b"pointsman artefact 1\0"  # a signature of anything else with the same key is none of an artefact


class SigningError(ValueError):
    """A key or a signature that can't be used; says which file and why."""


def make_key(path: Path) -> str:
    """Write a new private key (PKCS #8, PEM) that only its owner may read; the public key in hex.

    Raises:
        SigningError: there is a file already, or it can't be written.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SigningError(f"{path} is there already; a key is never written over") from None
    except OSError as exc:
        raise SigningError(f"{path}: can't be written: {exc.strerror}") from exc
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return key.public_key().public_bytes_raw().hex()


def sign(folder: Path, key_file: Path) -> str:
    """Sign the artefact in ``folder``; the public key in hex. The same bytes get the same signature.

    Raises:
        SigningError: the key can't be read, or is none.
        ArtefactError: a file of the artefact can't be read.
    """
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except OSError as exc:
        raise SigningError(f"{key_file}: can't be read: {exc.strerror}") from exc
    except (ValueError, TypeError) as exc:
        raise SigningError(f"{key_file}: is no private key in PEM without a password") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(
            f"{key_file}: is a key of another kind; pointsman adapters key makes an ed25519 one"
        )
    public = key.public_key().public_bytes_raw().hex()
    content = {"key": public, "signature": key.sign(_message(folder)).hex()}
    write_atomically(folder / SIGNATURE, json.dumps(content).encode() + b"\n")
    return public


def signer(folder: Path) -> str | None:
    """The public key in hex whose signature the artefact in ``folder`` has; None where it has none.

    Raises:
        SigningError: what it has is no signature of these bytes.
        ArtefactError: a file of the artefact can't be read.
    """
    path = folder / SIGNATURE
    try:
        content = json.loads(path.read_bytes())
        public, signature = bytes.fromhex(content["key"]), bytes.fromhex(content["signature"])
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _message(folder))
    except FileNotFoundError:
        return None
    except InvalidSignature:
        raise SigningError("the signature is not of these bytes; sign it again once they are right") from None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise SigningError(f"is no signature ({exc}); pointsman adapters sign makes one") from exc
    return public.hex()


def mistrust(folder: Path, trusted: Collection[str]) -> str:
    """Why the artefact in ``folder`` may not be served by who trusts only these keys; "" if it may.

    Raises:
        ArtefactError: a file of the artefact can't be read.
    """
    if not trusted:
        return ""
    try:
        found = signer(folder)
    except SigningError as exc:
        return str(exc)
    if found is None:
        return "no such file, and only signed artefacts are served here: pointsman adapters sign"
    if found not in trusted:
        return f"signed by {found[:16]}..., which is not among adapters.trusted_keys"
    return ""


def _message(folder: Path) -> bytes:
    hashes = []
    for name in (WEIGHTS, CONFIG, MANIFEST):
        if not (folder / name).is_file():
            raise ArtefactError(f"{folder / name}: no such file, so there is nothing to sign")
        hashes.append(bytes.fromhex(sha256_file(folder / name)))
    return _WHAT + b"".join(hashes)
