"""The channels of a campaign, and the policy that its people act under."""

DOMAIN = "push.example.com"
AUDIT = "C0AUDIT"
CHANNELS = tuple(f"C0OPS{number}" for number in range(6))
POLICY = f"""
defaults: {{live: {{DomainName: {DOMAIN}, AppName: live}}}}
roles:
  oncall:
    members: {{users: [U0ALICE]}}
    allow:
      - actions: [DropLiveStream, StopPublishStream, StartPublishStream]
      - {{actions: [ForbidLiveStream], approval: confirm, expires: 1h}}
      - {{actions: [ForbidLiveDomain], approval: second-person, approvers: [leads], expires: 1h}}
  leads: {{members: {{users: [U0BOB]}}, allow: [{{actions: ["*"], approval: confirm}}]}}
"""
