"""Tencent Real-Time Communication: rooms, what is pulled into them, relayed and recorded.

Source: https://www.tencentcloud.com/document/product/647/37078
"""

from collections.abc import Mapping

from bot.catalog.param_types import (
    address,
    integer,
    number,
    room_name,
    tempo,
    text,
    user_ids,
    whole,
    yes_or_no,
)
from bot.model.actions import (
    Action,
    Effect,
    EffectSpec,
    Emulation,
    Param,
    Product,
    ResourceType,
    Site,
)

TRTC = Product("trtc", version="2019-07-22", site="intl")

INGEST = ResourceType("ingest", ("InProgress", "finished"), gone=("finished",))
# A room with a number and one with a name are different, even if both are called 1.
ROOM = ResourceType("room", ("open", "dismissed"), gone=("dismissed",))
NAMED_ROOM = ResourceType("named-room", ROOM.states, ROOM.gone)
RELAY = ResourceType("cdn", ("running", "finished"), gone=("finished",))
CLOUD_RECORD = ResourceType("cloud-record", ("InProgress", "Exited"), gone=("Exited",))
WEB_RECORD = ResourceType("web-record", ("running", "finished"), gone=("finished",))

_APP = Param("SdkAppId", "sdkappid", whole, "the TRTC application's id", example="1400000000")


def _task(begun_by: str) -> Param:
    return Param("TaskId", "task", text, f"the task's id, from {begun_by}", example="1234")


_PARAMS = (_task("StartStreamIngest"), _APP)
_KEY = ("TaskId", "SdkAppId")

STOP_STREAM_INGEST = Action(
    api="StopStreamIngest",
    words="ingest",
    title="Stop {a pull task}",
    does="Stop pulling a stream into a TRTC room. A new start makes a new task.",
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=_PARAMS,
    errors=(
        "FailedOperation.TaskFinished",
        "InvalidParameter.BodyParamsError",
        "InvalidParameter.SdkAppId",
        "InvalidParameter.TaskId",
    ),
    effect_spec=EffectSpec(
        INGEST,
        _KEY,
        new_state="finished",
        absent="InvalidParameter.TaskId",
    ),
    emulation=Emulation(refused={"finished": "FailedOperation.TaskFinished"}),
    regions={
        "mainland": (
            "ap-beijing",
            "ap-chongqing",
            "ap-guangzhou",
            "ap-shanghai",
            "ap-singapore",
        ),
        "intl": ("ap-bangkok", "ap-jakarta", "ap-mumbai", "ap-singapore"),
    },
    already_codes=frozenset({"FailedOperation.TaskFinished", "FailedOperation.TaskNotExist"}),
    afterwards="It cannot be resumed: StartStreamIngest makes a new task.",
    status_read="DescribeStreamIngest",
    toggles="off",
)

DESCRIBE_STREAM_INGEST = Action(
    api="DescribeStreamIngest",
    words="ingest",
    title="Check {a pull task}",
    does="Read whether a pull task is running (InProgress) or not (NotExist).",
    product=TRTC,
    effect=Effect.READ,
    repeatable=True,
    per_second=20,
    params=_PARAMS,
    errors=(
        "FailedOperation.QueryTaskInfoFailed",
        "InternalError.DBError",
        "InvalidParameter.TaskId",
        "MissingParameter.SdkAppId",
        "MissingParameter.TaskId",
    ),
    effect_spec=EffectSpec(INGEST, _KEY, state_field=("Status", "NotExist")),
    # The mainland list is not published; that of the related API is used.
    regions=STOP_STREAM_INGEST.regions,
)

# The last one is that of the example: what starts there can be stopped there, too.
_PULL_REGIONS = (
    "ap-bangkok",
    "ap-guangzhou",
    "ap-jakarta",
    "ap-mumbai",
    "ap-tokyo",
    "ap-singapore",
)
_VOLUME = Param("Volume", "volume", number(0, 200), "how loud; 100 is as it comes", required=False)
_PROGRESS = Param(
    "EnableProgress",
    "progress",
    yes_or_no,
    "whether players are told how far it is",
    required=False,
    only="mainland",
)
_TEMPO = Param("Tempo", "tempo", tempo, "how fast it plays", required=False, only="mainland")

