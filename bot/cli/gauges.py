"""Sets the metrics that are read when somebody asks for them, and renders them all."""

import asyncio
import contextlib

from bot.clock_skew import ClockSkew
from bot.errors import StoreError
from bot.metrics import Metrics
from bot.operations.audit_sink import SinkRelay
from bot.shared_answers import SharedAnswers
from bot.storage.statistics import Figures
from bot.storage.store import Store
from handlers.slack.messenger import Messenger
from handlers.slack.socket_mode import SocketMode

_PATIENCE = 2.0
"""Seconds within which the database has to answer."""


class Gauges:
    """Reads what the gauges show; the database is asked once, however many ask."""

    def __init__(
        self,
        *,
        store: Store,
        metrics: Metrics,
        skew: ClockSkew,
        sink: SinkRelay | None,
        webhook: SinkRelay | None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._skew = skew
        self._sink = sink
        self._webhook = webhook
        self._figures = SharedAnswers[Figures | None]()

    async def text(self, messenger: Messenger | None, socket: SocketMode | None) -> bytes:
        """Return all metrics in Prometheus' text format, as they are now.

        Args:
            messenger: None while Slack is not reached.
            socket: None where Slack calls by HTTP.
        """
        metrics = self._metrics
        metrics.tampered.set(self._store.session.quarantine.tampered)
        metrics.strays.set(self._store.leases.strays)
        for one in self._skew.each():
            metrics.clock_skew.labels(one.service).set(one.seconds)
        if self._sink is not None:
            metrics.sink_behind.set(self._sink.behind)
            metrics.sink_up.set(not self._sink.trouble)
        if self._webhook is not None:
            metrics.webhook_behind.set(self._webhook.behind)
            metrics.webhook_up.set(not self._webhook.trouble)
        metrics.slack_up.set(messenger is not None and not messenger.trouble)
        metrics.sockets.set(socket.open if socket else 0)
        metrics.sockets_wanted.set(socket.wanted if socket else 0)
        self._show(await self._figures.get("figures", self._ask))
        return metrics.text()

    def _show(self, figures: Figures | None) -> None:
        """Show the figures; those of before stay where the database does not answer."""
        metrics = self._metrics
        metrics.database_up.set(figures is not None)
        if figures is None:
            return
        metrics.owed.set(figures.outbox)
        metrics.owed_age.set(figures.outbox_age)
        metrics.approvals.set(figures.approvals)
        metrics.approvals_age.set(figures.approvals_age)
        metrics.checkpoint_age.set(figures.checkpoint_age)

    async def _ask(self) -> Figures | None:
        """Return the figures; None where the database does not answer."""
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                return await self._store.statistics.read()
        return None
