"""The store: one session and the repositories over it."""

from collections.abc import Callable

import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.audit.last_seal import LastSealFile
from bot.storage.alerts import Alerts
from bot.storage.audit_log import AuditLog
from bot.storage.decisions import Decisions
from bot.storage.later_events import LaterEvents
from bot.storage.leases import Leases
from bot.storage.off_air import OffAir
from bot.storage.operations import Operations
from bot.storage.outbox import Outbox
from bot.storage.pushes import Pushes
from bot.storage.rate_limits import RateLimits
from bot.storage.requested_watches import RequestedWatches
from bot.storage.session import LEASE, Session
from bot.storage.shared_threads import SharedThreads
from bot.storage.sightings import Sightings
from bot.storage.sinks import Sinks
from bot.storage.snapshots import Snapshots
from bot.storage.statistics import Statistics
from bot.storage.verifications import Verifications
from bot.storage.watches import Watches


class Store:
    """The database. What a repository writes is on disk when its method returns.

    The arguments are those of Session. All methods of the repositories raise StoreError when
    the database cannot be reached, read or written.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        owner: str,
        audit_channel: str = "",
        lease: float = LEASE,
        signer: Signer | None = None,
        last_seal: LastSealFile | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        session = Session(
            engine,
            owner=owner,
            audit_channel=audit_channel,
            lease=lease,
            signer=signer,
            last_seal=last_seal,
            clock=clock,
        )
        self.session = session
        self.rate_limits = RateLimits(session)
        self.outbox = Outbox(session, self.rate_limits)
        self.audit_log = AuditLog(session, self.outbox)
        session.writer.on_tampering = self.audit_log.report_tampering
        later_events = LaterEvents(session, self.outbox)
        self.pushes = Pushes(session)
        self.watches = Watches(session, self.pushes)
        self.off_air = OffAir(session, self.outbox, later_events, self.watches)
        threads = SharedThreads(session, later_events)
        self.sightings = Sightings(session, self.outbox, later_events, self.off_air, threads)
        self.requested_watches = RequestedWatches(session, self.outbox, later_events)
        self.operations = Operations(
            session,
            outbox=self.outbox,
            off_air=self.off_air,
            watches=self.requested_watches,
            rate_limits=self.rate_limits,
        )
        self.decisions = Decisions(session, self.outbox)
        self.alerts = Alerts(session, self.outbox)
        self.sinks = Sinks(session)
        self.snapshots = Snapshots(session)
        self.statistics = Statistics(session)
        self.verifications = Verifications(session, self.outbox, later_events, threads)
        self.leases = Leases(session, self.audit_log)

    async def ready(self) -> None:
        """Raise StoreError unless the database can be written now."""
        await self.session.ready()

    async def close(self) -> None:
        """Finish the queued writes and disconnect."""
        await self.session.close()
