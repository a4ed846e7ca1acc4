"""Cloud Streaming Services (Live): streams, bans, pads, delays, recordings, domains.

Source: https://www.tencentcloud.com/document/product/267/30760
"""

from bot.catalog.param_types import (
    hostname,
    integer,
    moment,
    number,
    reason,
    text,
    timestamp,
    whole,
)
from bot.model.actions import (
    Action,
    ActiveRows,
    Approval,
    Effect,
    EffectSpec,
    Emulation,
    Param,
    Product,
    ReadingTemplate,
    ResourceType,
)

LIVE = Product("live", version="2018-08-01", site="mainland")

# A ban and its removal depend on the stream's name alone; so must a hold.
STREAM = ResourceType("stream", ("active", "inactive", "forbid"), on="active", by=("StreamName",))
PAD = ResourceType("pad", ("on", "off"), on="off", of="stream", by=("StreamName",))
DELAY = ResourceType("delay", ("set", "off"))
RECORDING = ResourceType("recording", ("running", "finished"))
RECORD_TASK = ResourceType("record-task", ("running", "finished"))
SCREENSHOT_TASK = ResourceType("screenshot-task", ("running", "finished"))
DOMAIN = ResourceType("domain", ("enabled", "disabled"), on="enabled")

_STREAM = Param("StreamName", "stream", text, "name of the stream, as in its push URL")
_DOMAIN = Param("DomainName", "domain", hostname, "your push domain")
_APP = Param("AppName", "app", text, "path of the push URL", default="live")
_WHERE = (_STREAM, _DOMAIN, _APP)
STREAM_KEY = ("StreamName", "DomainName", "AppName")
_LIVE_NOW = ("DescribeLiveStreamOnlineList",)
_ON_AIR = (*_LIVE_NOW, "DescribeRecordTask")

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
    title="Stop {a live stream}",
    impact="The encoder may reconnect.",
    synonyms=(
        *("drop", "kill", "cut", "disconnect", "end", "terminate", "shutdown", "stoplive"),
        *("stop-live", "stop_live", "\u505c", "\u505c\u6b62", "\u505c\u64ad", "\u65ad\u6d41"),
    ),
    summary="cuts a live stream",
    does=(
        "Cut a live stream. Its encoder may reconnect at once; for=30m bans the stream for that "
        "long."
    ),
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=100,
    params=_WHERE,
    errors=_STREAM_ERRORS,
    effect_spec=EffectSpec(STREAM, STREAM_KEY, new_state="inactive"),
    longer_variant="ForbidLiveStream",
    status_read="DescribeLiveStreamState",
    impact_reads=_ON_AIR,
    toggles="off",
)

RESUME_LIVE_STREAM = Action(
    api="ResumeLiveStream",
    words="live",
    title="Unban {a stream}",
    synonyms=(
        "unban",
        "unblock",
        "unforbid",
        "allow",
        "lift",
        "restart",
        "resume",
        "unpause",
        "continue",
    ),
    summary="lifts a ban",
    does="Lift the ban of a live stream. It does not start the encoder.",
    product=LIVE,
    effect=Effect.START,
    repeatable=True,
    per_second=100,
    params=_WHERE,
    errors=_STREAM_ERRORS,
    effect_spec=EffectSpec(STREAM, STREAM_KEY, new_state="inactive"),
    afterwards="The encoder has to reconnect on its own.",
    undo="ForbidLiveStream",
    status_read="DescribeLiveStreamState",
    impact_reads=_ON_AIR,
    toggles="on",
)

