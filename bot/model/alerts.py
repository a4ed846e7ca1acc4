"""Alerts of monitoring systems: what a notice says, and the alert that it opens or changes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

ITEMS_MOST = 100
"""Alerts of one group that are kept: what fires before what is over, the newest first."""

STREAMS_MOST = 60
"""Streams that one group may name in all."""

OPEN_FOR = 43_200.0
"""Seconds since the last notice after which an alert counts as over: its buttons do nothing, and
the next notice of its group opens a new card."""


MODERATION = "moderation"
"""The source of what Tencent Cloud's content moderation has flagged."""

QUIET_FOR = 600.0
"""Seconds for which the same is not shown again that somebody has called a false alarm."""


@dataclass(frozen=True, slots=True)
class NamedStream:
    """A stream, a session or a task that an alert names.

    Attributes:
        api: The action that stops it.
        params: Its parameters, as far as the alert names them; never a key.
        account: The cloud account that it belongs to, where its source is sure of that.
    """

    api: str
    params: Mapping[str, str]
    account: str = ""


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """One alert of a notice; all texts are foreign.

    Attributes:
        key: Identifies it within its group.
        at: Since when it fires, or when it changed, by its source, epoch seconds.
        is_timed: Whether its source says so; else `at` is when it came.
        text: What else it says, in which streams are looked for.
        streams: Those that it names as such.
        picture: Address of the picture that it is about; empty for none.
    """

    key: str
    at: float
    firing: bool
    title: str = ""
    text: str = ""
    streams: tuple[NamedStream, ...] = ()
    picture: str = ""
    is_timed: bool = True

    @property
    def version(self) -> tuple[float, bool]:
        """As that of AlertItem."""
        return self.at, not self.firing


@dataclass(frozen=True, slots=True)
class Notice:
    """What one request says: the alerts of one group, as far as it lists them.

    Attributes:
        group: What makes the group one: a groupKey, an incident's id.
        summary: One or two sentences; may be empty.
        link: Its address at the source; may be empty.
    """

    source: str
    group: str
    items: tuple[NoticeItem, ...]
    title: str = ""
    summary: str = ""
    severity: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class AlertItem:
    """One alert of a group, as it is known.

    Attributes:
        streams: Positions among the streams of the group.
        picture: See NoticeItem.
        dismissed_by: The user who has called it a false alarm; empty while nobody has.
        live_since: Since when its stream is live, as it was read, epoch seconds; None: not read.
    """

    key: str
    at: float
    firing: bool
    title: str = ""
    streams: tuple[int, ...] = ()
    picture: str = ""
    dismissed_by: str = ""
    live_since: float | None = None

    @property
    def version(self) -> tuple[float, bool]:
        """What a later notice exceeds: a later time, or the end of what began then."""
        return self.at, not self.firing


@dataclass(frozen=True, slots=True)
class Alert:
    """A group of alerts in a channel: a row of the store. Times are epoch seconds.

    Attributes:
        group: A digest of the source's name for the group.
        streams: All that it has named; a position always stands for the same.
        seen_at: When the last notice of it came.
        resolved_at: When nothing of it fired any more; None while something does.
        card_ts: The message of its card, once it is posted.
        seq: Grows with every change; a card rendered from a lower one is out of date.
        unsigned: Its row has no code that matches: nothing comes of its buttons.
    """

    id: str
    source: str
    group: str
    channel: str
    opened_at: float
    seen_at: float
    title: str = ""
    summary: str = ""
    severity: str = ""
    link: str = ""
    items: tuple[AlertItem, ...] = ()
    streams: tuple[NamedStream, ...] = ()
    resolved_at: float | None = None
    card_channel: str = ""
    card_ts: str = ""
    seq: int = 0
    unsigned: bool = False

    def is_open(self, now: float) -> bool:
        """Return whether something of it fires, and was heard of within OPEN_FOR."""
        return self.resolved_at is None and now - self.seen_at < OPEN_FOR

    @property
    def firing(self) -> tuple[AlertItem, ...]:
        """The alerts of the group that fire."""
        return tuple(one for one in self.items if one.firing)

    @property
    def live_streams(self) -> tuple[int, ...]:
        """Positions of the streams that alerts name which still fire."""
        return tuple(dict.fromkeys(at for one in self.firing for at in one.streams))

    @property
    def picture(self) -> str:
        """Address of the newest picture that still counts; empty for none."""
        return next((one.picture for one in self.firing if one.picture), "")

    @property
    def dismissed_by(self) -> str:
        """The user who has called it a false alarm; empty if nobody has."""
        return next((one.dismissed_by for one in self.items if one.dismissed_by), "")

    @property
    def live_since(self) -> float | None:
        """Since when its stream is live, as it was read; None where it was not."""
        return next((one.live_since for one in self.firing if one.live_since is not None), None)


