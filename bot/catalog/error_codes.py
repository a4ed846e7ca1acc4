"""Tencent Cloud's error codes: what each means, what to do next, and whether to retry.

Source: https://www.tencentcloud.com/document/product/267/38986
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from bot.catalog.parameter_errors import PARAMETERS
from bot.model.actions import Action


class Repeat(Enum):
    """The actions that may be sent again after a code."""

    ANY = "any"
    """Every action: it was refused before it ran."""
    READS = "reads"
    """Reads and repeatable actions: it may have run."""
    NEVER = "never"
    """None: it would be refused again."""


class Sort(Enum):
    """Why a request was refused, with the next step unless a code has its own."""

    KEY = 'Mend the key in the configuration; "stopstream check" tells when it is right.'
    CLOCK = "Set this machine's clock by NTP, then try again."
    PERMISSION = "Have the account's administrator grant this in CAM; the message below names it."
    ACCOUNT = "Ask the owner of the Tencent Cloud account; trying again won't help until then."
    REQUEST = "Correct the value and ask again; the message below says more."
    REGION = "Name one of the regions that /stopstream help lists for this action."
    ABSENT = "Check the name; it may have ended already."
    ALREADY = "Nothing more to do; look at its state if you are unsure."
    CONFLICT = "Wait a few seconds, check its state, then try again."
    QUOTA = "Free some of the quota, or ask Tencent's support for more."
    THROTTLED = "It did not run. Try again in a few seconds."
    SERVER = "It may have run: look at the state before you repeat it."
    REFUSED = "Check its state; the message below says more."
    OURS = "This is a bug in the bot: report it with the RequestId."
    GONE = "Use the action that replaced it; see /stopstream help."


@dataclass(frozen=True, slots=True)
class Explanation:
    """The meaning of a code and the next step, each a sentence without markup."""

    means: str
    next_step: str
    sort: Sort
    repeat: Repeat


_KEY, _ACCOUNT, _REQUEST, _ABSENT = Sort.KEY, Sort.ACCOUNT, Sort.REQUEST, Sort.ABSENT
_SERVER, _REFUSED, _QUOTA, _CONFLICT = Sort.SERVER, Sort.REFUSED, Sort.QUOTA, Sort.CONFLICT
_THROTTLED, _PERMISSION, _OURS = Sort.THROTTLED, Sort.PERMISSION, Sort.OURS
_BEHIND = "A service behind the API failed."
_DATABASE = "A database inside Tencent Cloud failed."
_NO_TASK = "There is no such task."
_NO_STREAM = "The stream is not live."
_NO_DOMAIN = "This account has no such domain."
_CHECK_DOMAIN = "Check the domain, and that the key is of the account that owns it."
_ADDRESSES = "Have the account's administrator allow this machine's address."

# The whole code is looked up first: prefixes are misleading. A missing permission comes as
# InternalError.NotPermmitOperat (sic), an unpaid bill as ResourceNotFound.StopService.
_CODES: Mapping[str, tuple[Sort, str] | tuple[Sort, str, str]] = {
    "": (_REFUSED, "Tencent Cloud gave no error code."),
    "ActionOffline": (Sort.GONE, "Tencent Cloud has taken this API out of service."),
    "AuthFailure": (_KEY, "Tencent Cloud does not accept the key or its signature."),
    "AuthFailure.InvalidAuthorization": (_OURS, "The Authorization header is malformed."),
    "AuthFailure.InvalidSecretId": (
        _KEY,
        "The configured SecretId is not that of an API key.",
        "Put a CAM API key into TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.",
    ),
    "AuthFailure.MFAFailure": (
        _KEY,
        "The key's owner must pass a second factor first.",
        "Use the key of a user that needs no second factor for API calls.",
    ),
    "AuthFailure.SecretIdNotFound": (
        _KEY,
        "Tencent Cloud does not know this SecretId; it may be deleted or of the other site.",
        "Check the key, and STOPSTREAM_TENCENT_SITE: mainland and intl do not share keys.",
    ),
    "AuthFailure.SignatureExpire": (
        Sort.CLOCK,
        "This machine's clock is more than five minutes off Tencent Cloud's.",
    ),
    "AuthFailure.SignatureFailure": (
        _KEY,
        "The signature does not match what was sent: usually the SecretKey is wrong.",
        "Check TENCENTCLOUD_SECRET_KEY, and that no proxy changes requests on the way.",
    ),
    "AuthFailure.TokenFailure": (
        _KEY,
        "The temporary key's token is wrong or has lapsed.",
        "Renew the temporary key, then try again.",
    ),
    "AuthFailure.UnRealNameAuthenticated": (_ACCOUNT, "The account has not proved its identity."),
    "AuthFailure.UnauthorizedOperation": (_PERMISSION, "The key may not call this action."),
    "AuthFailure.UnsupportedOperation": (_PERMISSION, "The key's owner may not do this at all."),
    "DryRunOperation": (
        _REFUSED,
        "It was a dry run, which would have succeeded.",
        "Ask again without the dry run.",
    ),
    "FailedOperation": (_REFUSED, "Tencent Cloud could not do this."),
    "FailedOperation.AlterTaskState": (_REFUSED, "The task's state could not be changed."),
    "FailedOperation.ApplicationNotFind": (_ABSENT, "There is no such rendering application."),
    "FailedOperation.CRUnsupportMethod": (
        _REFUSED,
        "Cloud recording cannot do this in its present state.",
    ),
    "FailedOperation.CSUnsupportMethod": (
        _REFUSED,
        "Cloud slicing cannot do this in its present state.",
    ),
    "FailedOperation.CTUnsupportMethod": (
        _REFUSED,
        "Cloud transcription cannot do this in its present state.",
    ),
    "FailedOperation.CallOtherSvrError": (_SERVER, _BEHIND),
    "FailedOperation.CallOtherSvrFailed": (_SERVER, _BEHIND),
    "FailedOperation.CancelSessionNotExist": (_ABSENT, "There is no such mixing session."),
    "FailedOperation.CasterNotFound": (_ABSENT, "There is no such production studio."),
    "FailedOperation.ConflictAction": (_CONFLICT, "Something else is changing it right now."),
    "FailedOperation.DatabaseNotAccessible": (_SERVER, _DATABASE),
    "FailedOperation.GetDataFailed": (_SERVER, "The data could not be fetched."),
    "FailedOperation.GetPictureUrlError": (_REFUSED, "The picture could not be fetched."),
    "FailedOperation.GetStreamResolutionError": (
        _REFUSED,
        "The stream's resolution could not be read.",
    ),
    "FailedOperation.HasNotLivingStream": (_ABSENT, "Nothing is live right now."),
    "FailedOperation.InputStreamMixTypeNotAccessible": (_REFUSED, "This input cannot be mixed."),
    "FailedOperation.LockTimeout": (
        _REFUSED,
        "The reserved concurrency lapsed before its use.",
        "Reserve concurrency again with ApplyConcurrent.",
    ),
    "FailedOperation.MixSessionNotExist": (_ABSENT, "There is no such mixing session."),
    "FailedOperation.MonitorIsActive": (Sort.ALREADY, "The monitor is running already."),
    "FailedOperation.MonitorLimitExceeded": (_QUOTA, "There are too many monitors."),
    "FailedOperation.MonitorNotExist": (_ABSENT, "There is no such monitor."),
    "FailedOperation.NotAllowed": (_REFUSED, "This application may not do that."),
    "FailedOperation.NotRtmpFunction": (_ACCOUNT, "RTMP is not switched on for this application."),
    "FailedOperation.PathNotFound": (_REFUSED, "A path of the rendering application is missing."),
    "FailedOperation.ProcessMixError": (_REFUSED, "The mixing failed."),
    "FailedOperation.ProcessTimeout": (_SERVER, "Tencent Cloud took too long over it."),
    "FailedOperation.QueryTaskInfoFailed": (_SERVER, "The task could not be looked up."),
    "FailedOperation.QueryUploadInfoFailed": (_SERVER, "The upload could not be looked up."),
    "FailedOperation.ReleaseCasterFailed": (_REFUSED, "The studio could not be released."),
    "FailedOperation.RequestOutdated": (_CONFLICT, "A newer update has been applied already."),
    "FailedOperation.RequestRejection": (_THROTTLED, "The service is overloaded."),
    "FailedOperation.RestrictedConcurrency": (_QUOTA, "Too many tasks run for this application."),
    "FailedOperation.RoomNotExist": (_ABSENT, "There is no such room, or everyone has left it."),
    "FailedOperation.SdkAppIdNotExist": (_ABSENT, "There is no TRTC application of this id."),
    "FailedOperation.SdkNoPackage": (_ACCOUNT, "No package has been bought for this feature."),
    "FailedOperation.SlowDown": (_THROTTLED, "An earlier request for this user is still in work."),
    "FailedOperation.StartTaskFailed": (_REFUSED, "The task could not be started."),
    "FailedOperation.StopCasterTaskFailed": (_REFUSED, "The studio's task could not be stopped."),
    "FailedOperation.StopTaskFailed": (_REFUSED, "The task could not be stopped."),
    "FailedOperation.StreamNotExist": (_ABSENT, _NO_STREAM),
    "FailedOperation.TaskExist": (Sort.ALREADY, "Such a task is running already."),
    "FailedOperation.TaskFinished": (Sort.ALREADY, "The task had ended before."),
    "FailedOperation.TaskNotExist": (_ABSENT, _NO_TASK),
    "FailedOperation.UserNotExist": (_ABSENT, "This user is not in the room."),
    "InternalError": (_SERVER, "Something broke inside Tencent Cloud."),
    "InternalError.CRInternalError": (_SERVER, "Cloud recording broke inside."),
    "InternalError.CSInternalError": (_SERVER, "Cloud slicing broke inside."),
    "InternalError.CTInternalError": (_SERVER, "Cloud transcription broke inside."),
    "InternalError.CallOtherSvrError": (_SERVER, _BEHIND),
    "InternalError.ConfigNotExist": (
        _ABSENT,
        "Tencent Cloud has no such configuration.",
        "Check domain and path against the push URL.",
    ),
    "InternalError.ConnectDbError": (_SERVER, _DATABASE),
    "InternalError.DBError": (_SERVER, _DATABASE),
    "InternalError.DomainNotExist": (_ABSENT, _NO_DOMAIN, _CHECK_DOMAIN),
    "InternalError.EsQueryError": (_SERVER, "A search inside Tencent Cloud failed."),
    "InternalError.GetBizidError": (_SERVER, "The account could not be looked up."),
    "InternalError.GetConfigError": (_SERVER, "The configuration could not be read."),
    "InternalError.GetRoomCacheIpError": (_SERVER, "The room could not be looked up."),
    "InternalError.GetRoomFromCacheError": (_SERVER, "The room could not be looked up."),
    "InternalError.GetStreamInfoError": (_SERVER, "The stream could not be looked up."),
    "InternalError.GetUpstreamInfoError": (_SERVER, "The stream's origin could not be looked up."),
    "InternalError.HttpParaseFalied": (_SERVER, "A message inside Tencent Cloud was unreadable."),
    "InternalError.HttpParseFailed": (_SERVER, "A message inside Tencent Cloud was unreadable."),
    "InternalError.InterfaceErr": (_SERVER, "An interface inside Tencent Cloud failed."),
    "InternalError.InternalError": (_SERVER, "Something broke inside Tencent Cloud."),
    "InternalError.InvalidInput": (_REQUEST, "Tencent Cloud does not accept the input."),
    "InternalError.InvalidRequest": (_REQUEST, "Tencent Cloud does not accept the request."),
    "InternalError.JiFeiOtherError": (_ACCOUNT, "Billing has a problem with this account."),
    "InternalError.MethodErr": (_OURS, "The request has the wrong HTTP method or path."),
    "InternalError.NetworkError": (_SERVER, "The network inside Tencent Cloud failed."),
    "InternalError.NotPermmitOperat": (_PERMISSION, "This account may not do that."),
    "InternalError.QueryProIspPlayInfoError": (_SERVER, "A query inside Tencent Cloud failed."),
    "InternalError.QueryUploadInfoFailed": (_SERVER, "A query inside Tencent Cloud failed."),
    "InternalError.StreamStatusError": (
        _REFUSED,
        "The stream is in a state in which this cannot be done.",
        "Look at it with /stopstream status live STREAM.",
    ),
    "InternalError.SystemError": (_SERVER, "Something broke inside Tencent Cloud."),
    "InternalError.UpdateDataError": (_SERVER, "The change could not be stored."),
    "InternalError.UserNotExist": (_ABSENT, "This user is not in the room."),
    "InvalidAction": (_OURS, "Tencent Cloud has no such action in this version."),
    "InvalidParameter": (_REQUEST, "A parameter has the wrong form or type."),
    "InvalidParameter.CancelSessionNotExist": (_ABSENT, "There is no such mixing session."),
    "InvalidParameter.CloudDomainIsStop": (_ACCOUNT, "The domain is stopped."),
    "InvalidParameter.DomainHitBlackList": (_ACCOUNT, "Tencent Cloud has blocked this domain."),
    "InvalidParameter.NotAllowUseLVB": (_ACCOUNT, "This account may not use live video."),
    "InvalidParameter.TaskNotExist": (_ABSENT, "There is no such pull task."),
    "InvalidParameter.TaskNumMoreThanLimit": (_QUOTA, "There are too many pull tasks."),
    "InvalidParameter.ToUrlNoPermission": (_PERMISSION, "The key may not push to that URL."),
    "InvalidParameterValue": (_REQUEST, "A parameter has a value that is not allowed."),
    "InvalidRequest": (_OURS, "The request's body is malformed."),
    "IpInBlacklist": (_PERMISSION, "The account refuses this machine's address.", _ADDRESSES),
    "IpNotInWhitelist": (
        _PERMISSION,
        "The account does not list this machine's address.",
        _ADDRESSES,
    ),
    "LimitExceeded": (_QUOTA, "A quota of the account is used up."),
    "LimitExceeded.MaximumRunningTask": (_QUOTA, "Too many recordings run."),
    "LimitExceeded.MaximumTask": (_QUOTA, "There are too many recordings."),
    "LimitExceeded.Role": (_QUOTA, "Too many users have this role in the session."),
    "MissingParameter": (_REQUEST, "A parameter that the API demands is absent."),
    "MissingParameter.Region": (Sort.REGION, "The region is absent."),
    "NoSuchProduct": (
        _KEY,
        "There is no such service at this address.",
        "Check STOPSTREAM_TENCENT_SITE and STOPSTREAM_TENCENT_URL.",
    ),
    "NoSuchVersion": (_OURS, "The service has no such API version."),
    "OperationDenied": (_REFUSED, "The service refused the operation."),
    "RequestLimitExceeded": (_THROTTLED, "Too many of these requests in one second."),
    "RequestLimitExceeded.GlobalRegionUinLimitExceeded": (
        _THROTTLED,
        "The account sends too many requests over all regions.",
    ),
    "RequestLimitExceeded.IPLimitExceeded": (
        _THROTTLED,
        "This machine's address sends too many requests.",
    ),
    "RequestLimitExceeded.UinLimitExceeded": (
        _THROTTLED,
        "The account sends too many requests of this kind.",
    ),
    "RequestSizeLimitExceeded": (_REQUEST, "The request is too large."),
    "ResourceInUse": (_CONFLICT, "It is in use by something else."),
    "ResourceInsufficient": (_QUOTA, "Tencent Cloud has not enough resources for this."),
    "ResourceInsufficient.RequestRejection": (_THROTTLED, "The service is overloaded."),
    "ResourceNotFound": (_ABSENT, "There is no such thing."),
    "ResourceNotFound.ChannelNotExist": (_ABSENT, "There is no such live channel."),
    "ResourceNotFound.DomainNoRecord": (_ABSENT, _NO_DOMAIN, _CHECK_DOMAIN),
    "ResourceNotFound.DomainNotExist": (_ABSENT, _NO_DOMAIN, _CHECK_DOMAIN),
    "ResourceNotFound.EmptyData": (_ABSENT, "Nothing matched."),
    "ResourceNotFound.ForbidService": (_ACCOUNT, "Tencent Cloud has blocked this live service."),
    "ResourceNotFound.FreezeService": (_ACCOUNT, "Tencent Cloud has suspended this live service."),
    "ResourceNotFound.InvalidUser": (_ACCOUNT, "The account is not valid for this service."),
    "ResourceNotFound.NoIdle": (
        _QUOTA,
        "All rendering concurrency is in use.",
        "Wait until a session ends, or have more concurrency bought.",
    ),
    "ResourceNotFound.ResourceNotFound": (_ABSENT, "There is no such task, or it is not yours."),
    "ResourceNotFound.SessionNotFound": (
        _ABSENT,
        "This user has no session, so nothing is pushed for them.",
    ),
    "ResourceNotFound.StopService": (
        _ACCOUNT,
        "The live service is stopped because bills are unpaid.",
        "Have the account topped up; streams cannot be controlled until then.",
    ),
    "ResourceNotFound.TaskId": (_ABSENT, "There is no such recording."),
    "ResourceNotFound.UserDisableService": (
        _ACCOUNT,
        "The owner has switched live video off.",
        "Have the owner switch it on again in the Live console.",
    ),
    "ResourceNotFound.UserNotExist": (
        _ACCOUNT,
        "Live video was never activated on this account.",
        "Check that the key is of the right account; if it is, have Live activated there.",
    ),
    "ResourceUnavailable": (_SERVER, "It is not available at the moment."),
    "ResourceUnavailable.AccessFailed": (_SERVER, "The rendering instance could not be reached."),
    "ResourceUnavailable.Initialization": (_CONFLICT, "The rendering instance is still starting."),
    "ResourceUnavailable.InvalidVodStatus": (
        _ACCOUNT,
        "VOD, where recordings go, is not active on this account.",
    ),
    "ResourceUnavailable.StreamNotExist": (_ABSENT, _NO_STREAM),
    "ResponseSizeLimitExceeded": (
        _REQUEST,
        "The answer would be too large.",
        "Ask for less at once.",
    ),
    "ServiceUnavailable": (_SERVER, "The service is not available at the moment."),
    "UnauthorizedOperation": (_PERMISSION, "The key may not do this."),
    "UnauthorizedOperation.SdkAppId": (_PERMISSION, "The key has no right on this SdkAppId."),
    "UnknownParameter": (_OURS, "A parameter was sent that the API does not know."),
    "UnsupportedOperation": (_REFUSED, "This is not possible in the present state."),
    "UnsupportedOperation.Stopping": (_CONFLICT, "The session is just ending."),
    "UnsupportedProtocol": (_OURS, "The request was neither GET nor POST over HTTP."),
    "UnsupportedRegion": (Sort.REGION, "This action is not offered in that region."),
}

_BLAMED = {
    "InvalidParameter": "Tencent Cloud does not accept the parameter {}.",
    "InvalidParameterValue": "Tencent Cloud does not allow this value of {}.",
    "MissingParameter": "The parameter {} is absent.",
}
"""Sentences for codes that are newer than PARAMETERS; the part after the dot is a name."""
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9]{0,39}")

_REPEAT = {Sort.THROTTLED: Repeat.ANY, Sort.SERVER: Repeat.READS}

_UNKNOWN_CODE = (_REFUSED, "Tencent Cloud gave a code that this bot does not know.")


def known() -> tuple[str, ...]:
    """Return every code that has an explanation of its own."""
    return tuple(sorted(code for code in {*_CODES, *PARAMETERS} if code))


def explain(code: str, action: Action | None = None) -> Explanation:
    """Return the explanation of a code; an unknown one is explained by the part before its dot.

    Args:
        action: Its notes take precedence where a code means something else for it.
    """
    sort, means, *own = _lookup(code)
    next_step = own[0] if own else sort.value
    if action is not None and code in action.error_notes:
        means, next_step = action.error_notes[code]
    return Explanation(means, next_step, sort, _REPEAT.get(sort, Repeat.NEVER))


def _lookup(code: str) -> tuple[Sort, str] | tuple[Sort, str, str]:
    if code in _CODES:
        return _CODES[code]
    if code in PARAMETERS:
        return (_REQUEST, *PARAMETERS[code])
    family, _, detail = code.partition(".")
    if family in _BLAMED and _PARAMETER.fullmatch(detail):
        return _REQUEST, _BLAMED[family].format(detail)
    return _CODES.get(family, _UNKNOWN_CODE)
