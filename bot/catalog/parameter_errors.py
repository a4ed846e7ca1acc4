"""The error codes about a single parameter, and what is wrong with it.

Source: https://www.tencentcloud.com/document/product/267/38986
"""

from collections.abc import Mapping

PARAMETERS: Mapping[str, tuple[str] | tuple[str, str]] = {
    "InvalidParameter.BodyParamsError": ("The parameters of the request could not be read.",),
    "InvalidParameter.DomainFormatError": (
        "The domain is not written as a domain name.",
        "Give the host name alone, like push.example.com.",
    ),
    "InvalidParameter.EncodeParams": ("The encoding settings are not valid.",),
    "InvalidParameter.EndTs": ("The end of the period is not valid.",),
    "InvalidParameter.InputNumLimitExceeded": (
        "Too many streams are to be mixed.",
        "Mix fewer streams at once.",
    ),
    "InvalidParameter.InvalidBackgroudResolution": (
        "The background picture's resolution does not fit the mix.",
    ),
    "InvalidParameter.InvalidBackupToUrl": ("The backup address to push to is not valid.",),
    "InvalidParameter.InvalidBitrate": ("The bitrate is outside what is allowed.",),
    "InvalidParameter.InvalidCallbackUrl": ("The callback address is not valid.",),
    "InvalidParameter.InvalidCropParam": ("The crop settings are not valid.",),
    "InvalidParameter.InvalidLayerParam": ("The layers of the mix are not valid.",),
    "InvalidParameter.InvalidMixInputParam": ("An input of the mix is not valid.",),
    "InvalidParameter.InvalidOutputParam": ("The output settings are not valid.",),
    "InvalidParameter.InvalidOutputStreamID": ("The name of the mixed stream is not valid.",),
    "InvalidParameter.InvalidOutputType": ("There is no such type of output.",),
    "InvalidParameter.InvalidPictureID": (
        "There is no picture of this id.",
        "Upload the picture first, or check its id.",
    ),
    "InvalidParameter.InvalidRoundRectRadius": ("The radius of the rounded corners is not valid.",),
    "InvalidParameter.InvalidSdkAppId": ("The SdkAppId is not one that can be queried.",),
    "InvalidParameter.InvalidSourceUrl": ("The address to pull from is not valid.",),
    "InvalidParameter.InvalidTaskTime": (
        "The task's start or end is not a valid time.",
        "Give UTC times, with the end after the start and in the future.",
    ),
    "InvalidParameter.InvalidToUrl": ("The address to push to is not valid.",),
    "InvalidParameter.InvalidWatermark": ("The watermark's settings are not valid.",),
    "InvalidParameter.JsonParseError": ("What was sent could not be read as JSON.",),
    "InvalidParameter.OtherError": (
        "Some parameter is wrong, and the code does not tell which one.",
    ),
    "InvalidParameter.OutOfRange": ("A number is outside its allowed range.",),
    "InvalidParameter.PageNumber": ("The page number is not valid.",),
    "InvalidParameter.PageSize": ("The page size is not valid.",),
    "InvalidParameter.PageSizeOversize": (
        "The page size is too large.",
        "Ask for fewer entries at once.",
    ),
    "InvalidParameter.QueryScaleOversize": (
        "The query covers too much.",
        "Ask for a shorter period or fewer users.",
    ),
    "InvalidParameter.RoomId": ("The room's number is not valid.",),
    "InvalidParameter.SdkAppId": (
        "This SdkAppId is wrong or not yours.",
        "Copy the SdkAppId from the TRTC console of the account that the key belongs to.",
    ),
    "InvalidParameter.SessionOutputStreamChanged": (
        "A running mix cannot change the name of its output.",
        "Cancel the mix and start another one under the new name.",
    ),
    "InvalidParameter.StartTimeOversize": (
        "The period begins too long ago.",
        "Ask for a later start.",
    ),
    "InvalidParameter.StartTs": ("The start of the period is not valid.",),
    "InvalidParameter.StartTsOversize": (
        "The start of the period is outside what can be asked for.",
        "Choose another start.",
    ),
    "InvalidParameter.StrRoomId": ("The room's name is not valid.",),
    "InvalidParameter.StreamUrl": (
        "The address of the stream to pull is not valid.",
        "Check that a player can open the address.",
    ),
    "InvalidParameter.TaskId": (
        "There is no task of this id here.",
        "Check the task's id, its SdkAppId and its region: all three must belong together.",
    ),
    "InvalidParameter.TemplateNotMatchInputNum": (
        "The mixing template is for another number of streams.",
        "Choose a template that fits the number of streams.",
    ),
    "InvalidParameter.UrlParamsError": ("The parameters in the address could not be read.",),
    "InvalidParameter.UserId": ("The user's id is not valid.",),
    "InvalidParameter.UserIds": ("The list of users is not valid.",),
    "InvalidParameter.UserIdsMorethanSix": (
        "More than six users were named.",
        "Name six users at most.",
    ),
    "InvalidParameter.UserSig": (
        "The user's signature is wrong or has lapsed.",
        "Make a new UserSig for this user and SdkAppId.",
    ),
    "InvalidParameterValue.RoomId": ("The room's number has a value that is not allowed.",),
    "MissingParameter.AccessKey": ("The access key of the storage is absent.",),
    "MissingParameter.AppId": ("The application's id is absent.",),
    "MissingParameter.Bucket": ("The bucket of the storage is absent.",),
    "MissingParameter.CloudStorage": ("The settings of the cloud storage are absent.",),
    "MissingParameter.CommId": ("The id of the call is absent.",),
    "MissingParameter.CommIdOrSdkAppId": (
        "The id of the call or the SdkAppId is absent.",
        "Give both.",
    ),
    "MissingParameter.EndTs": ("The end of the period is absent.",),
    "MissingParameter.RecordMode": (
        "Nothing says whether to record users apart or together.",
        "Name a recording mode.",
    ),
    "MissingParameter.RecordParams": ("The recording settings are absent.",),
    "MissingParameter.RoomId": ("The room's number is absent.",),
    "MissingParameter.RoomNum": ("The room to look for is absent.",),
    "MissingParameter.SdkAppId": (
        "The SdkAppId is absent.",
        "Add sdkappid=SDKAPPID, or set it in the policy's defaults.",
    ),
    "MissingParameter.SecretKey": ("The secret key of the storage is absent.",),
    "MissingParameter.StartTs": ("The start of the period is absent.",),
    "MissingParameter.StorageParams": (
        "Nothing says where the recording goes.",
        "Name a cloud storage or VOD.",
    ),
    "MissingParameter.StreamType": ("Nothing says whether to record sound, picture or both.",),
    "MissingParameter.TaskId": ("The task's id is absent.", "Add the id that its start gave."),
    "MissingParameter.UserId": ("The user's id is absent.",),
    "MissingParameter.UserIds": ("No user was named.",),
    "MissingParameter.UserSig": ("The user's signature is absent.",),
    "MissingParameter.Vendor": ("The vendor of the cloud storage is absent.",),
}
"""A sentence for each, and the next step unless it is to correct the value."""
