"""Tencent Real-Time Communication: streams that are pulled into a room.

Source: https://www.tencentcloud.com/document/product/647/37078
"""

from bot.kinds import text, whole
from bot.model import Action, Effect, Param, Product, Touch

TRTC = Product("trtc", version="2019-07-22", site="intl")

_PARAMS = (
    Param("TaskId", "task", text, "the task's id, from StartStreamIngest"),
    Param("SdkAppId", "sdkappid", whole, "the TRTC application's id"),
)

STOP_STREAM_INGEST = Action(
    api="StopStreamIngest",
    words="ingest",
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
    touch=Touch(
        "ingest",
        ("TaskId", "SdkAppId"),
        becomes="finished",
        absent="InvalidParameter.TaskId",
        refused={"finished": "FailedOperation.TaskFinished"},
    ),
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
    already=frozenset({"FailedOperation.TaskFinished", "FailedOperation.TaskNotExist"}),
    afterwards="It cannot be resumed: StartStreamIngest makes a new task.",
    look="DescribeStreamIngest",
)

DESCRIBE_STREAM_INGEST = Action(
    api="DescribeStreamIngest",
    words="ingest",
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
    touch=Touch("ingest", ("TaskId", "SdkAppId"), shows=("Status", "NotExist")),
    # The mainland list is not published; its sibling's is taken.
    regions=STOP_STREAM_INGEST.regions,
)

ACTIONS = (STOP_STREAM_INGEST, DESCRIBE_STREAM_INGEST)
