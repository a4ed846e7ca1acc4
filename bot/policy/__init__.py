"""The policy file and the answers that it gives."""
