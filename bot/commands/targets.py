"""Targets: names in the policy file that stand for the text of a command."""

from bot.commands.actions import find_action
from bot.commands.arguments import expand_target
from bot.commands.context import Context
from bot.commands.diagnostics import printable
from bot.commands.parsed import ParsedArguments
from bot.commands.suggestions import ask_for_verb, cannot, undo_command
from bot.commands.tokens import Token
from bot.commands.vocabulary import KEYWORDS, Vocabulary
from bot.model.actions import Action, Effect


def find_target(word: str, vocabulary: Vocabulary) -> str:
    """Return the target that a first word names, in any case if only one matches; or empty."""
    folded = word.casefold()
    if folded in vocabulary.called or folded in KEYWORDS:
        return ""
    return vocabulary.target_named(word)


def resolve_target(
    context: Context, name: Token, verb: Effect | None
) -> tuple[Action, ParsedArguments]:
    """Return the action of a target under a verb, and its arguments.

    Raises:
        CommandError: The target has no action for this verb.
    """
    target = expand_target(context, name)
    own = target.action
    if verb is None and not target.has_verb:
        same = [a for a in context.vocabulary.actions if a.words == own.words]
        raise context.error(ask_for_verb(name.value, same), name)
    # What neither stops nor starts goes under either command; a stop never becomes a start.
    is_neutral = own.effect not in (Effect.STOP, Effect.START) and verb is not Effect.READ
    if is_neutral or verb in (None, own.effect):
        return own, target.arguments
    action = find_action(own.words, verb, context.vocabulary)
    if action is None:
        undo = undo_command(own, verb, context.vocabulary)
        raise context.error(
            f'The target "{printable(name.value)}" stands for {own.api}, which {cannot(verb)}'
            f"{undo and f'; {undo}'}.",
            name,
        )
    return action, target.arguments.restrict_to(action)
