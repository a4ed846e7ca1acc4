"""What Bolt calls: one file for each way in."""
