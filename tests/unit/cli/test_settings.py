"""The environment: one readable line per problem, and never a secret in it."""

import base64
import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.setting_problems import FORMS
from bot.cli.settings import Settings, read_settings
from bot.errors import ConfigError
from bot.policy.watched_file import WatchedFile
from bot.storage import database

SECRET = "5ECRE7"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)


def test_settings_default_with_an_empty_environment() -> None:
    """An empty environment yields the default settings."""
    settings = read_settings()

    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.address == ("127.0.0.1", 3000)
    assert settings.policy == Path("policy.yml")
    assert settings.site("trtc", "intl") == "intl"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", f"xoxp-{SECRET}"),
        ("SLACK_APP_TOKEN", f" xapp-{SECRET}"),
        ("SLACK_API_URL", f"ftp://{SECRET}"),
        ("TENCENTCLOUD_SECRET_ID", SECRET),
        ("TENCENTCLOUD_SECRET_KEY", SECRET),
        ("TENCENTCLOUD_REGION", "Singapore!"),
        ("STOPSTREAM_TENCENT_SITE", "moon"),
        ("STOPSTREAM_TENCENT_URL", "127.0.0.1"),
        ("STOPSTREAM_AUDIT_CHANNEL", "#audit"),
        ("STOPSTREAM_LISTEN", "3000"),
        ("STOPSTREAM_LISTEN", "localhost:99999"),
        ("STOPSTREAM_LOG_FORMAT", "xml"),
    ],
)
def test_settings_report_an_invalid_value_in_one_line(name: str, value: str) -> None:
    """An invalid value is reported in one line that names its variable and hides secrets."""
    with pytest.raises(ConfigError) as caught:
        read_settings(**{name: value})

    (problem,) = caught.value.problems
    assert name in problem or name.replace("_ID", "_KEY") in problem or "SECRET_ID" in problem
    assert SECRET not in problem
    assert "\n" not in problem


TEXTS = {
    "STOPSTREAM_WEBHOOK_SECRET": "whsec_" + "QUJD" * 8,
    "STOPSTREAM_ALERTMANAGER_SECRET": "an-alertmanager-secret,another-of-the-same",
    "STOPSTREAM_PAGERDUTY_SECRET": "a-pagerduty-secret",
    "STOPSTREAM_GENERIC_SECRET": "a-generic-secret",
    "STOPSTREAM_TENCENT_SITE": "mainland,trtc=intl",
    "STOPSTREAM_ALLOW_HTTP": "true",
    "STOPSTREAM_AUDIT_KEY": "00" * 32,
    "STOPSTREAM_AUDIT_TRUST": base64.b64encode(b"k" * 32).decode(),
    "STOPSTREAM_PICTURE_HOSTS": "pictures.example.com",
    "STOPSTREAM_SECRETS_DIR": "tests",
    "STOPSTREAM_LOG_LEVEL": "debug",
    "TENCENTCLOUD_ROLE_ARN": "qcs::cam::uin/1:roleName/bot",
    "TENCENTCLOUD_REGION": "ap-singapore",
    "TKE_REGION": "ap-singapore",
    "STOPSTREAM_LIVE_CALLBACK_KEY": "a-key-of-callbacks,another-of-callbacks",
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "TENCENTCLOUD_SECRET_ID": "AKID1234",
    "TENCENTCLOUD_SECRET_KEY": "key",
    "TENCENTCLOUD_TOKEN": "token",
}
"""What needs a form of its own, or is more than the text that is given."""


