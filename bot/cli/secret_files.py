"""Settings in files, one each by its name, as Docker, Kubernetes and systemd hand over secrets."""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from bot.cli.setting_problems import Unreadable
from bot.errors import ConfigError
from bot.files import read_regular_file

FOLDER = "STOPSTREAM_SECRETS_DIR"

DEFAULT = Path("/run/secrets")
"""Where Docker puts them."""

_NO_FOLDER = "is not a folder that this user may look into"

_MOST = 65_536


def secrets_folder() -> Path | None:
    """Return the folder whose files hold settings; None if there is none.

    Raises:
        ConfigError: The environment names one that is not there, or this user may not look into it.
    """
    named = os.environ.get(FOLDER, "")
    folder = Path(named) if named else DEFAULT
    # One that this user may not look into would hide every file, each as if it were not set.
    if os.access(folder, os.X_OK) and folder.is_dir():
        return folder
    if named or os.access(folder, os.F_OK):
        raise ConfigError([f"{FOLDER if named else DEFAULT}: {_NO_FOLDER}"])
    return None


def read_secret(folder: Path, name: str) -> str | None:
    """Return the content of a setting's file, without the end of its last line; None if absent.

    Raises:
        ConfigError: It cannot be read, is larger than 64 KB, or is not a text.
    """
    try:
        content = read_regular_file(folder / name, _MOST).decode()
    except FileNotFoundError:
        if (folder / name).is_symlink():
            raise ConfigError([f"{name}: its file in {FOLDER}: leads to no file"]) from None
        return None
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ConfigError([f"{name}: its file in {FOLDER}: {why}"]) from None
    return content.rstrip("\r\n")


def variable(name: str) -> str | None:
    """Return the value of a variable that the policy names: the environment's, else the file's.

    Raises:
        ConfigError: The file cannot be read.
    """
    if value := os.environ.get(name):
        return value
    folder = secrets_folder()
    return read_secret(folder, name) if folder else None


class SecretFiles(PydanticBaseSettingsSource):
    """Reads settings from the files of the folder; the environment wins over them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of one setting, its name in the environment, and that it is no JSON."""
        name = field.alias or field_name
        folder = secrets_folder()
        return (read_secret(folder, name) if folder else None), name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values that are there, by their names in the environment.

        What cannot be read is `Unreadable`, which is refused where the environment has no value.

        Raises:
            ConfigError: The folder cannot be looked into.
        """
        secrets_folder()
        found = dict[str, Any]()
        for field_name, field in self.settings_cls.model_fields.items():
            try:
                value, name, _ = self.get_field_value(field, field_name)
            except ConfigError as error:
                name = field.alias or field_name
                value = Unreadable(error.problems[0].removeprefix(f"{name}: "))
            found |= {name: value} if value else {}
        return found
