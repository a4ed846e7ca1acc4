"""Says at a terminal which database an error is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bot.cli.output import one_line
from bot.cli.settings import Settings
from bot.errors import StoreError


def is_chosen(settings: Settings) -> bool:
    """Return whether somebody has set which database it is."""
    return "database_url" in settings.model_fields_set


def place_of(settings: Settings) -> str:
    """Return where the database is, without a password, and whether somebody has said so."""
    file = settings.database_file
    found = _server(settings.database_url) if file is None else str(Path(file).absolute())
    unset = "" if is_chosen(settings) else " (STOPSTREAM_DATABASE_URL is not set)"
    return one_line(found) + unset


def _server(url: str) -> str:
    """Return host and name of a database, and nothing of what may hold a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "of STOPSTREAM_DATABASE_URL"
    return f"{parts.hostname or ''}{parts.path}"


@contextmanager
def naming_database(settings: Settings) -> Iterator[None]:
    """Let the errors of the store say which database they are about."""
    try:
        yield
    except StoreError as error:
        error.place = place_of(settings)
        raise


def sentence_of(error: StoreError) -> str:
    """Return what is wrong with which database, as one line."""
    return one_line(f"the database {error.place}".rstrip() + f": {error}")
