"""From text to a command: tokens, parser, suggestions. Pure."""
