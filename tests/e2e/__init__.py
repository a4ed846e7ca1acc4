"""The whole program as real processes."""