def without_dismissed(notice: Notice, known: Sequence[Alert], now: float) -> Notice:
    """Return a notice without what somebody has called a false alarm a short while ago."""
    quiet = {
        item.key
        for alert in known
        for item in alert.items
        if item.dismissed_by and now - (alert.resolved_at or 0.0) < QUIET_FOR
    }
    return replace(notice, items=tuple(one for one in notice.items if one.key not in quiet))


def dismissed(alert: Alert, user: str, now: float) -> Alert:
    """Return an alert that somebody has called a false alarm."""
    items = tuple(
        replace(one, firing=False, dismissed_by=user) if one.firing else one for one in alert.items
    )
    return replace(alert, items=items, resolved_at=now, seq=alert.seq + 1)


def with_live_since(alert: Alert, since: float) -> Alert:
    """Return an alert with the time since when its stream is live."""
    items = tuple(replace(one, live_since=since) if one.firing else one for one in alert.items)
    return replace(alert, items=items, seq=alert.seq + 1)


def news(notice: Notice, known: Sequence[Alert], now: float) -> tuple[NoticeItem, ...]:
    """Return what a notice says that none before it has said.

    An alert that began later exceeds an earlier one, and its end exceeds its beginning: whatever
    comes twice, late or in another order leads to the same.

    Args:
        known: All that is stored of its group.
        now: Epoch seconds.
    """
    versions: dict[str, tuple[float, bool]] = {}
    for item in (item for alert in known for item in alert.items):
        versions[item.key] = max(item.version, versions.get(item.key, item.version))
    items = (_after_future(item, versions.get(item.key), now) for item in notice.items)
    return tuple(
        item for item in items if item.key not in versions or item.version > versions[item.key]
    )


def _after_future(item: NoticeItem, version: tuple[float, bool] | None, now: float) -> NoticeItem:
    """Return an alert that says no time as later than what was told with a time yet to come.

    A sender whose clock is ahead would otherwise hold up all that says no time.
    """
    if item.is_timed or version is None or version[0] <= now:
        return item
    at, is_over = version
    return replace(item, at=math.nextafter(at, math.inf) if is_over and item.firing else at)


def changed(alert: Alert, notice: Notice, fresh: Sequence[NoticeItem], now: float) -> Alert:
    """Return an alert with what a notice says anew."""
    streams = list(alert.streams)
    items = {item.key: item for item in alert.items}
    for one in fresh:
        found = (position for of in one.streams if (position := _position(streams, of)) is not None)
        items[one.key] = AlertItem(
            one.key,
            one.at,
            one.firing,
            one.title,
            tuple(found),
            one.picture,
            live_since=alert.live_since if one.firing else None,
        )
    kept = sorted(items.values(), key=lambda one: (one.firing, one.at), reverse=True)[:ITEMS_MOST]
    still = any(one.firing for one in kept)
    # What is over often says less than what began.
    said = notice if still or not alert.title else None
    return replace(
        alert,
        title=(said and said.title) or alert.title,
        summary=(said and said.summary) or alert.summary,
        severity=(said and said.severity) or alert.severity,
        link=(said and said.link) or alert.link,
        items=tuple(kept),
        streams=tuple(streams),
        seen_at=now,
        resolved_at=None if still else now,
        seq=alert.seq + 1,
    )


def _position(streams: list[NamedStream], of: NamedStream) -> int | None:
    """Return the position of a stream, added if it is new; None where there is no place left."""
    if of in streams:
        return streams.index(of)
    if len(streams) >= STREAMS_MOST:
        return None
    streams.append(of)
    return len(streams) - 1
