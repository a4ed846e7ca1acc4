"""Suggestions for what a user probably meant."""

import pytest

from bot.catalog.registry import ALL_ACTIONS
from bot.errors import ParseError
from bot.model.actions import Effect
from tests.support.commands import read


@pytest.mark.parametrize(
    ("text", "verb", "meant", "says"),
    [
        ("ban x", Effect.START, "ban", "cannot be started; there is /stopstream ban"),
        ("status record x", None, "record", "has no status to read"),
        ("status StopLiveRecord x", Effect.STOP, "StopLiveRecord", "has no status to read"),
        ("unban x", Effect.STOP, "unban", 'command "unban"; /startstream live lifts a ban.'),
        ("unban", Effect.START, "unban", 'command "unban"; /startstream live lifts a ban.'),
        ("unban x", None, "unban", "; /startstream live lifts a ban."),
        ("resume live x", Effect.STOP, "resume", "; /startstream live lifts a ban, and /stop"),
        ("Unpause x", Effect.STOP, "Unpause", "/stopstream pause paused=no resumes it"),
        ("restart x", Effect.START, "restart", "/startstream live lifts a ban."),
        ("kill x", Effect.STOP, "kill", "/stopstream live cuts a live stream."),
        ("forbid x", Effect.STOP, "forbid", "/stopstream ban cuts a stream and keeps it off."),
        ("ban x", Effect.START, "ban", "and /startstream live takes it back."),
        ("car-url x", Effect.STOP, "car-url", "and /stopstream car takes it back."),
        ("whoami x", Effect.STOP, "x", "stands alone"),
        ("audit since=1d since=2d", Effect.STOP, "since=2d", "one since="),
        ("live s --domain --app x", Effect.STOP, "--domain", "has no value; write domain=DOMAIN"),
        ("live s domain= app=x", Effect.STOP, "domain=", "has no value"),
        ("live s --dry-run", Effect.STOP, "dry-run", "takes no"),
        ("live s —domian a.b", Effect.STOP, "domian", 'Did you mean "domain"'),
        ("ingest t region=ap-mumbai Region=x", Effect.STOP, "Region=x", "given twice"),
        ("live s reason='a", Effect.STOP, "'a", "not closed"),
        ("ban s for=1d 'a'b", Effect.STOP, "'a'b", "not closed"),
    ],
)
def test_parser_error_marks_words_and_suggests_command(
    text: str, verb: Effect | None, meant: str, says: str
) -> None:
    """A parse error marks the wrong words and says what to write instead."""
    with pytest.raises(ParseError) as caught:
        read(text, verb)

    error = caught.value
    assert error.text[error.start : error.end] == meant
    assert says in error.sentence
    assert "…" not in error.sentence, "what is shown as an example can be pasted"


@pytest.mark.parametrize(
    "text", ["unban x", "unbann x", "unforbidlivestream x", "resumelivestrem x", "startcar x"]
)
@pytest.mark.parametrize("verb", [Effect.STOP, Effect.START, None])
def test_suggestions_never_offer_stop_for_start(text: str, verb: Effect | None) -> None:
    """A misspelt word that means start is never answered with an action that stops."""
    with pytest.raises(ParseError) as caught:
        read(text, verb)

    assert caught.value.suggestion in ("", "ResumeLiveStream")


def test_synonyms_have_summary_and_are_no_kind() -> None:
    """An action with synonyms has a summary, and no synonym is an action's own word."""
    words = {action.words for action in ALL_ACTIONS}

    for action in ALL_ACTIONS:
        assert bool(action.synonyms) == bool(action.summary)
        assert not words & set(action.synonyms)


def test_parser_refuses_app_path_in_stream_name() -> None:
    """An app/stream path as a name is refused with the correct form and without the key."""
    with pytest.raises(ParseError) as caught:
        read("live live/stream1?txSecret=5ECRE7")
    assert "write stream1 app=live" in caught.value.sentence
    assert "5ECRE7" not in str(vars(caught.value))
