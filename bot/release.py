"""The release that runs."""

import functools


@functools.cache
def version() -> str:
    """Return the version of the distribution, as `0.2.0`."""
    # Imported only where it is asked for, because it is slow to import.
    from importlib import metadata  # noqa: PLC0415 (see above)

    return metadata.version("stopstream")
