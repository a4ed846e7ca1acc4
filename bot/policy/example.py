"""The example policy as shipped, which `stopstream policy init` copies."""

from pathlib import Path

from bot.errors import ConfigError

NAME = "policy.example.yml"


def read() -> str:
    """Return its text: from next to this module when installed, from the top of a checkout.

    Raises:
        ConfigError: There is none.
    """
    here = Path(__file__).parent
    for file in (here / NAME, here.parent.parent / NAME):
        if file.is_file():
            return file.read_text()
    raise ConfigError([f"{NAME}: is missing from this installation"])
