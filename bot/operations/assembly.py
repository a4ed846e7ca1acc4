"""Builds the parts of this package and passes each what it needs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.metrics import Metrics
from bot.model.ports import Cloud, Directory
from bot.operations.account_domains import AccountDomains
from bot.operations.admission import Admission
from bot.operations.alert_service import AlertService
from bot.operations.approval_transitions import ApprovalTransitions
from bot.operations.approvals import ApprovalService
from bot.operations.authorizer import Authorizer
from bot.operations.decisions import Decisions
from bot.operations.evidence import EvidenceTaker
from bot.operations.executor import Executor
from bot.operations.live_streams import LiveStreams
from bot.operations.local_actions import LocalActions
from bot.operations.moderation import ModerationService
from bot.operations.near_targets import NearTargets
from bot.operations.pictures import Pictures
from bot.operations.prior_state import PriorState
from bot.operations.queries import Queries
from bot.operations.rate_limiter import RateLimiter
from bot.operations.scheduler import Scheduler
from bot.operations.service import Service
from bot.operations.snapshots import SnapshotService
from bot.operations.state_reader import StateReader
from bot.operations.stream_watcher import StreamWatcher
from bot.operations.tasks import OperationTasks
from bot.operations.touched import TouchedReader
from bot.operations.transitions import ASK_EXPIRES, Transitions
from bot.operations.verifier import Verifier
from bot.operations.worker import Worker
from bot.policy.loader import LoadedPolicy
from bot.storage.store import Store
from bot.supervision import Supervisor
from bot.traces import NO_TRACES, Traces


@dataclass(frozen=True, slots=True)
class Operations:
    """The parts that others use; none has started yet."""

    authorizer: Authorizer
    worker: Worker
    verifier: Verifier
    approvals: ApprovalService
    service: Service
    watcher: StreamWatcher
    alerts: AlertService
    moderation: ModerationService
    snapshots: SnapshotService


def assemble(
    *,
    store: Store,
    cloud: Cloud,
    directory: Directory,
    policy: Callable[[], LoadedPolicy],
    team: str,
    metrics: Metrics,
    supervisor: Supervisor,
    traces: Traces = NO_TRACES,
    retry_after: float = 1.0,
    ask_expires: float = ASK_EXPIRES,
    alert_channel: str = "",
    picture_hosts: Sequence[str] = (),
    clock: Callable[[], float] = time.time,
) -> Operations:
    """Build the service with the worker and the approvals behind it.

    Args:
        policy: Returns the policy as it is now.
        team: The workspace the bot belongs to.
        retry_after: Seconds before a request's second try; doubled for each further one.
        ask_expires: Seconds that may pass from the asking, or the last consent, to the sending.
        alert_channel: Where the notices of monitoring systems are shown; may be empty.
        picture_hosts: See `pictures.is_allowed`.
        clock: Epoch seconds, for all that is not asked of the store.
    """
    authorizer = Authorizer(store=store, directory=directory, policy=policy, team=team)
    limiter = RateLimiter(store, metrics)
    reader = StateReader(
        cloud=cloud, limiter=limiter, authorizer=authorizer, pushes=store.pushes, clock=clock
    )
    tasks = OperationTasks(store=store, metrics=metrics)
    transitions = Transitions(
        store=store, authorizer=authorizer, metrics=metrics, ask_expires=ask_expires, clock=clock
    )
    prior = PriorState(reader)
    domains = AccountDomains(reader=reader, policy=policy)
    scheduler = Scheduler(
        store=store,
        authorizer=authorizer,
        transitions=transitions,
        executor=Executor(
            cloud=cloud,
            limiter=limiter,
            prior=prior,
            reader=reader,
            metrics=metrics,
            traces=traces,
            patience=retry_after,
            clock=clock,
        ),
        prior=prior,
        local_actions=LocalActions(
            store=store, authorizer=authorizer, transitions=transitions, reader=reader
        ),
        evidence=EvidenceTaker(
            store=store,
            cloud=cloud,
            limiter=limiter,
            authorizer=authorizer,
            policy=policy,
            clock=clock,
        ),
        tasks=tasks,
        supervisor=supervisor,
        clock=clock,
    )
    admission = Admission(
        store=store,
        cloud=cloud,
        authorizer=authorizer,
        reader=reader,
        near=NearTargets(store=store, reader=reader),
        domains=domains,
        transitions=transitions,
        scheduler=scheduler,
        traces=traces,
        clock=clock,
    )
    verifier = Verifier(store=store, reader=reader, metrics=metrics, clock=clock)
    worker = Worker(
        store=store,
        tasks=tasks,
        transitions=transitions,
        scheduler=scheduler,
        admission=admission,
        verifier=verifier,
        metrics=metrics,
        supervisor=supervisor,
    )
    approval_transitions = ApprovalTransitions(store, metrics)
    approvals = ApprovalService(
        store=store,
        authorizer=authorizer,
        decisions=Decisions(
            store=store,
            authorizer=authorizer,
            reader=reader,
            transitions=approval_transitions,
            worker=worker,
        ),
        transitions=approval_transitions,
        supervisor=supervisor,
    )
    live = LiveStreams(reader=reader, domains=domains, pushes=store.pushes)
    service = Service(
        store=store,
        worker=worker,
        admission=admission,
        approvals=approvals,
        authorizer=authorizer,
        queries=Queries(
            store=store,
            reader=reader,
            live=live,
            approvals=approvals,
            directory=directory,
            policy=policy,
            team=team,
        ),
        touched=TouchedReader(store=store, reader=reader, approvals=approvals, clock=clock),
        policy=policy,
        metrics=metrics,
        traces=traces,
        clock=clock,
    )
    watcher = StreamWatcher(
        store=store,
        authorizer=authorizer,
        reader=reader,
        live=live,
        supervisor=supervisor,
        metrics=metrics,
        clock=clock,
    )
    alerts = AlertService(
        store=store, service=service, policy=policy, channel=alert_channel, clock=clock
    )
    pictures = Pictures(picture_hosts)
    moderation = ModerationService(
        store=store,
        alerts=alerts,
        authorizer=authorizer,
        reader=reader,
        pictures=pictures,
        policy=policy,
        clock=clock,
    )
    return Operations(
        authorizer,
        worker,
        verifier,
        approvals,
        service,
        watcher,
        alerts,
        moderation,
        SnapshotService(store=store, pictures=pictures),
    )
