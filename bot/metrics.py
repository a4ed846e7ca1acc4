"""The metrics, all of them: their names, labels and meaning."""

from dataclasses import dataclass
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_ACK_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)
"""Slack gives up after 3 s."""

_DATABASE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


@dataclass(frozen=True, slots=True)
class Description:
    """What there is to know of one metric.

    Attributes:
        name: As Prometheus stores it; of a histogram, without `_bucket`, `_sum` and `_count`.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


class Metrics:
    """The metrics of one process, in a registry of its own.

    The values of every label come from a list that the program knows: the name of an action, an
    ending, a code that the catalog explains. Nothing that people or the cloud write is a label.

    Attributes:
        described: Every metric that is declared here.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.described: list[Description] = []
        ProcessCollector(registry=self.registry)
        self.build = Info("stopstream_build", "The release that runs", registry=self.registry)
        self._describe(
            "gauge",
            "stopstream_build_info",
            "The release that runs, and the schema that it makes.",
            "version",
            "schema",
        )
        self._declare_operations()
        self._declare_slack()
        self._declare_storage()
        self._declare_process()

    def text(self) -> bytes:
        """Render all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _declare_operations(self) -> None:
        self.asked = self._counter(
            "stopstream_asked_total",
            "Invocations by way in and API; the API is empty for help, lists and mistakes.",
            "via",
            "api",
        )
        self.ended = self._counter(
            "stopstream_ended_total",
            "Operations by ending, API and error code; the code is `other` where the catalog does "
            "not know it.",
            "ending",
            "api",
            "code",
        )
        self.until_sent = self._histogram(
            "stopstream_ask_to_sent_seconds",
            "From asking, or the last consent, to the request leaving for the first time.",
        )
        self.until_posted = self._histogram(
            "stopstream_ask_to_posted_seconds",
            "From asking, or the last consent, to the ending standing in Slack.",
        )
        self.answered = self._histogram(
            "stopstream_cloud_seconds", "Until Tencent Cloud answered, by API.", "api"
        )
        self.cloud_errors = self._counter(
            "stopstream_cloud_errors_total",
            "Requests to Tencent Cloud that it did not accept, by kind: what is to blame for a "
            "refusal, `no_answer`, or `never_sent`.",
            "kind",
        )
        self.limited = self._histogram(
            "stopstream_limiter_wait_seconds",
            "What a request waited for its slot under the limit of its API.",
            "api",
        )
        self.in_hand = self._gauge("stopstream_in_hand", "Operations that this replica works on.")
        self.approvals = self._gauge(
            "stopstream_approvals_waiting", "Operations that wait for somebody to decide."
        )
        self.approvals_age = self._gauge(
            "stopstream_approvals_oldest_age_seconds",
            "How long the oldest of them has waited; 0 where there is none.",
        )
        self.came_back = self._counter(
            "stopstream_came_back_total", "Stops after which the same was seen on again."
        )

    def _declare_slack(self) -> None:
        self.ack = self._histogram(
            "stopstream_ack_seconds",
            "From a request of Slack to its ack, by kind: command, interaction or event.",
            "kind",
            buckets=_ACK_SECONDS,
        )
        # Prometheus sees an increase only of a series that was there before.
        for kind in ("command", "event", "interaction"):
            self.ack.labels(kind)
        self.slack_up = self._gauge(
            "stopstream_slack_up",
            "Whether Slack takes the bot's token; 0 before it was reached. While Slack is down it "
            "stays 1, and stopstream_outbox_oldest_age_seconds grows.",
        )
        self.sockets = self._gauge(
            "stopstream_sockets_open", "Sockets to Slack that are open; 0 in HTTP mode."
        )
        self.sockets_wanted = self._gauge(
            "stopstream_sockets_wanted", "Sockets that the bot keeps open; 0 in HTTP mode."
        )
        self.socket_reconnects = self._counter(
            "stopstream_socket_reconnects_total", "Sockets that were opened again."
        )
        self.delivered = self._counter(
            "stopstream_delivered_total",
            "Messages to Slack by kind and result: sent, later or never.",
            "owed",
            "result",
        )
        self.notices = self._counter(
            "stopstream_notices_total",
            "Notices to /hooks by source and what became of them.",
            "source",
            "outcome",
        )
        self.owed = self._gauge("stopstream_outbox", "Messages that Slack must still hear.")
        self.owed_age = self._gauge(
            "stopstream_outbox_oldest_age_seconds",
            "How long the oldest of them has waited; 0 where there is none.",
        )

    def _declare_storage(self) -> None:
        self.database_up = self._gauge(
            "stopstream_database_up", "Whether the database answered a query just now."
        )
        self.database = self._histogram(
            "stopstream_database_seconds",
            "What the database took, by kind: a write is a transaction with its sync.",
            "kind",
            buckets=_DATABASE_SECONDS,
        )
        self.take_overs = self._counter(
            "stopstream_lease_takeovers_total",
            "Operations taken over from a replica whose lease had ended, by their state.",
            "state",
        )
        self.strays = self._gauge(
            "stopstream_leased_not_in_hand",
            "Rows leased to this replica that nothing works on.",
        )
        self.tampered = self._gauge(
            "stopstream_tampered_rows",
            "Stored rows that this replica found to be written by somebody else.",
        )
        self.checkpoint_age = self._gauge(
            "stopstream_checkpoint_age_seconds",
            "Age of the oldest record of the trail that no checkpoint covers; 0 where all are.",
        )
        self.checkpoint_interval = self._gauge(
            "stopstream_checkpoint_interval_seconds", "STOPSTREAM_AUDIT_CHECKPOINT, in seconds."
        )
        self.sink_behind = self._gauge(
            "stopstream_audit_sink_behind",
            "Records of the audit trail that its sink does not have yet.",
        )
        self.sink_up = self._gauge(
            "stopstream_audit_sink_up",
            "Whether the audit sink takes the trail; 1 where there is none.",
        )
        self.sink_up.set(1)
        self.webhook_behind = self._gauge(
            "stopstream_webhook_behind",
            "Records of the audit trail whose events the webhook has not been told yet.",
        )
        self.webhook_up = self._gauge(
            "stopstream_webhook_up",
            "Whether the webhook's receiver takes events; 1 where there is none.",
        )
        self.webhook_up.set(1)

    def _declare_process(self) -> None:
        self.policy_loads = self._counter(
            "stopstream_policy_loads_total",
            "Times that the policy file was read anew, by result: loaded or broken.",
            "result",
        )
        self.policy_current = self._gauge(
            "stopstream_policy_current",
            "Whether the policy in force is the file's; 0 while the file is broken.",
        )
        self.policy_current.set(1)
        self.clock_skew = self._gauge(
            "stopstream_clock_skew_seconds",
            "Seconds by which this machine's clock is ahead of a service's.",
            "service",
        )
        self.loop_up = self._gauge(
            "stopstream_loop_up", "Whether a loop of the program runs.", "loop"
        )
        self.loop_restarts = self._counter(
            "stopstream_loop_restarts_total", "Restarts of a loop that broke off.", "loop"
        )

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        self._describe("counter", name, help_, *labels)
        return Counter(name, help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        self._describe("gauge", name, help_, *labels)
        return Gauge(name, help_, labels, registry=self.registry)

    def _histogram(
        self, name: str, help_: str, *labels: str, buckets: tuple[float, ...] = _SECONDS
    ) -> Histogram:
        self._describe("histogram", name, help_, *labels)
        return Histogram(name, help_, labels, buckets=buckets, registry=self.registry)

    def _describe(
        self, kind: Literal["counter", "gauge", "histogram"], name: str, help_: str, *labels: str
    ) -> None:
        self.described.append(Description(name, kind, labels, help_))
