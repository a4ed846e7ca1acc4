"""What the ack of a command says of whether it is stored."""


def is_stored(said: str) -> bool:
    """Return whether a command is stored: its card follows, comes late, or is there already."""
    return not said or said.startswith(("Saved.", "Already asked: "))