UPDATE_STREAM_INGEST = Action(
    api="UpdateStreamIngest",
    words="pause",
    title="Pause {a pull task}",
    synonyms=("resume", "unpause", "continue"),
    summary="paused=no resumes it",
    does=(
        "Pause a stream that is pulled into a TRTC room, or resume it with paused=no. It is billed "
        "while paused, and destroyed after 12 hours."
    ),
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(
        *_PARAMS,
        Param(
            "IsPause",
            "paused",
            yes_or_no,
            "no resumes it",
            default=True,
            required=False,
        ),
        Param(
            "StreamUrl",
            "pullurl",
            address,
            "another address to pull from; it may hold a key, so it is never shown",
            required=False,
            secret=True,
        ),
        _VOLUME,
        _PROGRESS,
        _TEMPO,
    ),
    errors=(
        "FailedOperation.TaskNotExist",
        "InternalError.DBError",
        "InvalidParameter.StreamUrl",
        "InvalidParameter.TaskId",
        "MissingParameter.SdkAppId",
        "MissingParameter.TaskId",
    ),
    effect_spec=EffectSpec(
        INGEST,
        _KEY,
        new_state="InProgress",
        absent="FailedOperation.TaskNotExist",
        state_field=("Status", "NotExist"),
    ),
    error_notes={
        "FailedOperation.TaskNotExist": (
            "No such pull task runs here, so nothing was paused or resumed.",
            "Check the task's id and its region; a finished task needs a new StartStreamIngest.",
        )
    },
    regions={
        "mainland": (
            "ap-beijing",
            "ap-chongqing",
            "ap-guangzhou",
            "ap-shanghai",
            "ap-singapore",
        ),
        "intl": _PULL_REGIONS,
    },
    afterwards=(
        "It is billed while paused, and destroyed after 12 hours. To resume it, add paused=no; "
        "/stopstream ingest {task} ends it."
    ),
    status_read="DescribeStreamIngest",
    toggle_param="IsPause",
)

START_STREAM_INGEST = Action(
    api="StartStreamIngest",
    words="ingest",
    title="Pull a stream into {a room}",
    does=(
        "Pull a stream into a TRTC room as a robot user. Its answer names the task that "
        "ends it. What begins in ap-guangzhou or ap-tokyo of the international site cannot be "
        "ended there by this bot: that API does not list them."
    ),
    product=TRTC,
    effect=Effect.START,
    # Every start creates a task of its own.
    repeatable=False,
    per_second=20,
    params=(
        Param("RoomId", "room", text, "the room's number or name", example="1234"),
        # The API page calls it optional only together with a deprecated parameter.
        Param(
            "StreamUrl",
            "pullurl",
            address,
            "the address to pull from; it may hold a key, so it is never shown",
            secret=True,
            example="rtmp://pull.example.com/live/stream1",
        ),
        Param("UserId", "user", text, "the robot's user id in the room", example="robot1"),
        Param(
            "UserSig",
            "sig",
            text,
            "the robot's signature; it is as good as a password, so it is never shown",
            secret=True,
        ),
        _APP,
        Param(
            "RoomIdType",
            "type",
            number(0, 1),
            "0 where the room goes by a name, 1 by a number",
        ),
        Param(
            "PrivateMapKey",
            "mapkey",
            text,
            "the ticket where the application demands one to enter; it is never shown",
            required=False,
            secret=True,
        ),
        Param("SeekSecond", "seek", integer, "where in the file to begin, in s", required=False),
        Param("AutoPush", "autopush", yes_or_no, "relay it to the CDN, too", required=False),
        Param(
            "RepeatNum",
            "repeat",
            number(-1, 1000, "int64"),
            "how often a file is played; -1 for ever",
            required=False,
        ),
        Param(
            "MaxDuration",
            "minutes",
            number(1, 10_080, "int64"),
            "how long at most, with repeat=-1",
            required=False,
        ),
        _VOLUME,
        _PROGRESS,
        _TEMPO,
        Param(
            "IdleTimeout",
            "idle",
            number(0, 600, "int64"),
            "after how many idle seconds the task ends by itself",
            required=False,
            only="mainland",
        ),
    ),
    errors=(
        "FailedOperation.NotAllowed",
        "FailedOperation.RestrictedConcurrency",
        "FailedOperation.TaskExist",
        "InternalError.HttpParseFailed",
        "InternalError.InternalError",
        "InvalidParameter.BodyParamsError",
        "InvalidParameter.RoomId",
        "InvalidParameter.SdkAppId",
        "InvalidParameter.StrRoomId",
        "InvalidParameter.StreamUrl",
        "InvalidParameter.TaskId",
        "InvalidParameter.UserSig",
        "MissingParameter.RoomId",
        "MissingParameter.SdkAppId",
        "MissingParameter.TaskId",
        "ResourceInsufficient.RequestRejection",
    ),
    effect_spec=EffectSpec(INGEST, _KEY, new_state="InProgress", creates="TaskId"),
    # The mainland list is not published; that of the related API is used.
    regions=UPDATE_STREAM_INGEST.regions,
    afterwards="/stopstream ingest with the TaskId above ends it.",
    undo="StopStreamIngest",
    toggles="on",
)

