"""An emulated Slack workspace: its Web API, events and people."""
