"""The bodies of the page's calls."""

from typing import Any


class RefusedError(Exception):
    """A call is malformed, or names something that does not exist."""


class CallBody:
    """The JSON body of a call, whose members are checked as they are read."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise RefusedError("the body must be a JSON object")
        self._body: dict[str, Any] = body

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default it is required."""
        found = self._body.get(name, default)
        if not isinstance(found, str):
            raise RefusedError(f"{name}: must be a text")
        return found

    def number(self, name: str) -> float:
        """Return a number; 0 if it is left out."""
        found = self._body.get(name, 0)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise RefusedError(f"{name}: must be a number")
        return float(found)

    def flag(self, name: str) -> bool:
        """Return whether a member is true."""
        return self._body.get(name) is True

    def values(self) -> dict[str, dict[str, Any]]:
        """Return the values of a view's fields."""
        found = self._body.get("values") or {}
        if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
            raise RefusedError("values: must be objects by block and by element")
        return found

    def key(self) -> list[str]:
        """Return the key of a resource."""
        found = self._body.get("key")
        if not isinstance(found, list) or not found or not all(isinstance(k, str) for k in found):
            raise RefusedError("key: must be a list of texts")
        return found
