"""The secrets that sign the outgoing webhook."""

from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from bot.operations.webhook_events import secret_bytes

_MOST = 2
"""Secrets at once: the new one and the one before it."""


class WebhookSettings(BaseSettings):
    """What signs the events of the outgoing webhook; a part of Settings."""

    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        alias="STOPSTREAM_WEBHOOK_SECRET",
        description="Signs the events of the webhook: `whsec_` and 24 to 64 bytes in base64. Two "
        "with a comma between while it is replaced.",
    )

    @field_validator("webhook_secrets", mode="before")
    @classmethod
    def _webhook_secrets(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = value.split(",")
        if len(found) > _MOST:
            raise ValueError("has more than two secrets")
        for one in found:
            secret_bytes(one)
        return tuple(map(SecretStr, found))
