"""Defaults: what the policy, the catalog and the settings add to the typed arguments."""

from bot.commands.context import Context
from bot.commands.diagnostics import printable
from bot.commands.formatting import example
from bot.commands.parsed import Assignment, ParsedArguments
from bot.commands.reasons import with_reason
from bot.commands.tokens import Token
from bot.commands.vocabulary import Vocabulary
from bot.model.actions import Action, Json, Param, Site
from bot.model.commands import Command
from bot.redact import HIDDEN


def complete_command(
    context: Context,
    action: Action,
    arguments: ParsedArguments,
    assignment: Assignment,
    kind: Token,
) -> Command:
    """Return the command, with a value for each parameter that it needs.

    Args:
        kind: The token that named the action.

    Raises:
        CommandError: A parameter, the account or the region is missing, or is not available
            on the account's site.
    """
    account = arguments.account or context.vocabulary.meant
    if not account:
        raise context.error(missing_account(context.vocabulary), None)
    site = context.vocabulary.site(action, account)
    if action.only not in (None, site):
        raise context.error(f"{action.api} exists on the {action.only} site alone.", kind)
    complete: dict[str, Json] = {}
    for param in action.params:
        value = arguments.values.get(param.api)
        if param.only not in (None, site):
            if value is not None:
                problem = f"{param.word} exists on the {param.only} site alone."
                raise context.error(problem, assignment.places.get(param.api, kind))
            continue
        value = default_value(context, action, param, account) if value is None else value
        if value is not None:
            complete[param.api] = value
        elif param.required:
            filled_in = context.vocabulary.filled_in(action)
            way = f"For example: {example(action, site, filled_in)}"
            problem = f"{param.word} is missing: {param.help}. {way}"
            raise context.error(problem, None, verbatim=way)
    place = assignment.places.get("Region", kind)
    region = _region(context, action, arguments.region, account, place)
    command = Command(action, complete, region, account, arguments.case, arguments.spans)
    return with_reason(command, arguments.reason, context.vocabulary)


def default_value(context: Context, action: Action, param: Param, account: str) -> Json:
    """Return the default of a parameter: the policy's, or the catalog's, or None.

    Raises:
        CommandError: The policy's default is not of the parameter's type.
    """
    given = context.vocabulary.given(action, account)
    if param.api not in given:
        return param.default_value(context.now)
    text = str(given[param.api])
    try:
        return param.type.read(text, context.now)
    except ValueError:
        shown = HIDDEN if param.secret else printable(text)
        raise context.error(
            f'The policy\'s default "{shown}" for {param.api} is not {param.type.description}.',
            None,
        ) from None


def missing_account(vocabulary: Vocabulary) -> str:
    """Return a sentence that asks for the account."""
    ways = " or ".join(f"account={name}" for name in vocabulary.accounts)
    return f"account is missing: add {ways}."


def _region(context: Context, action: Action, typed: str, account: str, place: Token) -> str:
    """Return the typed or configured region; empty if the action needs none.

    Args:
        place: Where an unsuitable typed region is.
    """
    if action.regions is None:
        return ""
    region = typed or context.vocabulary.region_for(action, account)
    site = context.vocabulary.site(action, account)
    allowed = action.regions.get(site, ())
    if region in allowed:
        return region
    where = f"offered on the {site} site in {', '.join(allowed)}"
    offers = f"{action.api} is {where if allowed else f'not offered on the {site} site'}."
    if not region:
        raise context.error(f"region is missing: add region=REGION. {offers}", None)
    origin = "" if typed else ", which the configuration fills in,"
    hint = _other_site(context.vocabulary, action, region, site, account)
    raise context.error(
        f'"{printable(region)}"{origin} is not a region for this. {offers}{hint}',
        place if typed else None,
    )


def _other_site(
    vocabulary: Vocabulary, action: Action, region: str, site: Site, account: str
) -> str:
    """Return a sentence that names the site which offers a region; empty if none does."""
    regions = action.regions or {}
    if not any(region in offered for other, offered in regions.items() if other != site):
        return ""
    other = "mainland" if site == "intl" else "intl"
    return f" The {other} site has it; {vocabulary.chooses_site(account)} chooses."
