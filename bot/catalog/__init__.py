"""The actions that may be asked for, one declaration each, and what follows from them."""
