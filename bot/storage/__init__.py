"""The database: repositories over one session."""
