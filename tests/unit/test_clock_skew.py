"""How far the clock is from those of the services that the bot talks to."""

from email.utils import formatdate

import pytest

from bot.clock_skew import MOST, ClockSkew

NOW = 1_700_000_000.0


class Time:
    """A machine whose clock a test sets; the seconds that pass are counted apart from it."""

    def __init__(self) -> None:
        self.clock, self.passed = NOW, 50.0

    def skew(self) -> ClockSkew:
        return ClockSkew(lambda: self.clock, lambda: self.passed)

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        self.passed += seconds


def date(at: float) -> dict[str, str]:
    return {"Date": formatdate(at, usegmt=True)}


def test_clock_that_agrees_is_not_in_excess() -> None:
    """A few seconds of difference, and the time that passes since, are nothing to tell."""
    time = Time()
    skew = time.skew()
    skew.note("Slack", date(NOW + 3))
    time.sleep(86_400.0)
    (one,) = skew.each()
    assert (one.service, one.seconds) == ("Slack", -3.0)
    assert skew.excess() is None


@pytest.mark.parametrize(("ahead", "side"), [(600.0, "ahead of"), (-600.0, "behind")])
def test_clock_that_is_off_is_told(ahead: float, side: str) -> None:
    """The service that differs most is named, with by how much and to which side."""
    time = Time()
    skew = time.skew()
    skew.note("Slack", date(NOW - ahead / 3))
    skew.note("Tencent Cloud", date(NOW - ahead))
    found = skew.excess()
    assert found is not None
    assert found.sentence() == f"this machine's clock is 600 s {side} Tencent Cloud's"


def test_clock_that_is_set_later_is_told() -> None:
    """What a service said once counts from then on, also for a clock that is set afterwards."""
    time = Time()
    skew = time.skew()
    skew.note("Slack", date(NOW))
    time.clock += 500 * 86_400.0
    found = skew.excess()
    assert found is not None
    assert found.seconds == 500 * 86_400.0


def test_another_clock_is_compared_too() -> None:
    """The database's clock is held to the same."""
    skew = Time().skew()
    skew.note("Slack", date(NOW))
    assert skew.excess(NOW + MOST) is None
    found = skew.excess(NOW + MOST + 1)
    assert found is not None
    assert found.sentence("the clock") == "the clock is 301 s ahead of Slack's"


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}, {"Date": ""}])
def test_answer_without_a_time_says_nothing(headers: dict[str, str]) -> None:
    """What cannot be read leaves what was known."""
    time = Time()
    skew = time.skew()
    skew.note("Slack", date(NOW))
    time.sleep(5.0)
    skew.note("Slack", headers)
    assert [one.seconds for one in skew.each()] == [0.0]


def test_newest_time_counts() -> None:
    """A service whose clock was set is believed, after a second at the latest."""
    time = Time()
    skew = time.skew()
    skew.note("Slack", date(NOW - 600))
    assert skew.excess() is not None
    time.sleep(1.0)
    skew.note("Slack", date(NOW + 1))
    assert skew.excess() is None
