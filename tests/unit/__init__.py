"""One package at a time, without a database."""
