"""Which of Slack's error codes are final for a message; every other one is worth another attempt.

Sources: the tables of errors on
https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/reference/methods/chat.update
https://docs.slack.dev/reference/methods/chat.postEphemeral
https://docs.slack.dev/reference/methods/conversations.history
"""

from collections.abc import Mapping

NOT_IN_CHANNEL = frozenset({"channel_not_found", "is_archived", "is_inactive", "not_in_channel"})
"""With these the bot cannot act in the channel at all."""

CLOSED: Mapping[str, str] = {
    "cannot_reply_to_message": "Slack takes no replies to that message",
    "channel_is_archived": "the channel is archived",
    "channel_not_found": "the channel is gone, or the bot is not in it",
    "is_archived": "the channel is archived",
    "is_inactive": "the channel is archived",
    "messages_tab_disabled": "the app's Messages tab is off, so it cannot send direct messages",
    "not_in_channel": "the bot is not in the channel",
    "restricted_action": "the workspace lets only some people post there",
    "restricted_action_non_threadable_channel": "the channel takes no replies in threads",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_locked": "the thread is locked",
    "restricted_action_thread_only_channel": "the channel takes replies in threads alone",
    "user_not_in_channel": "the asker is not in the channel",
}
"""The conversation does not accept the message until somebody changes it, in words."""

REFUSED_AS_WRITTEN = frozenset(
    {
        "as_user_not_supported",
        "block_mismatch",
        "cannot_dm_bot",
        "cannot_message_deactivated_user",
        "cant_broadcast_message",
        "cant_update_message",
        "edit_window_closed",
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_channel",
        "invalid_charset",
        "invalid_form_data",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_post_type",
        "invalid_thread_ts",
        "markdown_text_conflict",
        "message_not_found",
        "metadata_must_be_sent_from_app",
        "metadata_too_large",
        "method_deprecated",
        "missing_post_type",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "slack_connect_canvas_sharing_blocked",
        "slack_connect_file_link_sharing_blocked",
        "slack_connect_lists_sharing_blocked",
        "thread_not_found",
        "too_many_attachments",
        "too_many_contact_cards",
        "unknown_method",
        "user_disabled",
        "user_is_bot",
        "user_not_found",
        "user_not_visible",
    }
)
"""The same message to the same recipient is refused again, however often it is sent."""

NO_LOOKUP = frozenset(
    {
        "invalid_ts_latest",
        "invalid_ts_oldest",
        "method_not_supported_for_channel_type",
        "missing_scope",
    }
)
"""The history cannot be read with this token or in this conversation."""

_RESTRICTED = "restricted_action"


def is_closed(code: str) -> bool:
    """Return whether a code says that the conversation itself does not accept the message.

    Slack adds codes that begin with `restricted_action` as it adds restrictions.
    """
    return code in CLOSED or code.startswith(_RESTRICTED)


def is_final(code: str) -> bool:
    """Return whether sending the same message again cannot succeed by itself."""
    return is_closed(code) or code in REFUSED_AS_WRITTEN


def describe(code: str) -> str:
    """Return what a code means, as part of a sentence."""
    if is_closed(code):
        return CLOSED.get(code, CLOSED[_RESTRICTED])
    return f"Slack refused it ({code})"
