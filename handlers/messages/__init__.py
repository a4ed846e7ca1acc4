"""Texts and blocks. Pure."""
