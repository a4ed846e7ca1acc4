"""The tables, as SQLAlchemy sees them; `migrations/` makes them."""

import sqlalchemy as sa

METADATA = sa.MetaData()

operations = sa.Table(
    "operations",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("via", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("thread_ts", sa.Text, nullable=False),
    sa.Column("reply_url", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("api", sa.Text, nullable=False),
    # What is sent, stream keys included: never shown, never in the audit log.
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("approval", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", sa.Double),
    sa.Column("sent_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("took", sa.Double),
    sa.Column("card_channel", sa.Text, nullable=False),
    sa.Column("card_ts", sa.Text, nullable=False),
    # Approvals, Preview and Origin of the model, as JSON with flat keys: see rows.CONSENT_KEYS.
    sa.Column("consent", sa.Text, nullable=False, server_default="{}"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("emergency", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("joined", sa.Text, nullable=False, server_default=""),
    # What it is about, as people search for it: a stream, a user, a domain, a task.
    sa.Column("target", sa.Text, nullable=False, server_default=""),
    # The incident or ticket it belongs to, and what to read about it.
    sa.Column("case", sa.Text, nullable=False, server_default=""),
    sa.Column("runbook", sa.Text, nullable=False, server_default=""),
    # The lease on it, and when its next try, reminder or expiry is due.
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Double, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False),
    # When to verify whether a stop has held, and the state that was observed.
    sa.Column("look_at", sa.Double),
    sa.Column("looked", sa.Text, nullable=False, server_default=""),
    # What was live before a stop, and the keys of what was live where that was nothing.
    sa.Column("live_before", sa.Text, nullable=False, server_default=""),
    sa.Column("live_now", sa.Text, nullable=False, server_default="[]"),
    # What became of its effect after its ending, as JSON; empty while nothing is known.
    sa.Column("later", sa.Text, nullable=False, server_default=""),
    # Authenticates what it orders; empty where a release without it wrote it. See row_macs.
    sa.Column("mac", sa.Text, nullable=False, server_default=""),
)

# A million finished operations must not slow down the search for unfinished ones. Queries repeat
# these conditions, because SQLite uses a partial index only where it finds its exact text.
UNSEEN = sa.text("look_at IS NOT NULL")
UNFINISHED = sa.text("state IN ('asked', 'waiting', 'due', 'running')")
WAITING = sa.text("state = 'waiting'")
sa.Index(
    "operations_unfinished",
    operations.c.lease_until,
    sqlite_where=UNFINISHED,
    postgresql_where=UNFINISHED,
)
sa.Index(
    "operations_unseen",
    operations.c.look_at,
    sqlite_where=UNSEEN,
    postgresql_where=UNSEEN,
)
sa.Index(
    "operations_waiting",
    operations.c.due_at,
    sqlite_where=WAITING,
    postgresql_where=WAITING,
)
sa.Index("operations_by_actor", operations.c.actor, operations.c.asked_at)
sa.Index("operations_by_time", operations.c.asked_at)
# A search uses one of these. Only ended operations are in the index by state, so that a row that
# changes four times enters it once.
sa.Index("operations_by_api", operations.c.api, operations.c.asked_at)
sa.Index("operations_by_channel", operations.c.channel, operations.c.asked_at)
sa.Index(
    "operations_by_target",
    operations.c.target,
    operations.c.asked_at,
    postgresql_ops={"target": "text_pattern_ops"},
)
sa.Index(
    "operations_by_ending",
    operations.c.state,
    operations.c.asked_at,
    sqlite_where=operations.c.ended_at.is_not(None),
    postgresql_where=operations.c.ended_at.is_not(None),
)

OF_A_CASE = sa.text("\"case\" != ''")
sa.Index(
    "operations_by_case",
    operations.c.case,
    operations.c.asked_at,
    sqlite_where=OF_A_CASE,
    postgresql_where=OF_A_CASE,
)

trail = sa.Table(
    "trail",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    # The canonical JSON that was hashed, byte for byte.
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)
sa.Index("trail_by_operation", trail.c.operation, trail.c.seq)
sa.Index("trail_by_time", trail.c.at)

seals = sa.Table(
    "seals",
    METADATA,
    # One head, many checkpoints, and a tombstone for each time that old records were removed.
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
)

outbox = sa.Table(
    "outbox",
    METADATA,
    # Rows are deleted when they are delivered; what is here is queued.
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("owed", sa.Text, nullable=False),
    # Of an announcement that belongs to no operation, and of a notice to one person.
    sa.Column("text", sa.Text, nullable=False),
    # The state of the operation when this was enqueued.
    sa.Column("about", sa.Text, nullable=False, server_default=""),
    # The notice, as JSON; empty for everything else.
    sa.Column("place", sa.Text, nullable=False, server_default=""),
    # Messages to one destination keep their order.
    sa.Column("destination", sa.Text, nullable=False),
    # The operation's seq when this was last enqueued: a later one has it sent again.
    sa.Column("wanted", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("uncertain", sa.Boolean, nullable=False),
    sa.Column("next_at", sa.Double, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Double, nullable=False),
    # The lane of its own in which it is tried while others to the destination pass it.
    sa.Column("aside", sa.Text, nullable=False, server_default=""),
    # Authenticates what is posted where; empty where a release without it wrote it.
    sa.Column("mac", sa.Text, nullable=False, server_default=""),
    # Epoch seconds by the store's clock; 0 where a release without it wrote it.
    sa.Column("enqueued_at", sa.Double, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
UNCODED = sa.text("mac = ''")
REJECTED = "-"
"""In place of the code of a message that was reported as tampered with."""
# Constants of the statement, as it runs for every message.
CODED = outbox.c.mac.not_in([sa.literal_column(f"'{none}'") for none in ("", REJECTED)])
sa.Index("outbox_uncoded", outbox.c.id, sqlite_where=UNCODED, postgresql_where=UNCODED)
sa.Index("outbox_by_destination", outbox.c.destination, outbox.c.id)
ASIDE = sa.text("aside != ''")
sa.Index(
    "outbox_aside",
    outbox.c.destination,
    outbox.c.aside,
    outbox.c.id,
    sqlite_where=ASIDE,
    postgresql_where=ASIDE,
)

decisions = sa.Table(
    "decisions",
    METADATA,
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    # Rows stay when they are settled: the same press never counts twice.
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("choice", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("message_ts", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("settled", sa.Boolean, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Double, nullable=False),
    sa.Column("mac", sa.Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
UNSETTLED = sa.text("NOT settled")
sa.Index(
    "decisions_unsettled",
    decisions.c.lease_until,
    sqlite_where=UNSETTLED,
    postgresql_where=UNSETTLED,
)

limits = sa.Table(
    "limits",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("api", sa.Text, primary_key=True),
    # GCRA's theoretical arrival time: no request before it.
    sa.Column("free_at", sa.Double, nullable=False),
)

off = sa.Table(
    "off",
    METADATA,
    # The resource; what is on again has no row.
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("thing", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    # The operation that turned it off.
    sa.Column("operation", sa.Text, nullable=False),
    # See OffAirChange.
    sa.Column("weight", sa.Integer, nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    # When it ends by itself, and when the next message about that is due.
    sa.Column("until", sa.Double),
    sa.Column("next_at", sa.Double),
    # Ids of the operations that had turned it off before that one, oldest first, as JSON.
    sa.Column("earlier", sa.Text, nullable=False, server_default="[]"),
)
ENDS = sa.text("next_at IS NOT NULL")
sa.Index("off_ends", off.c.next_at, sqlite_where=ENDS, postgresql_where=ENDS)
FOR_A_WHILE = sa.text("weight < 2")
sa.Index("off_by_time", off.c.since)
sa.Index("off_by_operation", off.c.operation)
sa.Index("off_for_a_while", off.c.since, sqlite_where=FOR_A_WHILE, postgresql_where=FOR_A_WHILE)

holds = sa.Table(
    "holds",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", sa.Double, nullable=False),
)

commits = sa.Table(
    "commits",
    METADATA,
    # One row for each writer: the mark of the last transaction of it that changed anything.
    sa.Column("writer", sa.Text, primary_key=True),
    sa.Column("mark", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)

sinks = sa.Table(
    "sinks",
    METADATA,
    # One row for each address that the trail is copied to.
    sa.Column("name", sa.Text, primary_key=True),
    # The last record that it has, and the last one of those that are being sent.
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("upto", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Double, nullable=False),
)

alerts = sa.Table(
    "alerts",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False, server_default=""),
    # A digest of what the source calls the group of alerts.
    sa.Column("group_key", sa.Text, nullable=False, server_default=""),
    sa.Column("channel", sa.Text, nullable=False, server_default=""),
    sa.Column("title", sa.Text, nullable=False, server_default=""),
    sa.Column("summary", sa.Text, nullable=False, server_default=""),
    sa.Column("severity", sa.Text, nullable=False, server_default=""),
    sa.Column("link", sa.Text, nullable=False, server_default=""),
    # AlertItem and NamedStream of the model, as JSON.
    sa.Column("members", sa.Text, nullable=False, server_default="[]"),
    sa.Column("streams", sa.Text, nullable=False, server_default="[]"),
    sa.Column("opened_at", sa.Double, nullable=False, server_default="0"),
    sa.Column("seen_at", sa.Double, nullable=False, server_default="0"),
    sa.Column("resolved_at", sa.Double),
    sa.Column("card_channel", sa.Text, nullable=False, server_default=""),
    sa.Column("card_ts", sa.Text, nullable=False, server_default=""),
    sa.Column("seq", sa.Integer, nullable=False, server_default="0"),
    # Authenticates what its card says and its buttons mean. See row_macs.
    sa.Column("mac", sa.Text, nullable=False, server_default=""),
)
sa.Index("alerts_by_group", alerts.c.group_key, alerts.c.opened_at)
sa.Index("alerts_by_time", alerts.c.seen_at)

compatibility = sa.Table(
    "compatibility",
    METADATA,
    # One row: the oldest migration whose release may use this schema.
    sa.Column("oldest", sa.Text, primary_key=True),
)

live_notices = sa.Table(
    "live_notices",
    METADATA,
    # What Tencent Cloud said of a stream, so that a repeat of it counts once; kept for an hour.
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    # When it happened, as the notice says, and when the notice came.
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("received_at", sa.Double, nullable=False),
)
sa.Index("live_notices_by_time", live_notices.c.received_at)
sa.Index("live_notices_by_stream", live_notices.c.account, live_notices.c.stream)

watches = sa.Table(
    "watches",
    METADATA,
    # The stop whose stream is watched, or the command that asked for it.
    sa.Column("operation", sa.Text, primary_key=True),
    # The stream: its account, its name, and what identifies it, as in `off`.
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    # From when to when it is watched, and when its state is read next and was read last.
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
    sa.Column("next_at", sa.Double, nullable=False),
    sa.Column("read_at", sa.Double, nullable=False, server_default="0"),
    # The state that was told last, and how many were.
    sa.Column("state", sa.Text, nullable=False, server_default=""),
    sa.Column("changes", sa.Integer, nullable=False, server_default="0"),
    # The last notice about it that no read has followed yet, and when it came.
    sa.Column("heard", sa.Text, nullable=False, server_default=""),
    sa.Column("heard_at", sa.Double),
    # Whether somebody asked for it.
    sa.Column("asked", sa.Boolean, nullable=False, server_default=sa.false()),
)
sa.Index("watches_by_time", watches.c.next_at)
sa.Index("watches_by_stream", watches.c.account, watches.c.stream)

pushes = sa.Table(
    "pushes",
    METADATA,
    # A stream, as in `off`.
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    # What a callback said of it last, and when that happened; `began` where a read alone found it.
    sa.Column("kind", sa.Text, nullable=False, server_default=""),
    sa.Column("at", sa.Double, nullable=False, server_default="0"),
    # When the callback came; 0 where a read alone found the stream.
    sa.Column("heard_at", sa.Double, nullable=False, server_default="0"),
)

live_lists = sa.Table(
    "live_lists",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    # When all that is live was read last, and when a read last found what no callback had told.
    sa.Column("read_at", sa.Double, nullable=False, server_default="0"),
    sa.Column("missed_at", sa.Double, nullable=False, server_default="0"),
)
