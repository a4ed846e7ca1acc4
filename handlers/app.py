"""Builds the Bolt app with every listener, so that an ack never waits for Slack.

Acks run inline (`process_before_response`): Bolt's own way polls every 10 ms. Listeners only
translate, ask the service and ack; what needs Slack afterwards runs in the background queue.
"""

import logging
from collections.abc import Callable

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.operations.alert_service import AlertService
from bot.operations.moderation import ModerationService
from bot.operations.service import Service
from handlers.listeners import (
    access_requests,
    alerts,
    audit_search,
    buttons,
    errors,
    flagged,
    forms,
    home,
    live_picker,
    mentions,
    shortcuts,
    suggestions,
    user_groups,
)
from handlers.listeners.commands import SlashCommands
from handlers.listeners.outsiders import Outsiders
from handlers.listeners.reason_choice import ReasonChoice
from handlers.slack.api_calls import with_rate_limit_retries
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.responder import Responder
from handlers.slack.web_client import Identity


def build_app(
    *,
    client: AsyncWebClient,
    identity: Identity,
    service: Service,
    alert_service: AlertService,
    moderation: ModerationService,
    background: BackgroundQueue,
    directory: Directory,
    is_late: Callable[[str], bool] = lambda _channel: False,
) -> AsyncApp:
    """Build the app; an HTTP receiver or Socket Mode passes requests to it.

    Args:
        client: On the pooled session.
        identity: As returned by `connect`.
        service: Asked by every listener.
        alert_service: Asked by the buttons of alerts.
        moderation: Asked by the buttons of flagged content.
        background: Runs what needs Slack after an ack.
        directory: Its cache follows changes of user groups.
        is_late: Whether messages to a channel are held up.
    """
    quiet = _quiet_logger()
    retrying = with_rate_limit_retries(client)
    responder = Responder(service=service, background=background, client=retrying, is_late=is_late)
    outsiders = Outsiders(service, responder, background)
    app = _App(
        # Bolt gives the logger of this name the level of the other one: with the program's own
        # name, the whole program would be as quiet as Bolt.
        name=quiet.name,
        logger=quiet,
        client=client,
        before_authorize=SlashCommands(responder, outsiders),
        authorize=_FixedIdentity(identity, client.token or ""),
        process_before_response=True,
        # The receiver has verified the signature; in Socket Mode nothing is signed.
        request_verification_enabled=False,
        raise_error_for_unhandled_request=True,
        attaching_function_token_enabled=False,
    )
    app.use(outsiders)
    # Bolt tries the listeners in this order: the urgent ones come first.
    mentions.register(app, responder=responder, bot_user=identity.user)
    reasons = ReasonChoice(
        service=service, responder=responder, background=background, client=retrying
    )
    buttons.register(
        app,
        service=service,
        responder=responder,
        background=background,
        client=retrying,
        reasons=reasons,
    )
    alerts.register(app, alerts=alert_service, responder=responder, reasons=reasons)
    flagged.register(
        app,
        moderation=moderation,
        responder=responder,
        background=background,
        client=retrying,
    )
    access_requests.register(app, service=service, responder=responder, reasons=reasons)
    reasons.register(app)
    forms.register(
        app, service=service, responder=responder, background=background, client=retrying
    )
    live_picker.register(app, service=service)
    audit_search.register(
        app, service=service, responder=responder, background=background, client=retrying
    )
    shortcuts.register(app, responder=responder)
    suggestions.register(app, responder=responder)
    home.register(app, service=service, background=background, client=retrying)
    user_groups.register(app, directory=directory)
    errors.register(app)
    return app


class _App(AsyncApp):
    """Bolt with one Slack client for all requests.

    Bolt makes one for each, because a listener may give it another token. None here does, and
    what needs Slack after an ack has a client of its own.
    """

    def _init_context(self, req: AsyncBoltRequest) -> None:
        req.context["logger"] = self.logger
        req.context["client"] = self.client
        req.context["listener_runner"] = self.listener_runner


class _FixedIdentity(AsyncAuthorize):
    """Authorizes with the identity found at the start, so that no request waits for it."""

    def __init__(self, identity: Identity, token: str) -> None:
        self._identity = identity
        self._token = token

    async def __call__(self, *, user_id: str | None = None, **_context: object) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=self._identity.team,
            bot_user_id=self._identity.user,
            bot_id=self._identity.bot,
            bot_token=self._token,
            user_id=user_id,
        )


def _quiet_logger() -> logging.Logger:
    """Return a logger that drops Bolt's warnings, because they print payloads."""
    logger = logging.getLogger("stopstream.bolt")
    logger.setLevel(logging.ERROR)
    return logger
