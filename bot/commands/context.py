"""The input of every parsing step: the text, what it may say, and the time."""

from dataclasses import dataclass

from bot.commands.diagnostics import CommandError
from bot.commands.tokens import Token
from bot.commands.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Context:
    """A text to parse.

    Attributes:
        text: Unescaped; positions of errors refer to it.
        now: Epoch seconds.
    """

    text: str
    vocabulary: Vocabulary
    now: float

    def error(
        self, sentence: str, token: Token | None, *, suggestion: str = "", verbatim: str = ""
    ) -> CommandError:
        """Return an error at a token, or at the end of the text where something is missing."""
        end = len(self.text)
        start, end = (token.start, token.end) if token else (end, end)
        return CommandError(
            sentence,
            text=self.text,
            start=start,
            end=end,
            suggestion=suggestion,
            verbatim=verbatim,
        )
