"""The hash chain over the audit log, its signed checkpoints, and its export."""
