"""Cloud Application Rendering: what a session pushes as a stream.

Source: https://www.tencentcloud.com/document/product/1158
"""

from bot.kinds import text
from bot.model import Action, Effect, Param, Product, Touch

CAR = Product("car", version="2022-01-10", site="mainland")

_USER = Param("UserId", "user", text, "the user's id in your application")
_ERRORS = (
    "FailedOperation",
    "InternalError",
    "InvalidParameter",
    "InvalidParameter.JsonParseError",
    "OperationDenied",
    "ResourceNotFound.SessionNotFound",
)

STOP_PUBLISH_STREAM = Action(
    api="StopPublishStream",
    words="car",
    does="Stop what a user's cloud rendering session pushes. The session itself goes on.",
    product=CAR,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(_USER,),
    errors=_ERRORS,
    touch=Touch("session", ("UserId",), becomes="idle", absent="ResourceNotFound.SessionNotFound"),
    already=frozenset({"ResourceNotFound.SessionNotFound"}),
    afterwards="/startstream car {user} pushes again while the session lives.",
    undo="StartPublishStream",
)

START_PUBLISH_STREAM = Action(
    api="StartPublishStream",
    words="car",
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
    touch=Touch(
        "session", ("UserId",), becomes="pushing", absent="ResourceNotFound.SessionNotFound"
    ),
    words_for={
        "ResourceNotFound.SessionNotFound": (
            "This user has no cloud rendering session, so there is nothing to push.",
            "Let the user connect first, or check the user's id.",
        )
    },
    undo="StopPublishStream",
)

ACTIONS = (STOP_PUBLISH_STREAM, START_PUBLISH_STREAM)
