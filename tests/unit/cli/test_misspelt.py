"""Variables that look like settings and are none; ids that are no ids; an empty policy file."""

import argparse
from pathlib import Path

import pytest

from bot.cli import policy
from bot.cli.main import build_parser
from bot.cli.misspelt import misspelt, set_names
from bot.cli.output import DONE, FAILED, USAGE
from bot.cli.settings import read_settings


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("STOPSTREAM_AUDIT_CHANEL", "STOPSTREAM_AUDIT_CHANNEL"),
        ("STOPSTREAM_DATABASE", "STOPSTREAM_DATABASE_URL"),
        ("STOPSTREAM_POLICY_", "STOPSTREAM_POLICY"),
        ("SLACK_BOT_TOKN", "SLACK_BOT_TOKEN"),
        ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRET_ID"),
        ("TENCENTCLOUD_ROLEARN", "TENCENTCLOUD_ROLE_ARN"),
        ("TKE_WEB_IDENTITY_TOKENFILE", "TKE_WEB_IDENTITY_TOKEN_FILE"),
    ],
)
def test_misspelt_setting_is_named_with_what_was_meant(name: str, meant: str) -> None:
    """A variable whose name is near that of a setting is something to fix."""
    assert list(misspelt([name])) == [(False, f"{name}: is no setting; did you mean {meant}?")]


@pytest.mark.parametrize(
    "name",
    [
        "STOPSTREAM_POLICY",
        "SLACK_CLI_PATH",
        "TENCENTCLOUD_ROLE_ARN",
        "TKE_ROLE_ARN",
        "TKE_CLUSTER",
        "PATH",
        # What Kubernetes sets for a service by this name.
        "STOPSTREAM_SERVICE_HOST",
        "STOPSTREAM_SERVICE_PORT",
        "STOPSTREAM_SERVICE_PORT_HTTP",
        "STOPSTREAM_PORT",
        "STOPSTREAM_PORT_3000_TCP_ADDR",
        "STOPSTREAM_METRICS_PORT_9090_TCP",
    ],
)
def test_other_variables_are_not_called_misspelt(name: str) -> None:
    """Settings themselves, other programs' variables and those of Kubernetes are left alone."""
    assert list(misspelt([name])) == []


def test_unknown_setting_is_said_to_be_ignored() -> None:
    """A variable of another release is no mistake, but one line says that it has no effect."""
    (found,) = misspelt(["STOPSTREAM_SOMETHING_NEW_ALTOGETHER"])

    assert found[0]
    assert "is ignored" in found[1]


def test_misspelt_setting_beside_the_right_one() -> None:
    """Where the right name is set, too, the line says so rather than asks."""
    found = list(misspelt(["STOPSTREAM_POLICY", "STOPSTREAM_POLICYY"]))

    assert found == [(False, "STOPSTREAM_POLICYY: is no setting; STOPSTREAM_POLICY is set, too")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "live a", "--actor", "alice"],
        ["run", "live a", "--actor", "U0A", "--channel", "#incidents"],
        ["decide", "1", "deny", "--actor", "@bob"],
        ["policy", "explain", "live a", "--user", "alice"],
        ["policy", "explain", "live a", "--user", "u0alice"],
        ["policy", "explain", "live a", "--user", "U0A", "--channel", "incidents"],
        ["policy", "explain", "live a", "--user", "U0A", "--group", "oncall"],
    ],
)
def test_ids_that_are_no_ids_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A name in place of an id is wrong usage, in one line that tells where ids are found."""
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args(arguments)

    assert stopped.value.code == USAGE
    last = capsys.readouterr().err.splitlines()[-1]
    assert f'"{arguments[-1]}" is not a' in last
    assert "in Slack: " in last


def test_ids_are_taken() -> None:
    """Ids of users, of people from shared channels, of channels and of groups are ids."""
    for user, channel in (("U0ALICE", "C0INC"), ("W012A3CDE", "G0PRIVATE"), ("U0A", "")):
        given = ["--user", user, "--channel", channel, "--group", "S0A", "--group", "S0B"]
        options = build_parser().parse_args(["policy", "explain", "live a", *given])
        assert (options.user, options.channel, options.group) == (user, channel, ["S0A", "S0B"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("roles: {}", "has no roles"),
        ("roles: {a: {members: {users: [U0A]}}}\n", "no role allows anything"),
        ("roles: {a: {allow: [{actions: ['*']}]}}\n", "no role has members"),
    ],
)
async def test_policy_check_calls_no_policy_valid_under_which_nobody_may_do_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    """A file is not called valid where it has no role, or none that allows anything to anybody."""
    (tmp_path / "policy.yml").write_text(text)
    settings = read_settings(STOPSTREAM_POLICY=str(tmp_path / "policy.yml"))

    assert await policy.run(settings, argparse.Namespace(what="check")) == FAILED

    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{why}, so nobody may do anything" in printed.err


async def test_policy_check_says_how_much_a_valid_file_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A valid file is called valid, with how many roles and limits it has."""
    (tmp_path / "policy.yml").write_text(
        "limits: [{actions: ['*'], deny: true}]\n"
        "roles: {a: {members: {users: [U0A]}, allow: [{actions: ['*']}]}, b: {}}\n"
    )
    settings = read_settings(STOPSTREAM_POLICY=str(tmp_path / "policy.yml"))

    assert await policy.run(settings, argparse.Namespace(what="check")) == DONE
    assert capsys.readouterr().out.endswith("policy.yml is valid: 2 roles, 1 limit\n")


def test_empty_variable_does_not_hide_the_misspelt_one() -> None:
    """An empty variable counts as absent, so what was meant for it is not said to be set."""
    names = set_names({"STOPSTREAM_POLCY": "x", "STOPSTREAM_POLICY": ""})

    assert [line for _, line in misspelt(names)] == [
        "STOPSTREAM_POLCY: is no setting; did you mean STOPSTREAM_POLICY?"
    ]
