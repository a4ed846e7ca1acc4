"""The settings of notices from outside: a secret for each source, and where its alerts go."""

import re
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

_SHORTEST = 16
"""Characters of a secret, at least: it is all that keeps strangers out."""

_HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)+")

_MOST = 2
"""Secrets of one source at once: the new one and the one before it."""


class HookSettings(BaseSettings):
    """The settings of the routes `/hooks/…`; one without its secret does not exist."""

    alertmanager_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        alias="STOPSTREAM_ALERTMANAGER_SECRET",
        description="Opens `/hooks/alertmanager`, for Alertmanager and Grafana: the bearer token, "
        "or the password of basic authentication. Two with a comma between while it is replaced.",
    )
    pagerduty_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        alias="STOPSTREAM_PAGERDUTY_SECRET",
        description="Opens `/hooks/pagerduty`: the signing secret of the webhook (v3). Two with a "
        "comma between.",
    )
    generic_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        alias="STOPSTREAM_GENERIC_SECRET",
        description="Opens `/hooks/generic`, whose form docs/alerts.md has: the key of its "
        "signature, or its bearer token. Two with a comma between.",
    )
    alert_channel: str = Field(
        "",
        alias="STOPSTREAM_ALERT_CHANNEL",
        pattern=r"^([CG][A-Z0-9]+)?$",
        description="Id of the channel that shows alerts; needed by the three secrets above.",
    )
    picture_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (".myqcloud.com", ".tencentcos.cn"),
        alias="STOPSTREAM_PICTURE_HOSTS",
        description="Hosts from which pictures that content moderation has flagged may be fetched, "
        "with commas between; one that begins with a point stands for all that end so. `none` for "
        "none.",
    )

    @field_validator("picture_hosts", mode="before")
    @classmethod
    def _picture_hosts(cls, value: Any) -> Any:
        return split_hosts(value)

    @field_validator("alertmanager_secrets", "pagerduty_secrets", "generic_secrets", mode="before")
    @classmethod
    def _hook_secrets(cls, value: Any) -> Any:
        return split_secrets(value)


def split_secrets(value: Any) -> Any:
    """Return the secrets of a setting that holds one, or two with a comma between.

    Raises:
        ValueError: One is short or has blanks, or there are more than two.
    """
    if not isinstance(value, str):
        return value
    found = value.split(",")
    if len(found) > _MOST:
        raise ValueError("has more than two secrets")
    if any(one != one.strip() or not one.isprintable() for one in found):
        raise ValueError("has blanks around a secret, or signs that cannot be sent")
    if any(len(one) < _SHORTEST for one in found):
        raise ValueError(f"has a secret of less than {_SHORTEST} characters")
    return tuple(SecretStr(one) for one in found)


def split_hosts(value: Any) -> Any:
    """Return the hosts of a setting that lists them with commas between.

    Raises:
        ValueError: One of them is none.
    """
    if not isinstance(value, str):
        return value
    if value.strip().casefold() == "none":
        return ()
    found = tuple(one.strip().casefold() for one in value.split(","))
    if not all(_HOST.fullmatch(one) for one in found):
        raise ValueError("lists something that is no host; write .myqcloud.com,img.example.com")
    return found
