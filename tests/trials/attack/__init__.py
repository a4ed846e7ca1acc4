"""Attacks on the running bot, from every side: how often each was tried, and what got through."""
