"""What goes back to the asker alone: receipts, mistakes, help, who they are, what ran; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bot.catalog.registry import action_of
from bot.commands.diagnostics import caret
from bot.commands.formatting import example
from bot.commands.parsed import Audit, Form, Help, OffAir, WhoAmI
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import DEFAULT, Action, Approval, Effect
from bot.model.commands import Command
from bot.model.lifecycle import ENDINGS
from bot.model.operations import Operation, State
from bot.model.verdicts import Denied, DryRunResult, Verdict
from bot.operations.service import Accepted, DryRun, Invalid, NotRecorded, Permissions, Reply
from bot.policy.explanation import Permission
from handlers.messages import annotations as beside
from handlers.messages import help as topics
from handlers.messages.cards import (
    SECTION_MOST,
    TEXT_MOST,
    Block,
    Message,
    section,
    state_word,
    wanted,
)
from handlers.messages.mrkdwn import (
    channel,
    code,
    code_block,
    escape,
    fit,
    link,
    moment,
    people,
    typed,
    user,
    worded,
    written,
)

_NO_TARGETS: Mapping[str, str] = {}

OPEN_FORM = "open-form"
"""The action_id of a button that opens the form."""

MALFORMED = (
    "Slack sent this without what makes it unique, so nothing was done. Please send it again."
)

TROUBLE = {
    "bot": "Bots may not use this bot.",
    "guest": "Guests may not use this bot.",
    "deactivated": "This user is deactivated.",
    "stranger": "Users of another workspace may not use this bot.",
}

EFFECTS = {
    Effect.STOP: "Stop",
    Effect.START: "Start",
    Effect.CHANGE: "Change",
    Effect.READ: "Look",
}
"""What people call the actions of an effect."""

SOMETHING = {
    Effect.STOP: "Stop something",
    Effect.START: "Start something",
    Effect.CHANGE: "Change something",
    Effect.READ: "Look at something",
}
"""What stands on the button and over the form of a verb."""

_SOON: Mapping[type, str] = {
    DryRun: "Dry run, nothing is sent. One moment, the policy is asked.",
    Form: "The form opens now.",
    WhoAmI: "One moment, Slack is asked who you are.",
    Audit: "One moment, the trail is read.",
    OffAir: "One moment, what is off is looked up.",
}

_HOW = {
    Approval.NONE: "at once",
    Approval.CONFIRM: "after a confirmation",
    Approval.SECOND_PERSON: "after a second person",
}


def receipt(reply: Reply, vocabulary: Vocabulary, action: Action | None = None) -> Message:
    """Answer with the ack; it claims nothing that has not happened.

    `action` is what a taken operation is about.
    """
    match reply:
        case Accepted(operation, again):
            return Message(_taken(operation, action, again=again))
        case Invalid(error):
            return mistake(error)
        case NotRecorded(sentence, instead):
            return Message(f"{worded(sentence, 1500)}{_type(instead)}")
        case Help(topic):
            return help_on(topic, vocabulary.actions, targets=vocabulary.targets)
        case Form() | WhoAmI() | Audit() | OffAir() | DryRun():
            return Message(_SOON[type(reply)])


def _type(wanted: Command | None) -> str:
    if wanted is None:
        return ""
    said = typed(wanted.action, wanted.params, wanted.region, wanted.account)
    return f" If you still want it: {code(said, 1000)}"


def mistake(error: ParseError, *, in_thread: bool = False) -> Message:
    """Say what is wrong in one sentence, and mark the place."""
    said, example_, command = error.sentence.partition("For example: ")
    # Escaped, an address in it could not be pasted.
    sentence = escape(said.rstrip(), 900) + (f" {example_}{code(command, 300)}" if command else "")
    sentence = topics.in_thread(sentence) if in_thread else sentence
    if not error.text.strip():
        return Message(sentence)
    return Message(f"{sentence}\n{code_block(caret(error), 600)}")


def _taken(operation: Operation, action: Action | None, *, again: bool) -> str:
    place = "this thread" if operation.place.thread_ts else "this channel"
    what = wanted(operation, action)
    if again:
        return f"Asked already: {what}. Slack delivered it twice; it runs once, in {place}."
    return f"Asked: {what}. The answer comes in {place}; refusals come to you alone."


def brought(operation: Operation) -> Message:
    """Say where the answer comes to what was asked from the list of what is off."""
    what, where = wanted(operation, action_of(operation)), channel(operation.place.channel)
    return Message(
        f"Asked: {what}. The answer comes in the thread where it was stopped, in {where}."
    )


def asked_before(operation: Operation, action: Action | None, address: str = "") -> Message:
    """Say where stands what somebody pressed for once more.

    Args:
        address: Of its card.
    """
    card = link(address, "its card")
    match operation.state:
        case state if state in ENDINGS:
            word = state_word(operation, action).lower()
            now = f"It has ended: {word}{f'; see {card}' if card else ''}."
        case State.WAITING:
            now = f"It waits on {card or 'its card'}."
        case _:
            now = f"It is under way; see {card or 'its card'}."
    return Message(f"You asked this already: {wanted(operation, action)}. {now}")


# --- help ----------------------------------------------------------------------------


def in_thread(message: Message) -> Message:
    """Write the commands of a help, which has sections alone, as they are typed in a thread."""
    texts = (topics.in_thread(block["text"]["text"]) for block in message.blocks)
    return Message(topics.in_thread(message.text), tuple(map(section, texts)))


def help_on(
    topic: str,
    actions: Sequence[Action],
    standing: Permissions | None = None,
    targets: Mapping[str, str] = _NO_TARGETS,
) -> Message:
    """Explain everything shortly, or what a topic names in full.

    Args:
        standing: Who asks, so that what they may do here is marked; None where that is unknown.
        targets: Of the policy, by name.
    """
    mine: dict[str, list[Permission]] = {}
    for how in standing.may if standing else ():
        mine.setdefault(how.action.api, []).append(how)
    if not topic:
        return _overview(actions, mine, targets=targets)
    folded = topic.casefold()
    about = [action for action in actions if folded in (action.words, action.api.casefold())]
    family = [action for action in actions if folded in (action.product.name, action.effect.value)]
    if about:
        beside = [action for action in family if action not in about]
        full = [line for a in about for line in (*_in_full(a), *map(_yours, mine.get(a.api, ())))]
        return arranged([*full, *_named_beside(topic, beside)])
    if family:
        return _overview(family, mine)
    if lines := topics.on(topic, targets, actions):
        return arranged(lines)
    unknown = f"There is no help on {code(topic, 80)}; this is what there is."
    return _overview(actions, mine, unknown, targets=targets)


def yours(topic: str, standing: Permissions) -> Message:
    """Say what of a topic somebody may do here, after a help that could not tell."""
    folded = topic.casefold()
    some = tuple(how for how in standing.may if folded in _names(how.action))
    return whoami(replace(standing, may=some or standing.may))


def _names(action: Action) -> tuple[str, ...]:
    return (action.words, action.api.casefold(), action.product.name, action.effect.value)


def _yours(how: Permission) -> str:
    if how.approval is None:
        return f"You may not do this here{_on(how)}; {_why_not(how)}."
    return f"You may do this here{_allowed(how)}."


def _allowed(how: Permission) -> str:
    where = f", where {code(how.where)}" if how.where else ""
    return f"{_on(how)} {_HOW[how.approval or Approval.NONE]}{where}"


def _on(how: Permission) -> str:
    """Name the accounts, where it is not the same on all."""
    return f" on {' and '.join(map(code, how.accounts))}" if how.accounts else ""


def _overview(
    actions: Sequence[Action],
    mine: Mapping[str, Sequence[Permission]],
    *before: str,
    targets: Mapping[str, str] = _NO_TARGETS,
) -> Message:
    """Give an example of each; what they do stands in the blocks, for which there is room."""
    legend = [_LEGEND] if mine else []
    long, short = [*before, *legend], [*before, *legend]
    for effect, title in EFFECTS.items():
        found = [action for action in actions if action.effect is effect]
        if found:
            long.append(f"*{title}*")
            short.append(f"*{title}*")
        marks = {a.api: _mark(mine.get(a.api, ())) for a in found}
        long += [f"{code(example(a))}{marks[a.api]} {_first_sentence(a.does)}" for a in found]
        short += [f"{code(example(a))}{marks[a.api]}" for a in found]
    more = [*_MORE, *topics.named(targets)]
    return Message(fit("\n".join([*short, *more]), TEXT_MOST), arranged([*long, *more]).blocks)


def _mark(hows: Sequence[Permission]) -> str:
    return " ✓" if any(how.approval is not None for how in hows) else ""


_LEGEND = "What you may do here is marked ✓; `/stopstream whoami` says how, and why not the rest."

_MORE = (
    "*More*",
    "`/stopstream` alone opens a form. `/stopstream help KIND` explains one kind in full.",
    "`/stopstream whoami` says what you may do here, `/stopstream audit since=24h` what ran.",
    "`/stopstream off` lists what is off and not yet on, and what is held.",
    "`user=@…`, `action=…`, `target=…`, `ending=…`, `case=…`, `account=…` narrow down what ran.",
    "Any action takes `case=INC-42`, the incident that it belongs to.",
    "Where there are several accounts, `account=…` names one, or the channel does.",
    "Values are `name=value` or `--name value`, quoted where they hold spaces.",
    "`--dry-run` on any command shows you what would be sent, and sends nothing.",
    "Every action goes by its API name, too. In a thread, say `@stopstream stop live stream1`.",
)


def _named_beside(topic: str, others: Sequence[Action]) -> list[str]:
    kinds = dict.fromkeys(action.words for action in others)
    if not kinds:
        return []
    return [f"To {code(topic, 80)} belong, too: {', '.join(map(code, kinds))}."]


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".") + "."


def _in_full(action: Action) -> list[str]:
    lines = [f"*{action.api}*", action.does, f"Example: {code(example(action), 300)}"]
    for param in action.params:
        need = "" if param.required else " (may be left out)"
        if param.default is not None:
            need = f" ({code(written(param.default))} if left out)"
        lines.append(f"• {code(param.word)} or {code(param.api)}: {escape(param.help)}{need}")
    if action.only:
        lines.append(f"It exists on the {action.only} site alone.")
    for site, regions in (action.regions or {}).items():
        lines.append(f"• {code('region')} on the {site} site: {', '.join(regions)}")
    twice = "may be sent twice" if action.repeatable else "is never sent twice by itself"
    lines.append(f"At most {action.per_second} a second; a request whose answer is lost {twice}.")
    if action.undo:
        lines.append(f"What takes it back: {action.undo}.")
    if action.status_read:
        lines.append(f"What reads the state: {action.status_read}.")
    if action.deprecated:
        lines.append(action.deprecated)
    return lines


def arranged(paragraphs: Iterable[str], most_blocks: int = 40) -> Message:
    """Put lines into as few sections as their limits allow."""
    lines = list(paragraphs)
    sections: list[str] = []
    for line in lines:
        if sections and len(sections[-1]) + len(line) + 1 < SECTION_MOST:
            sections[-1] += "\n" + line
        else:
            sections.append(line)
    blocks = tuple(section(text) for text in sections[:most_blocks])
    return Message(fit("\n".join(lines), TEXT_MOST), blocks)


def form_offer(verb: Effect) -> Message:
    """Offer the form where only a press can open it."""
    text = f"Say what to {verb.value} in the same message, or fill in the form."
    return Message(text, (section(text), buttons(form_button(verb))))


def buttons(*elements: Block) -> Block:
    """Put buttons side by side."""
    return {"type": "actions", "elements": list(elements)}


def form_button(verb: Effect) -> Block:
    """Make the button that opens the form of a verb."""
    return {
        "type": "button",
        "action_id": f"{OPEN_FORM}:{verb.value}",
        "value": verb.value,
        "text": {"type": "plain_text", "text": SOMETHING[verb], "emoji": False},
    }


# --- dry runs --------------------------------------------------------------------------


def rehearsal(found: DryRunResult) -> Message:
    """Say what would be sent, which rule lets it pass and who would have to agree."""
    command, draft = found.command, found.request
    if found.hidden:
        return Message(f"*Dry run, nothing was sent.* {_would_pass(found)}")
    said = typed(command.action, command.params, command.region, command.account)
    about = [f"Account {code(command.account)}"] if command.account != DEFAULT else []
    about += [f"region {code(command.region)}"] if command.region else []
    about += filter(None, (beside.case(found), _runbook(found)))
    lines = [
        f"*Dry run, nothing was sent:* {command.action.api}, as {code(said, 500)}",
        *([_begun(", ".join(about))] if about else []),
        _would_pass(found),
        "*The request*",
    ]
    if draft is None:
        return Message("\n".join([*lines[:-1], "Nothing would leave: the bot keeps it itself."]))
    headers = "\n".join(f"{name}: {value}" for name, value in draft.headers.items())
    request = f"{draft.method} {draft.url}\n{headers}\n\n{draft.payload}"
    return Message("\n".join([*lines, code_block(request, 1800)]))


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _would_pass(found: DryRunResult) -> str:
    verdict = found.verdict
    if isinstance(verdict, Denied):
        could = " or ".join(code(role) for role in verdict.request_from)
        ask = f" {could} could be asked to let it through." if could else ""
        return f"It would be denied: {worded(verdict.reason)}{ask}"
    rule = f"Allowed by {code(verdict.rule)}"
    if verdict.approval is Approval.NONE:
        return f"{rule}, at once."
    if verdict.approval is Approval.CONFIRM:
        return f"{rule}, after you confirm it."
    if not verdict.approvers:
        later = " or ".join(code(role) for role in verdict.escalates_to)
        could = f"{later} could, once a reminder has asked them" if later else "nobody could"
        return f"{rule}, but its list of approvers is empty: {could} approve it."
    count = "one" if verdict.needed == 1 else str(verdict.needed)
    approve = "approves" if verdict.needed == 1 else "approve"
    roles = " or ".join(code(role) for role in verdict.approvers)
    who = f" ({people(found.people[:10])})" if found.people else ""
    return f"{rule}, after {count} of {roles} {approve} it{who}."


def _runbook(found: DryRunResult) -> str:
    return beside.runbook(found.verdict) if isinstance(found.verdict, Verdict) else ""


# --- who they are, and what ran --------------------------------------------------------


def whoami(standing: Permissions) -> Message:
    """Say who someone is to the policy and what they may do in this place."""
    return arranged(standing_lines(standing))


def standing_lines(standing: Permissions) -> list[str]:
    """Say roles and rights in a place, a line each."""
    begin = _who(standing)
    if _trouble(standing):
        return [begin]
    may = [how for how in standing.may if how.approval is not None]
    may_not = [how for how in standing.may if how.approval is None]
    lines = [begin]
    if not standing.here:
        lines.append("I am not in this channel, so nothing can be done here: invite me first.")
    if may:
        lines += ["*You may here*", *(_how(how) for how in may)]
    if may_not:
        lines += ["*You may not here*", *(_how(how) for how in may_not)]
    return lines


def everywhere_lines(standing: Permissions) -> list[str]:
    """Say roles and rights where there is no place, channel by channel, a line each."""
    lines = [_who(standing)]
    if _trouble(standing):
        return lines
    anywhere = [_how(how) for how in standing.may if how.approval is not None]
    could: set[str] = set()
    for id_, may in standing.elsewhere:
        here = [how for how in may if how.approval is not None]
        could.update(how.action.api for how in here)
        more = [shown for how in here if (shown := _how(how)) not in anywhere]
        lines += [f"*In {channel(id_)} you may*", *more] if more else []
    if anywhere:
        lines += ["*In any channel I am in you may*", *anywhere]
    may_not = [h for h in standing.may if h.approval is None and h.action.api not in could]
    if may_not:
        lines += ["*You may not*", *(_how(how) for how in may_not)]
    return lines


def _trouble(standing: Permissions) -> str:
    return next((why for name, why in TROUBLE.items() if getattr(standing.person, name)), "")


def _who(standing: Permissions) -> str:
    who = f"You are {user(standing.person.user)}"
    if trouble := _trouble(standing):
        return f"{who}. {trouble}"
    roles = ", ".join(code(role) for role in standing.roles)
    return f"{who}, in the roles {roles}." if roles else f"{who} and have no role in the policy."


def _how(how: Permission) -> str:
    if how.approval is not None:
        return f"• {how.action.api}{_allowed(how)}"
    return f"• {how.action.api}{_on(how)}; {_why_not(how)}"


def _why_not(how: Permission) -> str:
    """Say why not here: and where, who else, or whom to ask."""
    could = " or ".join(code(role) for role in how.others)
    if how.forbidden:
        return f"the policy forbids it to everyone ({code(how.forbidden)})"
    if how.channels:
        return f"you may in {', '.join(map(channel, how.channels))}"
    if how.request_from:
        asks = " or ".join(code(role) for role in how.request_from)
        return f"{could} may, and {asks} can be asked to let it through"
    return f"{could} may" if could else "nobody may"


def operation_line(operation: Operation) -> str:
    """Say in one line what became of an operation."""
    action = action_of(operation)
    parts = [
        f"{state_word(operation, action)}: {wanted(operation, action)}",
        f"{user(operation.actor.user)} {moment(operation.asked_at)}",
    ]
    if operation.place.channel:
        parts.append(channel(operation.place.channel))
    if operation.case:
        parts.append(f"case {code(operation.case)}")
    if operation.code:
        parts.append(f"code {code(operation.code)}")
    if operation.request_id:
        parts.append(f"RequestId {code(operation.request_id)}")
    return "• " + " · ".join(parts)
