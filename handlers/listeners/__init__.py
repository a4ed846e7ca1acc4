"""The listeners that Bolt calls: one module for each way in."""
