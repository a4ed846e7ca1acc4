"""Calls to Slack's Web API and the connections to Slack."""
