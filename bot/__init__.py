"""stopstream: a Slack bot that stops a live stream, and can prove who did it."""
