"""What the trail lists must stand in the audit channel as it was posted."""

from bot.audit.checkpoints import CheckpointKind, Signer
from bot.audit.witness import ListedMessage, PostedMessage, text_digest, unsaid

SEAL = Signer(b"k" * 32).sign(CheckpointKind.HEAD, 5, "ab" * 32, 1.0)
TEXT = "Stopped in <#C0INC> by <@U0ALICE>"
LISTED = ListedMessage(6, "1.5", 5, text_digest(TEXT))


def test_names_that_slack_adds_are_no_change() -> None:
    """A message that names a renamed channel or person is the same; another id is not."""
    named = "Stopped in <#C0INC|incidents-2> by <@U0ALICE|alice>"
    other = named.replace("C0INC", "C0OTHER")
    assert unsaid([PostedMessage("1.5", SEAL, named)], [LISTED], ()) is None
    found = unsaid([PostedMessage("1.5", SEAL, other)], [LISTED], ())
    assert found is not None
    assert (found.seq, found.what) == (6, "altered")


def test_text_that_slack_did_not_return_is_not_compared() -> None:
    """Where the answer to a post had no text, what the message vouches for must still hold."""
    listed = ListedMessage(6, "1.5", 5, "")
    assert unsaid([PostedMessage("1.5", SEAL, TEXT)], [listed], ()) is None
    assert unsaid([PostedMessage("1.5", None, TEXT)], [listed], ()) is not None


def test_checkpoint_that_waits_is_not_missing() -> None:
    """A checkpoint is missing unless it is still to be posted."""
    listed = ListedMessage(6, "", 5, "ab" * 32)
    assert unsaid([], [listed], {(5, "ab" * 32)}) is None
    found = unsaid([], [listed], ())
    assert found is not None
    assert found.what == "missing"
