"""The store and the worker on real databases."""
