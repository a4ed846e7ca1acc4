"""Runs replicas in one thread and in virtual time, interleaved as a seed says."""
