"""Builds the Bolt app: every way in, set up so that an ack never waits for Slack.

Acks run inline (`process_before_response`): Bolt's own way polls every 10 ms. Handlers do
nothing but translate, ask and ack; what needs Slack afterwards is an errand.
"""

import logging

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_sdk.web.async_client import AsyncWebClient

from bot.operations.service import Service
from handlers.listeners import (
    access_requests as requests,
)
from handlers.listeners import (
    audit_search as history,
)
from handlers.listeners import (
    buttons,
    commands,
    errors,
    forms,
    home,
    mentions,
    shortcuts,
)
from handlers.listeners import (
    user_groups as membership,
)
from handlers.slack.api_calls import with_rate_limit_retries
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.responder import Responder
from handlers.slack.transports import Identity


def build_app(
    *,
    client: AsyncWebClient,
    identity: Identity,
    service: Service,
    errands: BackgroundQueue,
    directory: Directory,
    signing_secret: str = "",
) -> AsyncApp:
    """Build the app; it answers only when a transport brings requests.

    Args:
        client: On the one pooled session.
        identity: What `connect` found out.
        service: Asked by every handler.
        errands: Run what needs Slack after an ack.
        directory: Told what has changed.
        signing_secret: Empty in Socket Mode, where nothing is signed.
    """
    app = AsyncApp(
        name="stopstream",
        logger=_quiet_logger(),
        client=client,
        signing_secret=signing_secret,
        authorize=_Known(identity, client.token or ""),
        process_before_response=True,
        raise_error_for_unhandled_request=True,
        attaching_function_token_enabled=False,
    )
    calmly = with_rate_limit_retries(client)
    answers = Responder(service=service, errands=errands, client=calmly)
    # Bolt asks listener after listener: what is urgent stands first.
    commands.register(app, answers=answers)
    mentions.register(app, answers=answers, bot_user=identity.user)
    buttons.register(app, service=service, answers=answers, errands=errands, client=calmly)
    requests.register(app, service=service, answers=answers)
    forms.register(app, service=service, answers=answers, errands=errands, client=calmly)
    history.register(app, service=service, answers=answers, errands=errands, client=calmly)
    shortcuts.register(app, answers=answers)
    home.register(app, service=service, errands=errands, client=calmly)
    membership.register(app, directory=directory)
    errors.register(app)
    return app


class _Known(AsyncAuthorize):
    """Says who we are from what was found out at the start, so that no request waits for it."""

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
    """Give Bolt a logger that says only what is wrong: its warnings print payloads."""
    logger = logging.getLogger("stopstream.bolt")
    logger.setLevel(logging.ERROR)
    return logger
