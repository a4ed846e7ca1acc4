"""Cloud Application Rendering: what a session pushes as a stream.

Source: https://www.tencentcloud.com/document/product/1158
"""

from bot.catalog.param_types import rtmp, text
from bot.model.actions import Action, Effect, EffectSpec, Param, Product, ResourceType

CAR = Product("car", version="2022-01-10", site="mainland")

# The user's id is the name of the stream that the session pushes.
SESSION = ResourceType(
    "session", ("pushing", "idle", "ended"), gone=("ended",), of="stream", by=("UserId",)
)

_USER = Param("UserId", "user", text, "the user's id in your application")
_ERRORS = (
    "FailedOperation",
    "InternalError",
    "InvalidParameter",
    "InvalidParameter.JsonParseError",
    "OperationDenied",
    "ResourceNotFound.SessionNotFound",
)

_NO_SESSION = {
    "ResourceNotFound.SessionNotFound": (
        "This user has no cloud rendering session, so there is nothing to push.",
        "Let the user connect first, or check the user's id.",
    )
}

STOP_PUBLISH_STREAM = Action(
    api="StopPublishStream",
    words="car",
    title="Stop the push of {a session}",
    does="Stop what a user's cloud rendering session pushes. The session itself keeps running.",
    product=CAR,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(_USER,),
    errors=_ERRORS,
    effect_spec=EffectSpec(
        SESSION, ("UserId",), new_state="idle", absent="ResourceNotFound.SessionNotFound"
    ),
    already_codes=frozenset({"ResourceNotFound.SessionNotFound"}),
    afterwards="/startstream car {user} starts the push again, as long as the session exists.",
    undo="StartPublishStream",
    toggles="off",
)

START_PUBLISH_STREAM = Action(
    api="StartPublishStream",
    words="car",
    title="Start the push of {a session}",
    does="Push the picture of a user's cloud rendering session; the user's id is the stream name.",
    product=CAR,
    effect=Effect.START,
    # A second start would interrupt a push that runs.
    repeatable=False,
    per_second=20,
    params=(
        _USER,
        Param(
            "PublishStreamArgs",
            "args",
            text,
            "what is added to the push URL; it may hold its key, so it is never shown",
            required=False,
            secret=True,
        ),
    ),
    errors=_ERRORS,
    effect_spec=EffectSpec(
        SESSION, ("UserId",), new_state="pushing", absent="ResourceNotFound.SessionNotFound"
    ),
    error_notes=_NO_SESSION,
    undo="StopPublishStream",
    toggles="on",
)

START_PUBLISH_STREAM_WITH_URL = Action(
    api="StartPublishStreamWithURL",
    words="car-url",
    title="Push {a session} to an address",
    does="Push the picture of a user's cloud rendering session to an address of your own.",
    product=CAR,
    effect=Effect.START,
    # As with StartPublishStream, a second start would interrupt a push that runs.
    repeatable=False,
    per_second=20,
    params=(
        _USER,
        Param(
            "PublishStreamURL",
            "pushurl",
            rtmp,
            "where to push, rtmp alone; it holds a stream key, so it is never shown",
            secret=True,
            example="rtmp://push.example.com/live/stream1",
        ),
    ),
    errors=_ERRORS,
    effect_spec=START_PUBLISH_STREAM.effect_spec,
    error_notes=_NO_SESSION,
    afterwards="/stopstream car {user} ends it.",
    undo="StopPublishStream",
    toggles="on",
)

DESTROY_SESSION = Action(
    api="DestroySession",
    words="session",
    title="End {a session}",
    does=(
        "End a user's cloud rendering session and with it what it pushes. What the application "
        "had not saved is lost."
    ),
    product=CAR,
    effect=Effect.STOP,
    repeatable=True,
    per_second=100,
    params=(_USER,),
    errors=(
        "FailedOperation",
        "FailedOperation.ProcessTimeout",
        "InternalError",
        "InvalidParameter.JsonParseError",
        "ResourceUnavailable.AccessFailed",
    ),
    effect_spec=EffectSpec(SESSION, ("UserId",), new_state="ended"),
    already_codes=frozenset({"ResourceNotFound.SessionNotFound"}),
    afterwards="This can't be undone: the user's next session starts fresh.",
    toggles="off",
)

DESCRIBE_CONCURRENT_COUNT = Action(
    api="DescribeConcurrentCount",
    words="concurrency",
    title="Count sessions",
    does=(
        "Read how many cloud rendering sessions there may be at once (Total) and are in use "
        "(Running). No API reads a single session."
    ),
    product=CAR,
    effect=Effect.READ,
    repeatable=True,
    per_second=20,
    params=(
        Param("ProjectId", "project", text, "of one project alone", required=False),
        Param(
            "ApplicationCategory",
            "category",
            text,
            "DESKTOP or MOBILE",
            required=False,
            only="mainland",
        ),
    ),
    errors=(
        "FailedOperation",
        "FailedOperation.LockTimeout",
        "FailedOperation.PathNotFound",
        "FailedOperation.ProcessTimeout",
        "FailedOperation.SlowDown",
        "InternalError",
        "InvalidParameter.JsonParseError",
        "InvalidParameterValue",
        "LimitExceeded.Role",
        "OperationDenied",
        "ResourceNotFound.NoIdle",
        "ResourceNotFound.SessionNotFound",
        "ResourceUnavailable.Initialization",
        "UnsupportedOperation.Stopping",
    ),
    effect_spec=EffectSpec(
        SESSION,
        (),
        state_field=("Running", "0"),
        counts={"Total": SESSION.states, "Running": ("pushing", "idle")},
    ),
)

ACTIONS = (
    STOP_PUBLISH_STREAM,
    START_PUBLISH_STREAM,
    START_PUBLISH_STREAM_WITH_URL,
    DESTROY_SESSION,
    DESCRIBE_CONCURRENT_COUNT,
)
