"""The policy file and its decisions."""
