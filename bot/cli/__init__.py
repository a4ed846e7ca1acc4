"""The command line: serve, check, run, policy, audit and demo."""
