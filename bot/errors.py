"""Exceptions, named for what has to be done about them.

StopstreamError
├─ ConfigError            correct the environment or the policy file
├─ ParseError             correct the command
├─ StoreError             nothing can be recorded, so nothing is done
│  ├─ CommitUnknownError  it may have been recorded: look before it is tried again
│  ├─ UnstorableError     the database cannot hold it, now or later
│  ├─ StrangeKeyError     give this replica the key that the audit log is sealed with
│  └─ UnreadableRowError  from another release, or corrupt; it is quarantined
│     └─ TamperedRowError written by somebody else; it is never run
├─ DirectoryError         Slack did not say who someone is, so the answer is no
└─ CloudError
   ├─ NeverSentError      the request was not sent: safe to send again
   │  └─ HeldBackError    it was not to leave any more when it was about to
   ├─ NoAnswerError       it was sent, and may have run
   │  └─ UnreadableAnswerError   something came back, but not the documented JSON
   └─ ApiError            Tencent Cloud refused it, with a code
      └─ LapsedKeyError   for its key, and there is another one: send it again at once
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


class StopstreamError(Exception):
    """Base class of the exceptions of this program."""


class ConfigError(StopstreamError):
    """The environment or a file cannot be used as it is.

    Attributes:
        problems: One readable line each, without secrets.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class SuggestedCommand:
    """A command that was probably meant.

    Attributes:
        label: What it does, for a button.
        text: The command with its verb, with Slack's escapes.
    """

    label: str
    text: str


class ParseError(StopstreamError):
    """The text is not a command.

    Attributes:
        sentence: What is wrong, in one sentence, without the place.
        text: The whole text, as it was read.
        start, end: The part of `text` that is meant; equal where something is missing.
        suggestion: What was probably meant, to be typed in that part's place, or empty.
        at: Where that part begins in what was typed, keys and all; `start`, unless keys were
            taken out of `text`.
        commands: Commands that may be run instead; each parses, and holds no key.
    """

    def __init__(
        self,
        sentence: str,
        *,
        text: str,
        start: int,
        end: int,
        suggestion: str = "",
        at: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.text = text
        self.start = start
        self.end = end
        self.suggestion = suggestion
        self.at = start if at is None else at
        self.commands: tuple[SuggestedCommand, ...] = ()


class StoreError(StopstreamError):
    """The database cannot be written or read now.

    Attributes:
        place: Which database, for somebody at a terminal; empty where nobody has said so.
    """

    place = ""


class NoTablesError(StoreError):
    """The database has no tables yet: there is nothing to read."""


class CommitUnknownError(StoreError):
    """The database did not answer a commit, and it is not known whether it took place."""


class UnstorableError(StoreError):
    """The database cannot hold what was to be written, now or later."""


class StrangeKeyError(StoreError):
    """The audit log is sealed with another key than this process has, so it may not be written."""


class UnreadableRowError(StoreError):
    """This release cannot make sense of a stored row.

    Attributes:
        table: The table of the row.
        row: Its id.
        operation: Id of the operation that it belongs to, or empty.
        why: One line, without what is stored.
    """

    def __init__(self, table: str, row: str | int, operation: str, why: str) -> None:
        super().__init__(f"row {row} of {table} cannot be read: {why}")
        self.table = table
        self.row = row
        self.operation = operation
        self.why = why


class TamperedRowError(UnreadableRowError):
    """A stored row is not as this bot wrote it, or somebody else wrote it."""

    def __init__(self, table: str, row: str | int, operation: str, why: str) -> None:
        super().__init__(table, row, operation, why)
        self.args = (f"row {row} of {table} is not as it was written: {why}",)


class SinkError(StopstreamError):
    """The place that the audit log is copied to does not take it now."""


class PictureError(StopstreamError):
    """A picture is not fetched; the message completes "it can't be shown: …"."""


class DirectoryError(StopstreamError):
    """Slack did not answer who someone is or where the bot is."""


class CloudError(StopstreamError):
    """A call to Tencent Cloud did not end in an accepted request."""


class NeverSentError(CloudError):
    """The request was not sent, so it did not run."""


class HeldBackError(NeverSentError):
    """The request was about to leave too late, so it did not."""


class NoAnswerError(CloudError):
    """The request was sent and no usable response came: it may have run."""


class UnreadableAnswerError(NoAnswerError):
    """What came back is not the documented JSON.

    Attributes:
        status: HTTP status.
        excerpt: The first bytes, printable, with secrets taken out.
    """

    def __init__(self, why: str, *, status: int, excerpt: str) -> None:
        super().__init__(f"{why} (HTTP {status}): {excerpt}")
        self.status = status
        self.excerpt = excerpt


class ApiError(CloudError):
    """Tencent Cloud answered with an error, under HTTP status 200.

    Attributes:
        code: What to match on, e.g. `AuthFailure.SignatureExpire`.
        message: Tencent's words: foreign text.
        request_id: What Tencent's support asks for. Always show it.
        skew: Seconds by which this machine's clock is ahead of the server's, where the
            answer told.
    """

    def __init__(
        self, code: str, message: str, *, request_id: str, skew: float | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.request_id = request_id
        self.skew = skew


class LapsedKeyError(ApiError):
    """Tencent Cloud refused the key, so the request did not run, and there is another key now."""

    @classmethod
    def of(cls, error: ApiError) -> Self:
        """Return it for a refusal."""
        return cls(error.code, error.message, request_id=error.request_id, skew=error.skew)
