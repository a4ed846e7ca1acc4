"""The sentences that must stay true."""
