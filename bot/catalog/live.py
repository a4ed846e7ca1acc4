"""Cloud Streaming Services (Live): streams, bans, recordings.

Source: https://www.tencentcloud.com/document/product/267/30760
"""

from bot.kinds import hostname, integer, moment, reason, text
from bot.model import Action, Approval, Effect, Param, Product, Touch

LIVE = Product("live", version="2018-08-01", site="mainland")

_STREAM = Param("StreamName", "stream", text, "name of the stream, as in its push URL")
_DOMAIN = Param("DomainName", "domain", hostname, "your push domain")
_APP = Param("AppName", "app", text, "path of the push URL", default="live")
_WHERE = (_STREAM, _DOMAIN, _APP)

_ACCOUNT_ERRORS = (
    "ResourceNotFound.ForbidService",
    "ResourceNotFound.FreezeService",
    "ResourceNotFound.StopService",
    "ResourceNotFound.UserDisableService",
)
_STREAM_ERRORS = (
    "FailedOperation",
    "FailedOperation.CallOtherSvrFailed",
    "InternalError",
    "InternalError.CallOtherSvrError",
    "InternalError.ConfigNotExist",
    "InternalError.GetBizidError",
    "InternalError.GetStreamInfoError",
    "InternalError.GetUpstreamInfoError",
    "InternalError.NotPermmitOperat",
    "InternalError.StreamStatusError",
    "InternalError.UpdateDataError",
    "InvalidParameter",
    "InvalidParameterValue",
    "MissingParameter",
    *_ACCOUNT_ERRORS,
    "ResourceNotFound.UserNotExist",
)

DROP_LIVE_STREAM = Action(
    api="DropLiveStream",
    words="live",
    does="Cut the push of a live stream. The encoder may push again at once; ban keeps it off.",
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=100,
    params=_WHERE,
    errors=_STREAM_ERRORS,
    touch=Touch("stream", ("StreamName", "DomainName", "AppName"), becomes="inactive"),
    afterwards=(
        "An encoder that reconnects by itself may be back in seconds; "
        "/stopstream ban {stream} keeps it off. Tencent Cloud accepts this for a stream that "
        "was not live, too; /stopstream status live {stream} shows how it is."
    ),
    look="DescribeLiveStreamState",
)

RESUME_LIVE_STREAM = Action(
    api="ResumeLiveStream",
    words="live",
    does="Lift the ban of a live stream. It does not start the encoder.",
    product=LIVE,
    effect=Effect.START,
    repeatable=True,
    per_second=100,
    params=_WHERE,
    errors=_STREAM_ERRORS,
    touch=Touch("stream", ("StreamName", "DomainName", "AppName"), becomes="inactive"),
    afterwards="The stream may be pushed again; the encoder must do so itself.",
    undo="ForbidLiveStream",
    look="DescribeLiveStreamState",
)

FORBID_LIVE_STREAM = Action(
    api="ForbidLiveStream",
    words="ban",
    does=(
        "Cut a live stream and keep it off: for 7 days unless said otherwise. It goes by the "
        "stream's name alone, on every domain and path, unless Tencent's support has switched "
        "strict matching on."
    ),
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=200,
    params=(
        *_WHERE,
        Param(
            "ResumeTime",
            "for",
            moment(max_days=90),
            "how long, e.g. 12h or 7d, at most 90 days (7 days if left out)",
            required=False,
        ),
        Param("Reason", "reason", reason, "why, for the record", required=False),
    ),
    errors=_STREAM_ERRORS,
    touch=Touch("stream", ("StreamName", "DomainName", "AppName"), becomes="forbid"),
    afterwards=(
        "The ban goes by the stream's name, whatever its domain and path; "
        "/startstream live {stream} lifts it."
    ),
    undo="ResumeLiveStream",
    look="DescribeLiveStreamState",
)

DESCRIBE_LIVE_STREAM_STATE = Action(
    api="DescribeLiveStreamState",
    words="live",
    does="Read whether a stream is live (active), not pushed (inactive) or banned (forbid).",
    product=LIVE,
    effect=Effect.READ,
    repeatable=True,
    per_second=300,
    params=_WHERE,
    errors=_STREAM_ERRORS,
    touch=Touch(
        "stream",
        ("StreamName", "DomainName", "AppName"),
        shows=("StreamState", "inactive"),
    ),
)