_ROOM_ERRORS = (
    "FailedOperation.RoomNotExist",
    "InternalError",
    "InternalError.GetRoomCacheIpError",
    "InvalidParameter.RoomId",
    "InvalidParameter.SdkAppId",
    "InvalidParameterValue.RoomId",
    "MissingParameter.RoomId",
    "MissingParameter.SdkAppId",
    "UnauthorizedOperation.SdkAppId",
)
_ROOM_KEY = ("RoomId", "SdkAppId")
# Only the page of DismissRoomByStrRoomId has both lists; related ones have one or none.
_ROOM_REGIONS: Mapping[Site, tuple[str, ...]] = {
    "mainland": ("ap-beijing", "ap-guangzhou"),
    "intl": ("ap-beijing", "ap-guangzhou", "ap-singapore"),
}
# What a client can enter: roomId and strRoomId of TRTCParams in the SDKs' reference,
# https://pub.dev/documentation/tencent_rtc_sdk/latest/trtc_cloud_def/TRTCParams-class.html
_NUMBER = Param("RoomId", "room", number(1, 4_294_967_294), "the room's number", example="1234")
_NAME = Param("RoomId", "room", room_name, "the room's name")
_USERS = Param(
    "UserIds", "users", user_ids(10), "who is thrown out, e.g. alice,bob", example="alice,bob"
)
_COME_BACK = "Nothing keeps anyone from joining again: have your application refuse them."
_OVER = frozenset({"FailedOperation.RoomNotExist"})

DISMISS_ROOM = Action(
    api="DismissRoom",
    words="dismiss",
    title="Close {a numbered room}",
    does="Throw everyone out of a TRTC room that goes by a number, and close it.",
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(_NUMBER, _APP),
    errors=(*_ROOM_ERRORS, "InternalError.GetRoomFromCacheError"),
    effect_spec=EffectSpec(
        ROOM, _ROOM_KEY, new_state="dismissed", absent="FailedOperation.RoomNotExist"
    ),
    regions=_ROOM_REGIONS,
    already_codes=_OVER,
    afterwards=_COME_BACK,
    toggles="off",
)

DISMISS_ROOM_BY_STR_ROOM_ID = Action(
    api="DismissRoomByStrRoomId",
    words="dismiss-str",
    title="Close {a named room}",
    does="Throw everyone out of a TRTC room that goes by a name, and close it.",
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(_NAME, _APP),
    errors=_ROOM_ERRORS,
    effect_spec=EffectSpec(
        NAMED_ROOM, _ROOM_KEY, new_state="dismissed", absent="FailedOperation.RoomNotExist"
    ),
    regions=_ROOM_REGIONS,
    already_codes=_OVER,
    afterwards=_COME_BACK,
    toggles="off",
)

