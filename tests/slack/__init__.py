"""Every way in and out of Slack, against a fake of its Web API."""
