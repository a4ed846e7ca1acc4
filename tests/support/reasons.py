"""A policy with reasons, for the tests of every way in."""

REASONS = """
defaults:
  live: {DomainName: push.example.com}
reasons:
  copyright: {text: A rights holder has asked for it, tencent: Copyright infringement}
  court-order: {text: A court has ordered it}
limits:
  - {actions: ["Forbid*"], reason: required}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - actions: ["*"]
  leads:
    members: {users: [U0BOB]}
    allow:
      - {actions: ["*"], approval: confirm, requests: true}
"""
"""A ban needs a reason, whoever asks for it."""
