"""Slack in, Slack out: one file for each way in, one for words, one that delivers them."""
