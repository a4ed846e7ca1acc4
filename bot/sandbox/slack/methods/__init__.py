"""The methods of the emulated Web API, a module per family."""
