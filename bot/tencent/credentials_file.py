"""The official credentials file, read again when it changes.

Source: https://www.tencentcloud.com/document/product/1278/46715
"""

import configparser
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import structlog

from bot.errors import ConfigError
from bot.files import read_regular_file
from bot.tencent.credentials import Credentials, complete_pair

log = structlog.get_logger("stopstream.tencent")

_LARGEST = 1 << 16
"""Bytes of the file."""

_SETTLED = 2.0
"""Seconds after its last change for which a file is read each time.

A second change within one tick of the file system's clock leaves no trace in its times.
"""

_Version: TypeAlias = tuple[int, ...]


class CredentialsFile:
    """The key in a file; while the file cannot be used, the last one that could.

    Under `[default]` it has `secret_id` and `secret_key`, and `token` where the key is temporary:
    the official chain reads none, but what writes such a key anew could not hand it over otherwise.

    Args:
        clock: Epoch seconds.

    Raises:
        ConfigError: The file cannot be read, or the key in it is incomplete.
        FileNotFoundError: There is no file, or no key in it.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.origin = str(path)
        self._path = path
        self._clock = clock
        self._version = self._stat()
        self._key = self._read()

    @property
    def until(self) -> None:
        """Return None: a file does not tell."""

    async def get(self) -> Credentials:
        """Return the key as the file has it now."""
        version = self._stat()
        if version != self._version or not self._is_settled(version):
            self._refresh(version)
        return self._key

    async def replace(self, refused: Credentials) -> Credentials | None:
        """Return the key of the file, read anew, if it is another than the refused one."""
        self._refresh(self._stat())
        return None if self._key == refused else self._key

    def _refresh(self, version: _Version) -> None:
        try:
            key = self._read()
        except (ConfigError, FileNotFoundError) as error:
            # Logged once for each version of the file; one in the middle of a write is another
            # version when it is whole.
            if version != self._version:
                log.warning("the last key is kept", why=str(error))
        else:
            if key != self._key:
                log.info("the key is read again", origin=self.origin)
            self._key = key
        self._version = version

    def _stat(self) -> _Version:
        """Return what changes when the file is rewritten or replaced; empty if there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _is_settled(self, version: _Version) -> bool:
        return not version or self._clock() - version[-1] / 1e9 > _SETTLED

    def _read(self) -> Credentials:
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(read_regular_file(self._path, _LARGEST).decode())
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(f"{self._path}: does not exist") from None
        except OSError as error:
            raise ConfigError([f"{self._path}: {error.strerror or error}"]) from None
        except (UnicodeDecodeError, configparser.Error):
            raise ConfigError([f"{self._path}: is not a readable credentials file"]) from None
        section = parser["default"] if parser.has_section("default") else {}
        names = (f"{self._path}: secret_id", f"{self._path}: secret_key")
        pair = complete_pair(section.get("secret_id", ""), section.get("secret_key", ""), names)
        if pair is None:
            raise FileNotFoundError(f"{self._path}: has no key under [default]")
        return Credentials(*pair, section.get("token", "").strip())


def find(path: str) -> CredentialsFile | None:
    """Return the key of a file; None if the file, or a key in it, is not there.

    Raises:
        ConfigError: See CredentialsFile.
    """
    try:
        return CredentialsFile(Path(path).expanduser())
    except FileNotFoundError:
        return None
    except RuntimeError:
        # A user without a home, as in a container.
        return None