REMOVE_USER = Action(
    api="RemoveUser",
    words="remove",
    title="Remove people from {a numbered room}",
    does="Throw up to 10 users out of a TRTC room that goes by a number; the others stay.",
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(_NUMBER, _USERS, _APP),
    errors=(
        *_ROOM_ERRORS,
        "InternalError.GetRoomFromCacheError",
        "InvalidParameter.UserIds",
        "MissingParameter.UserIds",
    ),
    effect_spec=EffectSpec(
        ROOM, _ROOM_KEY, new_state="open", absent="FailedOperation.RoomNotExist"
    ),
    regions=_ROOM_REGIONS,
    already_codes=_OVER,
    afterwards=_COME_BACK,
)

REMOVE_USER_BY_STR_ROOM_ID = Action(
    api="RemoveUserByStrRoomId",
    words="remove-str",
    title="Remove people from {a named room}",
    does="Throw up to 10 users out of a TRTC room that goes by a name; the others stay.",
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(_NAME, _USERS, _APP),
    errors=(*_ROOM_ERRORS, "InvalidParameter.UserIds", "MissingParameter.UserIds"),
    effect_spec=EffectSpec(
        NAMED_ROOM, _ROOM_KEY, new_state="open", absent="FailedOperation.RoomNotExist"
    ),
    regions=_ROOM_REGIONS,
    already_codes=_OVER,
    afterwards=_COME_BACK,
)

_CAM_ERRORS = (
    "AuthFailure",
    "AuthFailure.UnRealNameAuthenticated",
    "AuthFailure.UnauthorizedOperation",
    "AuthFailure.UnsupportedOperation",
    "FailedOperation.CRUnsupportMethod",
)
_NO_TASK_HERE = {
    "ResourceNotFound": (
        "No such task runs here; it may have ended.",
        "Check the task's id, its SdkAppId and its region: all three must belong together.",
    )
}

STOP_PUBLISH_CDN_STREAM = Action(
    api="StopPublishCdnStream",
    words="cdn",
    title="Stop {a CDN relay}",
    does="Stop relaying a TRTC room to a CDN. The room itself stays open.",
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(
        _task("StartPublishCdnStream"),
        _APP,
        Param(
            "RecordKey",
            "record",
            text,
            "ends this recording of the relay at once, too",
            required=False,
            only="mainland",
        ),
    ),
    errors=(
        *_CAM_ERRORS,
        "InternalError",
        "InvalidParameter",
        "MissingParameter",
        "ResourceNotFound",
    ),
    effect_spec=EffectSpec(
        RELAY,
        _KEY,
        new_state="finished",
        absent="ResourceNotFound",
        echoes={"TaskId": "TaskId"},
    ),
    error_notes=_NO_TASK_HERE,
    # The mainland list is not published; the international one is used.
    regions={
        "mainland": ("ap-guangzhou", "ap-hongkong", "ap-singapore"),
        "intl": ("ap-guangzhou", "ap-hongkong", "ap-singapore"),
    },
    afterwards="It cannot be resumed: StartPublishCdnStream makes a new task.",
    toggles="off",
)

_RECORD_ERRORS = (
    *_CAM_ERRORS,
    "InternalError.CRInternalError",
    "InvalidParameter.OutOfRange",
    "InvalidParameter.SdkAppId",
    "MissingParameter.RoomId",
    "MissingParameter.SdkAppId",
    "MissingParameter.TaskId",
    "MissingParameter.UserId",
    "ResourceNotFound",
)

DELETE_CLOUD_RECORDING = Action(
    api="DeleteCloudRecording",
    words="cloud-record",
    title="Stop {a cloud recording}",
    does="End a recording of a TRTC room. Despite the API's name, what it has written is kept.",
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(_task("CreateCloudRecording"), _APP),
    errors=_RECORD_ERRORS,
    effect_spec=EffectSpec(
        CLOUD_RECORD,
        _KEY,
        new_state="Exited",
        absent="ResourceNotFound",
        echoes={"TaskId": "TaskId"},
    ),
    error_notes=_NO_TASK_HERE,
    # The mainland list is not published; the international one is used.
    regions={
        "mainland": ("ap-beijing", "ap-guangzhou", "ap-mumbai", "ap-shanghai", "ap-singapore"),
        "intl": ("ap-beijing", "ap-guangzhou", "ap-mumbai", "ap-shanghai", "ap-singapore"),
    },
    afterwards="It cannot be resumed: CreateCloudRecording makes a new task. Its files are kept.",
    status_read="DescribeCloudRecording",
    toggles="off",
)

