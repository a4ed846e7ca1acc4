"""Kills the real process at every point where it awaits, and counts what went wrong outside."""
