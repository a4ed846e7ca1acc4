"""Signed notices from outside, by HTTP: who may send them, and what they say; pure."""