STOP_LIVE_RECORD = Action(
    api="StopLiveRecord",
    words="record",
    does="End a recording that CreateLiveRecord began; its file is kept.",
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=200,
    params=(
        _STREAM,
        Param("TaskId", "task", integer, "the number that CreateLiveRecord gave"),
    ),
    errors=(
        "InternalError",
        "InternalError.GetConfigError",
        "InternalError.NetworkError",
        "InvalidParameter",
        "InvalidParameterValue",
        "MissingParameter",
        "ResourceNotFound.ChannelNotExist",
        *_ACCOUNT_ERRORS,
        "ResourceNotFound.TaskId",
    ),
    touch=Touch(
        "recording",
        ("StreamName", "TaskId"),
        becomes="finished",
        absent="ResourceNotFound.TaskId",
    ),
    words_for={
        "ResourceNotFound.TaskId": (
            "No recording of CreateLiveRecord has this number.",
            "If CreateRecordTask began it, use /stopstream record-task TASK region=… instead.",
        )
    },
    deprecated=(
        "Tencent Cloud advises against StopLiveRecord; recordings of CreateRecordTask are ended "
        "with record-task."
    ),
)

STOP_RECORD_TASK = Action(
    api="StopRecordTask",
    words="record-task",
    does="End a recording that CreateRecordTask began; the file is made, the task never resumes.",
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(Param("TaskId", "task", text, "the text that CreateRecordTask gave"),),
    errors=(
        "InternalError",
        "InternalError.GetConfigError",
        "InternalError.NetworkError",
        "InternalError.SystemError",
        "InvalidParameter",
        *_ACCOUNT_ERRORS,
        "ResourceUnavailable.InvalidVodStatus",
        "UnsupportedOperation",
    ),
    touch=Touch("record-task", ("TaskId",), becomes="finished", absent="InvalidParameter"),
    words_for={
        "InvalidParameter": (
            "Tencent Cloud knows no such task of CreateRecordTask in this region.",
            "Check the id and the region; CreateLiveRecord's numbers need /stopstream record.",
        )
    },
    regions={
        "mainland": ("ap-guangzhou",),
        "intl": (
            "ap-bangkok",
            "ap-guangzhou",
            "ap-hongkong",
            "ap-jakarta",
            "ap-mumbai",
            "ap-seoul",
            "ap-singapore",
            "ap-tokyo",
            "eu-frankfurt",
            "na-ashburn",
            "na-siliconvalley",
            "na-toronto",
            "sa-saopaulo",
        ),
    },
)

FORBID_LIVE_DOMAIN = Action(
    api="ForbidLiveDomain",
    words="domain",
    does="Switch a whole push or play domain off: every stream on it ends, and none can begin.",
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=100,
    params=(Param("DomainName", "domain", hostname, "the push or play domain"),),
    errors=(
        "InternalError",
        "InternalError.ConnectDbError",
        "InternalError.DBError",
        "ResourceNotFound",
        *_ACCOUNT_ERRORS,
    ),
    touch=Touch("domain", ("DomainName",), becomes="disabled", absent="ResourceNotFound"),
    least=Approval.CONFIRM,
    afterwards="Nothing can be pushed or played there now; /startstream domain {domain} undoes it.",
    undo="EnableLiveDomain",
)

ENABLE_LIVE_DOMAIN = Action(
    api="EnableLiveDomain",
    words="domain",
    does="Switch a push or play domain on again. It does not start the encoders.",
    product=LIVE,
    effect=Effect.START,
    repeatable=True,
    per_second=100,
    params=(Param("DomainName", "domain", hostname, "the push or play domain"),),
    errors=(
        "FailedOperation.SdkNoPackage",
        "InternalError",
        "InternalError.ConnectDbError",
        "InternalError.DBError",
        "InvalidParameter.CloudDomainIsStop",
        "InvalidParameter.DomainFormatError",
        "InvalidParameter.DomainHitBlackList",
        "ResourceNotFound",
        "ResourceNotFound.DomainNoRecord",
        *_ACCOUNT_ERRORS,
        "ResourceNotFound.InvalidUser",
    ),
    touch=Touch("domain", ("DomainName",), becomes="enabled", absent="ResourceNotFound"),
    least=Approval.CONFIRM,
    undo="ForbidLiveDomain",
)

ACTIONS = (
    DROP_LIVE_STREAM,
    RESUME_LIVE_STREAM,
    FORBID_LIVE_STREAM,
    DESCRIBE_LIVE_STREAM_STATE,
    STOP_LIVE_RECORD,
    STOP_RECORD_TASK,
    FORBID_LIVE_DOMAIN,
    ENABLE_LIVE_DOMAIN,
)
