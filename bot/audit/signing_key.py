"""The key that seals the trail: from the environment, from a file, or made at the first start."""

import base64
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from bot.audit.checkpoints import SEED, Signer, seed
from bot.errors import ConfigError

_FILE = "STOPSTREAM_AUDIT_KEY_FILE: "


def load_signer(given: SecretStr | None, file: Path) -> Signer:
    """Give the key; one that is made is on disk before it is used.

    Args:
        given: What the environment says; it wins.
        file: Where it lies otherwise, readable for its owner alone.

    Raises:
        ConfigError: The file cannot be read, written or used.
    """
    if given is not None:
        return Signer(seed(given.get_secret_value()))
    try:
        return _read(file)
    except FileNotFoundError:
        return _made(file)
    except OSError as error:
        raise ConfigError([f"{_FILE}{file}: {error.strerror or error}"]) from None


def load_public_key(given: SecretStr | None, file: Path) -> str:
    """Give the public key, or nothing where there is no key yet; makes none.

    Raises:
        ConfigError: The file cannot be used.
    """
    if given is None and not file.exists():
        return ""
    return load_signer(given, file).public


def _read(file: Path) -> Signer:
    try:
        return Signer(seed(file.read_text(encoding="ascii")))
    except ValueError:
        raise ConfigError([f"{_FILE}{file}: holds no key; 32 bytes in base64"]) from None


def _made(file: Path) -> Signer:
    """Make a key; of several that start at once, one does, and the others read it."""
    text = base64.b64encode(secrets.token_bytes(SEED)).decode() + "\n"
    draft = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        try:
            # A link fails where a file is; a rename would put ours over another's.
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        why = f"cannot be made: {error.strerror or error}; or set STOPSTREAM_AUDIT_KEY"
        raise ConfigError([f"{_FILE}{file}: {why}"]) from None
    return _read(file)
