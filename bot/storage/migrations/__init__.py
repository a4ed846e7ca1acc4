"""The schema's history, one file per change, run by alembic at the start of a newer release."""
