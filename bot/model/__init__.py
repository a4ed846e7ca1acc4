"""The data types that every package shares: frozen, standard library only."""
