"""What the audit channel hears of a policy that was loaded."""

import pytest

from bot.policy.difference import difference
from bot.policy.loader import loader

POLICY = """
limits:
  - {actions: [ForbidLiveDomain], approval: second-person}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - {actions: [DropLiveStream]}
      - {actions: ["Describe*"]}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("DropLiveStream", "ForbidLiveStream", "+1 -1 rules"),
        ('      - {actions: ["Describe*"]}\n', "", "-1 rules"),
        ("approval: second-person", "deny: true", "+1 -1 limits"),
        ("U0ALICE", "U0BOB", "members of oncall"),
        ("limits:", "targets: {main: car user1}\nlimits:", "targets"),
        ("limits:", "# a remark\nlimits:", "nothing that counts"),
    ],
)
def test_difference_names_what_changed(old: str, new: str, said: str) -> None:
    """A new policy is told by what it adds and removes."""
    load = loader(source="policy.yml", sites={}, region="", now=1_700_000_000.0)
    before, after = load(POLICY).policy, load(POLICY.replace(old, new)).policy

    assert difference(before, after) == said
