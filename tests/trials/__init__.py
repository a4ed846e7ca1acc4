"""Experiments with the whole program: Slack, the cloud or the database goes, and comes back."""
