"""A request to the emulated cloud: as it is checked, and as it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.model.actions import Json


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as the checks understood it.

    Attributes:
        at: Epoch seconds, by this cloud's clock.
        code: The error it was answered with; empty for none.
        ran: Whether it took effect, whatever its sender received.
        canonical_request, string_to_sign: As computed here, to compare with the sender's.
        signature, expected: As received, and as computed here.
        behind: Seconds by which the sender's clock is behind this cloud's.
    """

    at: float
    api: str
    params: Mapping[str, Json]
    region: str
    secret_id: str
    code: str
    request_id: str
    ran: bool
    canonical_request: str = ""
    string_to_sign: str = ""
    signature: str = ""
    expected: str = ""
    behind: float = 0.0


@dataclass(slots=True)
class Request:
    """A request as it passes the checks; each fills in what it has found."""

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    api: str = ""
    params: dict[str, Json] = field(default_factory=dict)
    secret_id: str = ""
    canonical_request: str = ""
    string_to_sign: str = ""
    signature: str = ""
    expected: str = ""
    behind: float = 0.0
    ran: bool = False