FORBID_LIVE_STREAM = Action(
    api="ForbidLiveStream",
    words="ban",
    title="Ban {a stream}",
    impact="Applies on every domain.",
    synonyms=("block", "forbid", "blacklist", "\u5c01\u7981", "\u7981\u64ad", "\u7981\u63a8"),
    summary="cuts a stream and keeps it off",
    does=(
        "Cut a live stream and keep it off: for 7 days unless you say otherwise. It goes by the "
        "stream's name alone, on every domain and path, unless Tencent's support has switched "
        "strict matching on. With domain groups, name the domain that it is pushed to, or it "
        "stays live."
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
    effect_spec=EffectSpec(STREAM, STREAM_KEY, new_state="forbid"),
    afterwards="/startstream live {stream} lifts the ban.",
    undo="ResumeLiveStream",
    status_read="DescribeLiveStreamState",
    impact_reads=_ON_AIR,
    toggles="off",
    expiry=("ResumeTime", 7 * 86_400.0),
)

DESCRIBE_LIVE_STREAM_STATE = Action(
    api="DescribeLiveStreamState",
    words="live",
    title="Check {a stream}",
    does="Read whether a stream is live (active), not pushed (inactive) or banned (forbid).",
    product=LIVE,
    effect=Effect.READ,
    repeatable=True,
    per_second=300,
    params=_WHERE,
    errors=_STREAM_ERRORS,
    effect_spec=EffectSpec(STREAM, STREAM_KEY, state_field=("StreamState", "inactive")),
)

DESCRIBE_LIVE_STREAM_ONLINE_LIST = Action(
    api="DescribeLiveStreamOnlineList",
    words="online",
    title="List live streams",
    does=(
        "Read which streams are live, and how many (TotalNum). Of several domains or paths it "
        "sees one at a time; it may be a little behind."
    ),
    product=LIVE,
    effect=Effect.READ,
    repeatable=True,
    per_second=100,
    params=(
        Param(
            "DomainName",
            "domain",
            hostname,
            "your push domain; needed if you have several",
            required=False,
        ),
        Param("AppName", "app", text, "path of the push URL", default="live", required=False),
        Param("StreamName", "stream", text, "name of one stream", required=False),
        Param("PageNum", "page", whole, "which page, from 1", required=False),
        # The mainland site allows more; the bounds that hold on both sites are used.
        Param("PageSize", "size", number(10, 100), "how many on a page", required=False),
    ),
    errors=(
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
    ),
    effect_spec=EffectSpec(
        STREAM,
        STREAM_KEY,
        state_field=("TotalNum", "0"),
        counts={"TotalNum": ("active",)},
        lists={"OnlineInfo": ("active",)},
        since="PublishTimeList.0.PublishTime",
    ),
    readings=(
        ReadingTemplate(
            "since when it is live, and where it is pushed",
            "Live since {}, pushed to {}.",
            (
                "@OnlineInfo.0.PublishTimeList.0.PublishTime",
                "OnlineInfo.0.DomainName/OnlineInfo.0.AppName/OnlineInfo.0.StreamName",
            ),
            given=("StreamName",),
        ),
        ReadingTemplate(
            "how many streams are live there",
            "Live there now, on the path live: {} (other paths are not counted).",
            ("TotalNum",),
            given=("DomainName",),
            not_given=("StreamName",),
        ),
        ReadingTemplate(
            "",
            "Among them: {}.",
            ("OnlineInfo.*.StreamName",),
            given=("DomainName",),
            not_given=("StreamName",),
        ),
    ),
)

_PAD_PARAMS = (
    _STREAM,
    Param("PushDomainName", "domain", hostname, "your push domain", alias="DomainName"),
    _APP,
    Param("Operator", "operator", reason, "who did it, for Tencent's records", required=False),
)
_PAD_KEY = ("StreamName", "PushDomainName", "AppName")

START_LIVE_PAD_STREAM = Action(
    api="StartLivePadStream",
    words="pad",
    title="Hide {a stream} behind the pad",
    does=(
        "Show viewers the pad video in place of a live stream: the gentlest way to take it off "
        "the air. The encoder notices nothing."
    ),
    product=LIVE,
    effect=Effect.START,
    repeatable=True,
    per_second=20,
    params=_PAD_PARAMS,
    errors=_STREAM_ERRORS,
    effect_spec=EffectSpec(PAD, _PAD_KEY, new_state="on"),
    afterwards="It keeps running behind the pad; /stopstream pad {stream} shows it again.",
    undo="StopLivePadStream",
    status_read="DescribeLivePadStreamList",
    impact_reads=_ON_AIR,
    toggles="off",
)

STOP_LIVE_PAD_STREAM = Action(
    api="StopLivePadStream",
    words="pad",
    title="Take the pad off {a stream}",
    synonyms=("unpad",),
    summary="takes the pad away",
    does="Take the pad video away: viewers see the live stream again.",
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=_PAD_PARAMS,
    errors=_STREAM_ERRORS,
    effect_spec=EffectSpec(PAD, _PAD_KEY, new_state="off"),
    afterwards="/startstream pad {stream} hides it again.",
    undo="StartLivePadStream",
    status_read="DescribeLivePadStreamList",
    impact_reads=_ON_AIR,
    toggles="on",
)

DESCRIBE_LIVE_PAD_STREAM_LIST = Action(
    api="DescribeLivePadStreamList",
    words="pad",
    title="List streams behind the pad",
    does="Read which streams are hidden by a pad video; the mainland site alone can tell.",
    product=LIVE,
    effect=Effect.READ,
    repeatable=True,
    per_second=20,
    params=(
        Param("StreamName", "stream", text, "name of one stream", required=False),
        Param("DomainName", "domain", hostname, "your push domain", required=False),
        Param("AppName", "app", text, "path of the push URL", default="live", required=False),
        Param("PageNum", "page", integer, "which page, from 1", required=False),
        Param("PageSize", "size", integer, "how many on a page", required=False),
    ),
    errors=_STREAM_ERRORS,
    effect_spec=EffectSpec(
        PAD,
        STREAM_KEY,
        state_field=("TotalNum", "0"),
        state_values={"on": 1, "off": 0},
        counts={"TotalNum": ("on",)},
        lists={"StreamInfoList": ("on",)},
    ),
    only="mainland",
)

_DELAY_ERRORS = (
    "DryRunOperation",
    "FailedOperation.CallOtherSvrFailed",
    "InternalError",
    "InternalError.CallOtherSvrError",
    "InternalError.ConfigNotExist",
    "InternalError.GetBizidError",
    "InternalError.GetStreamInfoError",
    "InternalError.NotPermmitOperat",
    "InternalError.StreamStatusError",
    "InternalError.UpdateDataError",
    "InvalidParameter",
    "InvalidParameterValue",
    "MissingParameter",
    "ResourceNotFound",
    *_ACCOUNT_ERRORS,
    "ResourceNotFound.UserNotExist",
)

ADD_DELAY_LIVE_STREAM = Action(
    api="AddDelayLiveStream",
    words="delay",
    title="Delay {a stream}",
    does="Delay a stream by up to 600 s; to hold, it must be set 5 minutes before the push.",
    product=LIVE,
    effect=Effect.START,
    repeatable=True,
    per_second=200,
    params=(
        *_WHERE,
        Param("DelayTime", "seconds", number(1, 600), "how far it is delayed", example="60"),
        Param(
            "ExpireTime",
            "for",
            moment(max_days=7),
            "how long this lasts, e.g. 12h, at most 7 days (7 days if left out)",
            required=False,
        ),
    ),
    errors=_DELAY_ERRORS,
    effect_spec=EffectSpec(DELAY, STREAM_KEY, new_state="set"),
    afterwards="A running push stays as it is; /stopstream delay {stream} undoes this.",
    undo="ResumeDelayLiveStream",
    status_read="DescribeLiveDelayInfoList",
    impact_reads=_ON_AIR,
)

RESUME_DELAY_LIVE_STREAM = Action(
    api="ResumeDelayLiveStream",
    words="delay",
    title="End the delay of {a stream}",
    synonyms=("undelay",),
    summary="takes the delay away",
    does="Take the delay of a stream away.",
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=200,
    params=_WHERE,
    errors=(
        *_DELAY_ERRORS,
        "FailedOperation",
        "InternalError.GetUpstreamInfoError",
        "LimitExceeded",
        "ResourceInUse",
        "ResourceInsufficient",
        "ResourceUnavailable",
        "UnauthorizedOperation",
        "UnknownParameter",
        "UnsupportedOperation",
    ),
    effect_spec=EffectSpec(DELAY, STREAM_KEY, new_state="off"),
    status_read="DescribeLiveDelayInfoList",
    impact_reads=_ON_AIR,
)

DESCRIBE_LIVE_DELAY_INFO_LIST = Action(
    api="DescribeLiveDelayInfoList",
    words="delay",
    title="List delayed streams",
    does="Read which streams are delayed, and by how much.",
    product=LIVE,
    effect=Effect.READ,
    repeatable=True,
    per_second=10,
    params=(),
    errors=(
        "FailedOperation",
        "FailedOperation.CallOtherSvrFailed",
        "InternalError",
        "InternalError.DBError",
        "InvalidParameterValue",
        *_ACCOUNT_ERRORS,
        "ResourceNotFound.UserNotExist",
    ),
    effect_spec=EffectSpec(
        DELAY,
        STREAM_KEY,
        lists={"DelayInfoList": ("set",)},
        echoes={"DelayInterval": "DelayTime"},
    ),
)

STOP_LIVE_RECORD = Action(
    api="StopLiveRecord",
    words="record",
    title="Stop recording {a stream}",
    does="End a recording that CreateLiveRecord began; its file is kept.",
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=200,
    params=(
        _STREAM,
        Param("TaskId", "task", integer, "the number that CreateLiveRecord gave", example="1234"),
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
    effect_spec=EffectSpec(
        RECORDING,
        ("StreamName", "TaskId"),
        new_state="finished",
        absent="ResourceNotFound.TaskId",
    ),
    error_notes={
        "ResourceNotFound.TaskId": (
            "No recording of CreateLiveRecord has this number.",
            "If CreateRecordTask began it, use /stopstream record-task TASK region=REGION instead.",
        )
    },
    deprecated=(
        "Tencent Cloud advises against StopLiveRecord. What CreateRecordTask started ends by "
        "/stopstream record-task TASK region=REGION."
    ),
    toggles="off",
)

STOP_RECORD_TASK = Action(
    api="StopRecordTask",
    words="record-task",
    title="Stop {a recording task}",
    does="End a recording that CreateRecordTask began; the file is made, the task never resumes.",
    product=LIVE,
    effect=Effect.STOP,
    repeatable=True,
    per_second=20,
    params=(Param("TaskId", "task", text, "the text that CreateRecordTask gave", example="1234"),),
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
    effect_spec=EffectSpec(
        RECORD_TASK, ("TaskId",), new_state="finished", absent="InvalidParameter"
    ),
    error_notes={
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
    toggles="off",
)

CREATE_RECORD_TASK = Action(
    api="CreateRecordTask",
    words="record-task",
    title="Record {a stream}",
    does=(
        "Begin to record a stream, for 24 hours at most. Its answer names the task that ends it; "
        "a second start records twice."
    ),
    product=LIVE,
    effect=Effect.START,
    # Up to three recordings of one stream may run at the same time.
    repeatable=False,
    per_second=20,
    params=(
        *_WHERE,
        Param("EndTime", "until", timestamp(max_days=7), "when it ends, e.g. 2h from now"),
        Param(
            "StartTime",
            "from",
            timestamp(max_days=7),
            "when it begins; at once if left out",
            required=False,
        ),
        Param("StreamType", "type", number(0, 1), "0 as pushed, 1 mixed", required=False),
        Param("TemplateId", "template", whole, "the recording template's id", required=False),
        Param("Extension", "extension", text, "not used by Tencent yet", required=False),
    ),
    errors=(
        "InternalError",
        "InternalError.GetConfigError",
        "InternalError.NetworkError",
        "InvalidParameter",
        "LimitExceeded.MaximumRunningTask",
        *_ACCOUNT_ERRORS,
        "ResourceUnavailable.InvalidVodStatus",
        "UnsupportedOperation",
    ),
    effect_spec=EffectSpec(RECORD_TASK, ("TaskId",), new_state="running", creates="TaskId"),
    # The mainland list is not published; that of the stopping API is used.
    regions=STOP_RECORD_TASK.regions,
    afterwards="/stopstream record-task with the TaskId above ends it.",
    undo="StopRecordTask",
    toggles="on",
)

CREATE_SCREENSHOT_TASK = Action(
    api="CreateScreenshotTask",
    words="screenshot",
    title="Take screenshots of {a stream}",
    does="Begin to take screenshots of a stream, into the bucket of the template.",
    product=LIVE,
    effect=Effect.START,
    repeatable=False,
    per_second=20,
    params=(
        *_WHERE,
        Param("EndTime", "until", timestamp(max_days=7), "when it ends, e.g. 1m from now"),
        Param("TemplateId", "template", whole, "the screenshot template's id", example="1234"),
        Param(
            "StartTime",
            "from",
            timestamp(max_days=7),
            "when it begins; at once if left out",
            required=False,
        ),
        Param("StreamType", "type", number(0, 1), "0 as pushed, 1 mixed", required=False),
        Param("Extension", "extension", text, "not used by Tencent yet", required=False),
    ),
    errors=(
        "InternalError",
        "InternalError.GetConfigError",
        "InternalError.NetworkError",
        "InvalidParameter",
        "LimitExceeded.MaximumRunningTask",
        *_ACCOUNT_ERRORS,
        "UnsupportedOperation",
    ),
    effect_spec=EffectSpec(SCREENSHOT_TASK, ("TaskId",), new_state="running", creates="TaskId"),
    # No list is published; that of the tasks that record is used.
    regions=STOP_RECORD_TASK.regions,
)

DESCRIBE_RECORD_TASK = Action(
    api="DescribeRecordTask",
    words="record-task",
    title="List recording tasks",
    does=(
        "Read which recordings CreateRecordTask began, and which were stopped (Stopped is not "
        "0): those that begin and end within a period of 7 days at most."
    ),
    product=LIVE,
    effect=Effect.READ,
    repeatable=True,
    per_second=20,
    params=(
        # A task lasts a day at most, so these show all running ones; the hour allows for clocks.
        Param(
            "StartTime",
            "from",
            timestamp(max_days=7, back=90),
            "they begin after it, e.g. -2h for two hours ago",
            default="-25h",
        ),
        Param(
            "EndTime",
            "until",
            timestamp(max_days=7, back=90),
            "they end before it",
            default="25h",
        ),
        Param("StreamName", "stream", text, "name of one stream", required=False),
        Param("DomainName", "domain", hostname, "your push domain", required=False),
        Param("AppName", "app", text, "path of the push URL", default="live", required=False),
        Param("ScrollToken", "page", text, "where the answer before said", required=False),
    ),
    errors=(
        "InternalError",
        "InternalError.GetConfigError",
        "InternalError.NetworkError",
        "InvalidParameter",
        *_ACCOUNT_ERRORS,
        "UnsupportedOperation",
    ),
    effect_spec=EffectSpec(
        RECORD_TASK,
        ("TaskId",),
        lists={"TaskList": ("running", "finished")},
        echoes={
            "StreamName": "StreamName",
            "DomainName": "DomainName",
            "AppName": "AppName",
            "StartTime": "StartTime",
            "EndTime": "EndTime",
        },
        ended="Stopped",
        between=("StartTime", "EndTime"),
    ),
    readings=(
        ReadingTemplate(
            "whether it is being recorded, and by which tasks",
            "Being recorded by the tasks {}.",
            ("TaskList.*.TaskId",),
            given=("StreamName",),
            active=ActiveRows("TaskList", "StartTime", "EndTime", "Stopped", more="ScrollToken"),
            empty="No recording task is running.",
        ),
    ),
    # Neither site's list was found; that of the stopping API is used.
    regions=STOP_RECORD_TASK.regions,
)

FORBID_LIVE_DOMAIN = Action(
    api="ForbidLiveDomain",
    words="domain",
    title="Switch off {a domain}",
    impact="Every stream on it ends.",
    synonyms=("disable",),
    summary="switches a domain off",
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
    effect_spec=EffectSpec(
        DOMAIN, ("DomainName",), new_state="disabled", absent="ResourceNotFound"
    ),
    minimum_approval=Approval.CONFIRM,
    afterwards="/startstream domain {domain} switches it on again.",
    undo="EnableLiveDomain",
    status_read="DescribeLiveDomain",
    impact_reads=_LIVE_NOW,
    toggles="off",
)

ENABLE_LIVE_DOMAIN = Action(
    api="EnableLiveDomain",
    words="domain",
    title="Switch on {a domain}",
    synonyms=("enable",),
    summary="switches a domain on",
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
    effect_spec=EffectSpec(DOMAIN, ("DomainName",), new_state="enabled", absent="ResourceNotFound"),
    minimum_approval=Approval.CONFIRM,
    undo="ForbidLiveDomain",
    status_read="DescribeLiveDomain",
    impact_reads=_LIVE_NOW,
    toggles="on",
)

DESCRIBE_LIVE_DOMAIN = Action(
    api="DescribeLiveDomain",
    words="domain",
    title="Check {a domain}",
    does="Read whether a push or play domain is switched on (Status 1) or off (0).",
    product=LIVE,
    effect=Effect.READ,
    repeatable=True,
    per_second=500,
    params=(Param("DomainName", "domain", hostname, "the push or play domain"),),
    errors=(
        "InternalError",
        "InternalError.ConnectDbError",
        "InternalError.DBError",
        "InternalError.DomainNotExist",
        "InvalidParameter",
        "InvalidParameterValue",
        "MissingParameter",
        "ResourceNotFound.DomainNotExist",
        *_ACCOUNT_ERRORS,
    ),
    effect_spec=EffectSpec(
        DOMAIN,
        ("DomainName",),
        absent="ResourceNotFound.DomainNotExist",
        state_field=("DomainInfo.Status", ""),
        state_values={"enabled": 1, "disabled": 0},
        echoes={"DomainInfo.Name": "DomainName"},
    ),
)

DESCRIBE_LIVE_DOMAINS = Action(
    api="DescribeLiveDomains",
    words="domains",
    title="List domains",
    does="Read which push (Type 0) and play (Type 1) domains the account has.",
    product=LIVE,
    effect=Effect.READ,
    repeatable=True,
    per_second=200,
    params=(
        Param("DomainStatus", "status", number(0, 1), "1: only those on, 0: off", required=False),
        Param("DomainType", "type", number(0, 1), "0: only push, 1: play", required=False),
        Param("PageSize", "size", number(10, 100), "how many on a page", required=False),
        Param("PageNum", "page", whole, "which page, from 1", required=False),
        Param("IsDelayLive", "delayed", number(0, 1), "1: only slow live", required=False),
        Param("DomainPrefix", "prefix", text, "how the domains begin", required=False),
        Param(
            "PlayType",
            "area",
            number(1, 3),
            "of play domains, 1: mainland, 2: everywhere, 3: abroad",
            required=False,
        ),
    ),
    errors=(
        "FailedOperation.CallOtherSvrFailed",
        "InternalError",
        "InternalError.ConnectDbError",
        "InternalError.DBError",
        "InternalError.GetBizidError",
        "ResourceNotFound.EmptyData",
        *_ACCOUNT_ERRORS,
        "ResourceNotFound.InvalidUser",
    ),
    effect_spec=EffectSpec(
        DOMAIN,
        ("Name",),
        counts={"AllCount": ("enabled", "disabled")},
        lists={"DomainList": ("enabled", "disabled")},
        state_values={"enabled": 1, "disabled": 0},
        echoes={"Type": "DomainType", "IsDelayLive": "IsDelayLive", "PlayType": "PlayType"},
    ),
    emulation=Emulation(
        state_param="DomainStatus", state_row="Status", prefix_param="DomainPrefix"
    ),
)

ACTIONS = (
    DROP_LIVE_STREAM,
    RESUME_LIVE_STREAM,
    FORBID_LIVE_STREAM,
    DESCRIBE_LIVE_STREAM_STATE,
    DESCRIBE_LIVE_STREAM_ONLINE_LIST,
    START_LIVE_PAD_STREAM,
    STOP_LIVE_PAD_STREAM,
    DESCRIBE_LIVE_PAD_STREAM_LIST,
    ADD_DELAY_LIVE_STREAM,
    RESUME_DELAY_LIVE_STREAM,
    DESCRIBE_LIVE_DELAY_INFO_LIST,
    STOP_LIVE_RECORD,
    STOP_RECORD_TASK,
    CREATE_RECORD_TASK,
    DESCRIBE_RECORD_TASK,
    CREATE_SCREENSHOT_TASK,
    FORBID_LIVE_DOMAIN,
    ENABLE_LIVE_DOMAIN,
    DESCRIBE_LIVE_DOMAIN,
    DESCRIBE_LIVE_DOMAINS,
)
