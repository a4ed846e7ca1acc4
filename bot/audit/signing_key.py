"""The key that signs the audit log: from the environment, a file, or created at first start."""

import base64
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from bot.audit.checkpoints import SEED, Signer, seed
from bot.errors import ConfigError
from bot.files import read_regular_file

_LARGEST = 4096
"""Bytes of the file of a key."""

_FILE = "STOPSTREAM_AUDIT_KEY_FILE: "


def load_signer(given: SecretStr | None, file: Path) -> Signer:
    """Return the signer; a key that is created is on disk before it is used.

    Args:
        given: The key in the environment, which takes precedence.
        file: The file of the key otherwise, readable by its owner only.

    Raises:
        ConfigError: The file cannot be read, written or used.
    """
    if given is not None:
        return Signer(seed(given.get_secret_value()))
    try:
        return _read(file)
    except FileNotFoundError:
        return _create(file)
    except OSError as error:
        raise ConfigError([f"{_FILE}{file}: {error.strerror or error}"]) from None


def load_public_key(given: SecretStr | None, file: Path) -> str:
    """Return the public key, or an empty text if there is no key yet; creates none.

    Raises:
        ConfigError: The file cannot be used.
    """
    if given is None and not file.exists():
        return ""
    return load_signer(given, file).public


def _read(file: Path) -> Signer:
    try:
        return Signer(seed(read_regular_file(file, _LARGEST).decode("ascii")))
    except ValueError:
        raise ConfigError([f"{_FILE}{file}: holds no key; 32 bytes in base64"]) from None


def _create(file: Path) -> Signer:
    """Create a key; of several replicas that start at once, one does and the others read it."""
    text = base64.b64encode(secrets.token_bytes(SEED)).decode() + "\n"
    draft = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        try:
            # A link fails if the file exists; a rename would replace another replica's key.
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        why = f"cannot be made: {error.strerror or error}; or set STOPSTREAM_AUDIT_KEY"
        raise ConfigError([f"{_FILE}{file}: {why}"]) from None
    return _read(file)
