"""A policy of several cloud accounts, and their keys."""

from collections.abc import Mapping

from bot.policy.loader import LoadedPolicy, loader

ACCOUNTS = """
defaults:
  live: {DomainName: push.example.com}
accounts:
  main: {channels: [C0INC]}
  europe:
    secret_id: EU_SECRET_ID
    secret_key: EU_SECRET_KEY
    token: EU_TOKEN
    site: intl
    region: ap-singapore
    channels: [C0EUROPE]
    defaults: {live: {DomainName: eu.example.com}}
targets:
  eu-stage: live stage1 account=europe
"""


POLICY = f"""{ACCOUNTS}
limits:
  - {{actions: ["Forbid*"], accounts: [europe], deny: true}}
roles:
  oncall:
    members: {{users: [U0ALICE]}}
    allow:
      - {{actions: ["*"], accounts: [main]}}
      - {{actions: [DropLiveStream], accounts: [europe], approval: confirm}}
  leads:
    members: {{users: [U0BOB]}}
    allow: [{{actions: ["*"], accounts: ["*"], approval: confirm}}]
"""


KEYS = {"EU_SECRET_ID": "AKIDEUROPE", "EU_SECRET_KEY": "eu-key", "EU_TOKEN": "eu-token"}


def rules(text: str = POLICY, variables: Mapping[str, str] | None = None) -> LoadedPolicy:
    held = KEYS if variables is None else variables
    return loader(source="policy.yml", sites={}, region="", now=0.0, variable=held.get)(text)
