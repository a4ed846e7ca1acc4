"""A refusal with one of Tencent Cloud's codes."""


class CodeError(Exception):
    """An action is refused with one of Tencent Cloud's codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
