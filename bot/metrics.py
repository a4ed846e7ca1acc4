"""The metrics, all of them: their names, labels and meaning."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of this program, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.build = Info("stopstream_build", "The release that runs", registry=self.registry)
        self.asked = Counter(
            "stopstream_asked_total", "Invocations by way in", ["via"], registry=self.registry
        )
        self.ended = Counter(
            "stopstream_ended_total",
            "Operations by ending and API",
            ["ending", "api"],
            registry=self.registry,
        )
        self.answered = Histogram(
            "stopstream_cloud_seconds",
            "Seconds until Tencent Cloud answered",
            ["api"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.until_sent = Histogram(
            "stopstream_ask_to_sent_seconds",
            "Seconds from asking to the request leaving, approvals not counted",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.delivered = Counter(
            "stopstream_delivered_total",
            "Messages to Slack by kind and result",
            ["owed", "result"],
            registry=self.registry,
        )
        self.notices = Counter(
            "stopstream_notices_total",
            "Notices to /hooks by source and what became of them",
            ["source", "outcome"],
            registry=self.registry,
        )
        self.owed = Gauge(
            "stopstream_outbox", "Messages that Slack must still hear", registry=self.registry
        )
        self.in_hand = Gauge(
            "stopstream_in_hand", "Operations this replica works on", registry=self.registry
        )
        self.clock_skew = Gauge(
            "stopstream_clock_skew_seconds",
            "Seconds by which this machine's clock is ahead of a service's",
            ["service"],
            registry=self.registry,
        )
        self.tampered = Gauge(
            "stopstream_tampered_rows",
            "Stored rows that this replica found to be written by somebody else",
            registry=self.registry,
        )
        self.strays = Gauge(
            "stopstream_leased_not_in_hand",
            "Rows leased to this replica that nothing works on",
            registry=self.registry,
        )
        self.sink_behind = Gauge(
            "stopstream_audit_sink_behind",
            "Records of the audit trail that its sink does not have yet",
            registry=self.registry,
        )
        self.sink_up = Gauge(
            "stopstream_audit_sink_up",
            "Whether the audit sink takes the trail; 1 where there is none",
            registry=self.registry,
        )
        self.sink_up.set(1)
        self.loop_up = Gauge(
            "stopstream_loop_up",
            "Whether a loop of the program runs",
            ["loop"],
            registry=self.registry,
        )
        self.loop_restarts = Counter(
            "stopstream_loop_restarts_total",
            "Restarts of a loop that broke off",
            ["loop"],
            registry=self.registry,
        )

    def text(self) -> bytes:
        """Render all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
