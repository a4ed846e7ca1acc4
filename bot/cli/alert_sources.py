"""The sources of alerts among the hooks, each with its form and its way to show who it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias

import structlog
from pydantic import SecretStr

from bot.cli.settings import Settings
from bot.errors import StoreError
from bot.hooks import alertmanager, generic, pagerduty
from bot.hooks.bounded_json import MalformedError, parse_storable
from bot.hooks.exchange import Forbidden, HookAnswer, HookRequest
from bot.hooks.secrets import check_hmac, check_token
from bot.model.alerts import OPEN_FOR, Notice
from bot.off_loop import parse_body
from bot.operations.alert_service import AlertService

log = structlog.get_logger("stopstream.hooks")

_Check: TypeAlias = Callable[[HookRequest, tuple[str, ...]], Forbidden | None]
_Parse: TypeAlias = Callable[[Mapping[str, Any], float], Notice | None]


@dataclass(frozen=True, slots=True)
class AlertSource:
    """Takes the notices of one source of alerts.

    Attributes:
        sent_at: Returns when a request was sent, epoch seconds, as far as it says that.
        ages: Whether a notice says when it was made, so that an old one can be told.
    """

    name: str
    secrets: tuple[str, ...]
    service: AlertService
    checks: _Check
    parses: _Parse
    sent_at: Callable[[HookRequest], float] = lambda request: request.at
    ages: bool = True

    def check(self, request: HookRequest) -> Forbidden | None:
        """Return why a notice is not read; None if it has one of the source's secrets."""
        return self.checks(request, self.secrets)

    async def take(self, request: HookRequest) -> HookAnswer:
        """Store what a notice says, and answer once that is on disk."""
        try:
            notice = await parse_body(request.body, partial(self._parsed, request))
        except MalformedError as error:
            log.warning("a notice is malformed", source=self.name, why=str(error))
            return HookAnswer(HTTPStatus.BAD_REQUEST, "malformed")
        if notice is None:
            return HookAnswer(HTTPStatus.OK, "ignored")
        if self.ages and max(one.at for one in notice.items) < request.at - OPEN_FOR:
            return HookAnswer(HTTPStatus.OK, "stale")
        try:
            taken = await self.service.take(notice)
        except (StoreError, TimeoutError) as error:
            # The source sends it again.
            log.error("a notice is not stored, or not in time", source=self.name, why=str(error))
            return HookAnswer(HTTPStatus.SERVICE_UNAVAILABLE, "failed")
        return HookAnswer(HTTPStatus.OK, taken.value)

    def _parsed(self, request: HookRequest) -> Notice | None:
        """Return what a request says.

        Raises:
            MalformedError: It is of another form.
        """
        return self.parses(parse_storable(request.body), self.sent_at(request))


def open_sources(settings: Settings) -> tuple[str, ...]:
    """Return the names of the sources that have a secret."""
    return tuple(name for name, secrets in _secrets_of(settings).items() if secrets)


def alert_sources(settings: Settings, service: AlertService) -> tuple[AlertSource, ...]:
    """Return the sources that have a secret."""
    given = _secrets_of(settings)
    sources = (
        AlertSource(
            alertmanager.NAME,
            given[alertmanager.NAME],
            service,
            check_token,
            alertmanager.parse,
            # An alert may fire for days, and says since when.
            ages=False,
        ),
        AlertSource(
            pagerduty.NAME, given[pagerduty.NAME], service, _check_pagerduty, pagerduty.parse
        ),
        AlertSource(
            generic.NAME,
            given[generic.NAME],
            service,
            generic.check,
            generic.parse,
            generic.sent_at,
        ),
    )
    return tuple(one for one in sources if one.secrets)


def missing_of_alerts(settings: Settings) -> list[str]:
    """Return a line for what alerts need and what is not set."""
    given = settings.alertmanager_secrets or settings.pagerduty_secrets or settings.generic_secrets
    if not given or settings.alert_channel:
        return []
    return ["STOPSTREAM_ALERT_CHANNEL: is missing; the secrets of alerts need it"]


def _check_pagerduty(request: HookRequest, secrets: tuple[str, ...]) -> Forbidden | None:
    return check_hmac(request.body, request.header(pagerduty.SIGNATURE), secrets)


def _secrets_of(settings: Settings) -> dict[str, tuple[str, ...]]:
    return {
        alertmanager.NAME: _texts(settings.alertmanager_secrets),
        pagerduty.NAME: _texts(settings.pagerduty_secrets),
        generic.NAME: _texts(settings.generic_secrets),
    }


def _texts(secrets: tuple[SecretStr, ...]) -> tuple[str, ...]:
    return tuple(one.get_secret_value() for one in secrets)