DESCRIBE_CLOUD_RECORDING = Action(
    api="DescribeCloudRecording",
    words="cloud-record",
    title="Check {a cloud recording}",
    does="Read how a recording of a TRTC room is; one that has ended is answered with an error.",
    product=TRTC,
    effect=Effect.READ,
    repeatable=True,
    per_second=20,
    params=(
        *DELETE_CLOUD_RECORDING.params,
        Param(
            "RecorderKey",
            "recorder",
            text,
            "the key that its start was given",
            required=False,
            only="mainland",
        ),
    ),
    errors=(*_RECORD_ERRORS, "FailedOperation"),
    effect_spec=EffectSpec(
        CLOUD_RECORD,
        _KEY,
        absent="ResourceNotFound",
        state_field=("Status", "Exited"),
        echoes={"TaskId": "TaskId"},
    ),
    error_notes=_NO_TASK_HERE,
    # No list is published; that of the stopping API is used.
    regions=DELETE_CLOUD_RECORDING.regions,
)

STOP_WEB_RECORD = Action(
    api="StopWebRecord",
    words="web-record",
    title="Stop {a web recording}",
    does="End the recording of a web page; its file is made.",
    product=TRTC,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(_task("StartWebRecord"),),
    errors=("FailedOperation.TaskNotExist", "InvalidParameter.TaskId"),
    effect_spec=EffectSpec(
        WEB_RECORD, ("TaskId",), new_state="finished", absent="FailedOperation.TaskNotExist"
    ),
    # The mainland list is not published; the international one is used.
    regions={"mainland": ("ap-singapore",), "intl": ("ap-singapore",)},
    already_codes=frozenset({"FailedOperation.TaskNotExist"}),
    afterwards="It cannot be resumed: StartWebRecord makes a new task.",
    status_read="DescribeWebRecord",
    toggles="off",
)

DESCRIBE_WEB_RECORD = Action(
    api="DescribeWebRecord",
    words="web-record",
    title="Check {a web recording}",
    does="Read whether a web page is being recorded: Status 1 says that it is.",
    product=TRTC,
    effect=Effect.READ,
    repeatable=True,
    # Its own limit is not published; that of related APIs is used.
    per_second=20,
    params=(
        # The API also accepts the other two parameters instead; one way is enough.
        *STOP_WEB_RECORD.params,
        Param(
            "SdkAppId",
            "sdkappid",
            integer,
            "the TRTC application's id, needed with recordid",
            required=False,
        ),
        Param("RecordId", "recordid", text, "the id that its start was given", required=False),
    ),
    errors=STOP_WEB_RECORD.errors,
    effect_spec=EffectSpec(
        WEB_RECORD,
        ("TaskId",),
        absent="FailedOperation.TaskNotExist",
        state_field=("Status", ""),
        state_values={"running": 1},
    ),
    # No list is published; that of the stopping API is used.
    regions=STOP_WEB_RECORD.regions,
)

ACTIONS = (
    STOP_STREAM_INGEST,
    DESCRIBE_STREAM_INGEST,
    UPDATE_STREAM_INGEST,
    START_STREAM_INGEST,
    DISMISS_ROOM,
    DISMISS_ROOM_BY_STR_ROOM_ID,
    REMOVE_USER,
    REMOVE_USER_BY_STR_ROOM_ID,
    STOP_PUBLISH_CDN_STREAM,
    DELETE_CLOUD_RECORDING,
    DESCRIBE_CLOUD_RECORDING,
    STOP_WEB_RECORD,
    DESCRIBE_WEB_RECORD,
)