@pytest.mark.parametrize("alias", [str(field.alias) for field in Settings.model_fields.values()])
def test_setting_is_read_from_the_environment(alias: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting, given as text in the environment, is one: no part of the settings is dead."""
    (field,) = (f for f in Settings.model_fields.values() if f.alias == alias)
    forms = [TEXTS.get(alias, ""), "C0AUDIT", "https://example.com", "127.0.0.1:1", "5m", "json"]
    read = []
    for text in filter(None, forms):
        monkeypatch.setenv(alias, text)
        if "TENCENTCLOUD_SECRET" in alias or alias == "TENCENTCLOUD_TOKEN":
            for name in ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"):
                monkeypatch.setenv(name, TEXTS[name])
        with contextlib.suppress(ConfigError):
            read.append(read_settings())

    (name,) = (n for n, f in Settings.model_fields.items() if f is field)
    assert any(getattr(one, name) != field.get_default() for one in read)


@pytest.mark.parametrize(
    ("value", "live", "trtc"),
    [
        ("intl", "intl", "intl"),
        ("mainland,trtc=intl", "mainland", "intl"),
        ("trtc=mainland", "mainland", "mainland"),
    ],
)
def test_settings_site_applies_to_all_products_or_to_one(value: str, live: str, trtc: str) -> None:
    """STOPSTREAM_TENCENT_SITE sets the site of every product or of one product."""
    settings = read_settings(STOPSTREAM_TENCENT_SITE=value)

    assert settings.site("live", "mainland") == live
    assert settings.site("trtc", "intl") == trtc


@given(st.text())
def test_database_url_of_any_text_gets_one_problem_at_most(address: str) -> None:
    """Any text as database URL either is accepted or raises one problem line."""
    try:
        database.connect(address).dispose()
    except ConfigError as error:
        assert len(error.problems) == 1
        assert error.problems[0].startswith("STOPSTREAM_DATABASE_URL: ")


@pytest.mark.parametrize(
    "address", ["", "stopstream.db", "mysql://x/y", "sqlite://", "sqlite:////no/such/folder/a.db"]
)
def test_database_url_is_refused_if_unusable(address: str) -> None:
    """An empty, unsupported or unreachable database URL raises ConfigError."""
    with pytest.raises(ConfigError):
        database.connect(address)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STOPSTREAM_AUDIT_KEY", "short"),
        ("STOPSTREAM_AUDIT_KEY", "ä" * 64),
        ("STOPSTREAM_AUDIT_TRUST", "no key"),
        ("STOPSTREAM_AUDIT_KEEP", "for ever"),
        ("STOPSTREAM_AUDIT_CHECKPOINT", "0s"),
        ("STOPSTREAM_ASK_EXPIRES", "0s"),
    ],
)
def test_settings_validate_the_audit_log_variables(name: str, value: str) -> None:
    """An invalid audit log setting is refused, without repeating the key."""
    with pytest.raises(ConfigError, match=f"^{name}: ") as raised:
        read_settings(**{name: value})

    assert value not in str(raised.value) or name != "STOPSTREAM_AUDIT_KEY"


def test_settings_put_the_key_file_next_to_the_database() -> None:
    """The key file is next to the SQLite file unless the environment sets its path."""
    default = read_settings(STOPSTREAM_DATABASE_URL="sqlite:////var/x/a.db?timeout=1").key_file
    elsewhere = read_settings(STOPSTREAM_DATABASE_URL="postgresql://host/x").key_file

    assert default == Path("/var/x/a.key")
    assert elsewhere == Path("stopstream.key")
    assert read_settings(STOPSTREAM_AUDIT_KEY_FILE="/k").key_file == Path("/k")


def test_migrations_head_is_the_newest_file() -> None:
    """The newest migration file is the head that the code expects."""
    files = sorted((Path(database.__file__).parent / "migrations" / "versions").glob("0*.py"))

    assert files[-1].name.split("_")[0] == database.HEAD


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError([f"{text!r} is not a number"]) from None


def test_watched_file_keeps_its_value_if_invalid(
    tmp_path: Path,
) -> None:
    """A watched file follows its content and keeps its value if invalid or deleted."""
    file = tmp_path / "n"
    file.write_text("1")
    watched = WatchedFile(file, _number)
    assert not watched.refresh()

    file.write_text("two")
    with pytest.raises(ConfigError):
        watched.refresh()
    assert watched.value == 1
    assert not watched.refresh(), "the same content is complained of once"

    file.write_text("2")
    assert watched.refresh()
    assert watched.value == 2

    file.unlink()
    with pytest.raises(ConfigError):
        watched.refresh()
    assert watched.value == 2


ADDRESSES = (
    "SLACK_API_URL",
    "STOPSTREAM_TENCENT_URL",
    "STOPSTREAM_AUDIT_SINK",
    "STOPSTREAM_WEBHOOK_URL",
    "STOPSTREAM_PUBLIC_URL",
)
"""Every address but `STOPSTREAM_DATABASE_URL`, which alone may hold a password."""

OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""May be in the clear, unless a token is sent along."""

HOSTILE_ADDRESSES = (
    "https://me:hunter2@example.com/api/",
    "https://hunter2@example.com/api/",
    "http://127.0.0.1\\@hunter2.example.com/",
    "https://me:hunter2\uff20example.com/",
    "https://example.com:hunter2/",
    "https://hunter2 .example.com/",
    "https://[hunter2/",
    "HTTPS://me:hunter2@example.com/",
    "ftp://hunter2.example.com/",
)


def _problem_of(name: str, value: str, **more: str) -> str:
    with pytest.raises(ConfigError) as refused:
        read_settings(**{name: value}, **more)
    (problem,) = refused.value.problems
    return problem


@pytest.mark.parametrize("name", [*ADDRESSES, OTLP])
def test_address_with_a_user_or_an_unclear_host_is_refused(name: str) -> None:
    """An address with a user, or one that can be read in two ways, is refused and not shown."""
    for value in HOSTILE_ADDRESSES:
        problem = _problem_of(name, value)
        assert problem.startswith(f"{name}: ")
        assert "hunter2" not in problem
        assert "\n" not in problem


@pytest.mark.parametrize("name", ADDRESSES)
def test_address_in_the_clear_is_refused_beyond_this_machine(name: str) -> None:
    """An http:// address beyond this machine is refused in one sentence, unless allowed."""
    for host in ("example.com", "10.0.0.7:8080", "127.0.0.1.example.com", "[fe80::1]"):
        address = f"http://{host}/api/"
        assert "STOPSTREAM_ALLOW_HTTP=true" in _problem_of(name, address)
        assert read_settings(**{name: address, "STOPSTREAM_ALLOW_HTTP": "true"}).allow_http
    for host in ("127.0.0.1:8080", "127.9.9.9", "localhost:1", "[::1]:8080"):
        assert not read_settings(**{name: f"http://{host}/api/"}).allow_http


@pytest.mark.parametrize("header", ["", "_TRACES"])
def test_collector_in_the_clear_gets_no_token(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector may be called by http:// as long as no headers are sent along."""
    address = "http://collector:4318"
    assert read_settings(**{OTLP: address}).otlp_endpoint == address

    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP{header}_HEADERS", "api-key=hunter2")

    assert "STOPSTREAM_ALLOW_HTTP=true" in _problem_of(OTLP, address)
    assert read_settings(**{OTLP: "https://collector:4318"}).otlp_endpoint
    assert read_settings(**{OTLP: "http://127.0.0.1:4318"}).otlp_endpoint


def test_every_address_setting_is_checked() -> None:
    """A setting whose name or description speaks of an address is one of those checked."""
    fields = Settings.model_fields.values()
    named = {
        str(one.alias)
        for one in fields
        if re.search("_URL|_ENDPOINT", str(one.alias)) or "://" in str(one.description)
    }
    assert named - {*ADDRESSES, OTLP} == {"STOPSTREAM_DATABASE_URL", "STOPSTREAM_ALLOW_HTTP"}


def test_callback_key_that_can_be_guessed_is_refused() -> None:
    """A callback key is long, and there are two at most; no problem shows one."""
    name = "STOPSTREAM_LIVE_CALLBACK_KEY"
    long, other = "hunter2-hunter2-hunter2", "k" * 16
    assert read_settings(**{name: f"{long},{other}"}).live_callback_key is not None
    for value in ("hunter2", f"{long},short", ",", ",".join([long, other, "z" * 20])):
        problem = _problem_of(name, value)
        assert problem.startswith(f"{name}: ")
        assert "hunter2" not in problem


def test_settings_name_each_of_their_secrets() -> None:
    """What no line of the log may hold is every secret, each of several, and the password."""
    given = {
        "SLACK_BOT_TOKEN": "xoxb-PLANTED",
        "SLACK_SIGNING_SECRET": "signing-PLANTED",
        "TENCENTCLOUD_SECRET_ID": "AKIDPLANTED",
        "TENCENTCLOUD_SECRET_KEY": "key-PLANTED",
        "STOPSTREAM_DATABASE_URL": "postgresql://bot:pass%2FPLANTED@db/stopstream",
        "STOPSTREAM_GENERIC_SECRET": "generic-first-PLANTED,generic-second-PLANTED",
    }

    found = set(read_settings(**given).secrets())

    assert found >= {
        *("xoxb-PLANTED", "signing-PLANTED", "AKIDPLANTED", "key-PLANTED", "pass/PLANTED"),
        *("generic-first-PLANTED", "generic-second-PLANTED"),
    }


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("TENCENTCLOUD_REGION", "mars", "is not a region like ap-guangzhou"),
        ("TKE_REGION", "mars", "is not a region like ap-guangzhou"),
        ("TENCENTCLOUD_ROLE_ARN", "foo", "is not a role like qcs::cam::uin/"),
        ("TENCENTCLOUD_ROLE_SESSION_NAME", "a b", "is not 2 to 128 letters"),
        ("STOPSTREAM_AUDIT_CHANNEL", "#audit", "is not an id like C0123456789; in Slack: "),
        ("STOPSTREAM_ALERT_CHANNEL", "U0A", "is not an id like C0123456789; in Slack: "),
        ("STOPSTREAM_OWNER", "@alice", "is not an id like C0123456789 or U0123456789; in Slack: "),
        ("STOPSTREAM_ALLOW_HTTP", "maybe", "is neither true nor false"),
        ("STOPSTREAM_LOG_FORMAT", "xml", "is not json or console"),
    ],
)
def test_settings_say_what_a_value_must_be(name: str, value: str, why: str) -> None:
    """What a variable must be is said of that variable, and in words for people."""
    with pytest.raises(ConfigError) as caught:
        read_settings(**{name: value})

    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: {why}")


