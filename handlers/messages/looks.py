"""How each state looks: its emoji and its word, the same in every message; pure.

What differs for its reader has another emoji: what waits for a press, what is under way, what was
sent, what is off, live, failed, unknown, denied, or over without anything sent.
"""

from enum import Enum


class Look(Enum):
    """A state as people see it."""

    CHECKING = ("⏳", "Checking")
    QUEUED = ("⏳", "Queued")
    SENDING = ("⏳", "Sending")

    APPROVAL = ("✋", "Approval needed")
    STILL_WAITING = ("✋", "Still waiting")

    STOP_SENT = ("⏹", "Sent")
    SENT = ("✅", "Sent")
    ALREADY_OVER = ("☑️", "Already over")
    ALREADY = ("☑️", "No change needed")

    OFF = ("🔵", "Off")
    NOT_LIVE = ("🔵", "Not live")
    BANNED = ("🔵", "Banned")
    EXTENDED = ("🔵", "Extended")
    LIVE = ("🔴", "Live")
    ON = ("🔴", "On")
    ANSWERED = ("📋", "Answered")

    FAILED = ("❌", "Failed")
    UNKNOWN = ("❓", "Not sure whether it ran")
    UNCHECKED = ("❓", "Couldn't check")
    DENIED = ("🚫", "Denied")

    CANCELLED = ("⚪", "Cancelled")
    EXPIRED = ("⚪", "Expired")
    SUPERSEDED = ("⚪", "Superseded")
    ENDED = ("⚪", "Ended")

    NOTHING_LIVE = ("⚠️", "Nothing was live")
    NOT_UNDERSTOOD = ("⚠️", "Not understood")
    STILL_OFF = ("⚠️", "Still off")
    NO_LONGER_BANNED = ("⚠️", "No longer banned")
    NO_LONGER_IN_FORCE = ("⚠️", "No longer in force")
    EMERGENCY = ("🚨", "EMERGENCY")

    ALERT = ("🔔", "Alert")
    RESOLVED = ("✅", "Resolved")
    FALSE_ALARM = ("⚪", "False alarm")

    LIFTED = ("↩️", "Lifted")
    UNDONE = ("↩️", "Undone")
    WATCHING = ("👀", "Watching")
    NOT_WATCHING = ("⚪", "No longer watching")

    HELD = ("🔒", "Held")
    RELEASED = ("🔓", "Released")

    @property
    def emoji(self) -> str:
        """The emoji; a word that says the same is always next to it."""
        return self.value[0]

    @property
    def word(self) -> str:
        """The word, as it begins a line."""
        return self.value[1]

    def says(self, about: str) -> str:
        """Render the first line of a message: ``🔵 *Off: `stream1`*``."""
        return f"{self.emoji} *{self.word}: {about}*"