def test_every_setting_with_a_pattern_has_words_for_it() -> None:
    """No pattern speaks of another setting's form."""
    patterned = {
        str(field.alias)
        for field in Settings.model_fields.values()
        if any(getattr(one, "pattern", None) for one in field.metadata)
    }

    assert patterned == set(FORMS)


@pytest.mark.parametrize(
    ("listen", "metrics", "fine"),
    [
        ("127.0.0.1:3000", "127.0.0.1:3000", False),
        ("127.0.0.1:3000", "0.0.0.0:3000", False),
        ("[::]:3000", "127.0.0.1:3000", False),
        ("127.0.0.1:3000", "127.0.0.1:9464", True),
        ("127.0.0.1:3000", "10.0.0.1:3000", True),
        ("127.0.0.1:0", "127.0.0.1:0", True),
    ],
)
def test_metrics_need_a_port_of_their_own(listen: str, metrics: str, *, fine: bool) -> None:
    """One port for both is refused before anything is started."""
    given = {"STOPSTREAM_LISTEN": listen, "STOPSTREAM_METRICS_LISTEN": metrics}
    if fine:
        assert read_settings(**given).metrics_address is not None
        return
    with pytest.raises(ConfigError, match=r"^STOPSTREAM_METRICS_LISTEN: is taken by STOPSTREAM_LI"):
        read_settings(**given)
