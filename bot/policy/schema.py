"""The policy file as data: what may be in it, and its JSON Schema."""

import hashlib
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bot.catalog.param_types import CASE, case, reason
from bot.model.actions import DEFAULT, Approval, Site
from bot.policy.dsa import DsaSettings
from bot.times import parse_duration

_SCALAR = str | int | bool
Pattern = Annotated[
    Annotated[bool, Field(strict=True)] | Annotated[str, Field(min_length=1)],
    BeforeValidator(lambda v: str(v) if isinstance(v, int) and not isinstance(v, bool) else v),
    Field(
        description="A value, as a command would say it, or a glob: * stands for anything, "
        "? for one character.",
        json_schema_extra={
            "anyOf": [{"type": ["boolean", "number"]}, {"type": "string", "minLength": 1}]
        },
    ),
]
ActionPattern = Annotated[
    str, Field(min_length=1, description="Tencent's name of an API, or a glob over the names.")
]
UserId = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]+$")]
GroupId = Annotated[str, Field(pattern=r"^S[A-Z0-9]+$")]
ChannelId = Annotated[str, Field(pattern=r"^[CGD][A-Z0-9]+$")]
_HTTPS = r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/?=&%#+,:;!-]*)?"


def _https(text: str) -> str:
    if len(text) > _LONGEST_ADDRESS or not re.fullmatch(_HTTPS, text):
        raise ValueError("is not a plain address that begins with https://")
    return text


_LONGEST_ADDRESS = 500
Address = Annotated[
    str,
    AfterValidator(_https),
    Field(json_schema_extra={"pattern": f"^{_HTTPS}$", "maxLength": _LONGEST_ADDRESS}),
]
Case = Annotated[
    str,
    BeforeValidator(lambda v: str(v) if isinstance(v, int) and not isinstance(v, bool) else v),
    AfterValidator(case),
    Field(
        description="The name of an incident or ticket, e.g. INC-42.",
        json_schema_extra={"pattern": f"^{CASE}$"},
    ),
]
_REASON_CODE = "[a-z][a-z0-9-]{0,31}"


def _reason_code(text: str) -> str:
    if not re.fullmatch(_REASON_CODE, text):
        raise ValueError("a reason's code is small letters, digits and -, 32 at most")
    return text


def _reason_text(text: str) -> str:
    return str(reason.read(text, 0.0))


ReasonCode = Annotated[
    str, AfterValidator(_reason_code), Field(json_schema_extra={"pattern": f"^{_REASON_CODE}$"})
]
ReasonText = Annotated[
    str, AfterValidator(_reason_text), Field(min_length=1, max_length=reason.max_length)
]
NeedsReason = Annotated[
    Literal["required"] | None,
    Field(description="Only with a code of reasons: reason=CODE. Never for reads and holds."),
]
_VARIABLE = "[A-Z][A-Z0-9]*(_[A-Z0-9]+)+"
_REGION = "[a-z]{2}-[a-z]+(-[0-9]+)?"
_ACCOUNT = "[a-z][a-z0-9-]{0,31}"
_OF_OTHERS = ("SLACK_", "STOPSTREAM_")


def _variable(text: str) -> str:
    # No key of Tencent Cloud has an underscore, so none can pass for a name.
    if not re.fullmatch(_VARIABLE, text):
        raise ValueError(
            "is not the name of a variable (capitals and digits, with _ between); "
            "a secret itself never stands in this file"
        )
    if text.startswith(_OF_OTHERS):
        # The id of a key is sent along in the clear.
        raise ValueError("names a variable that holds no key for a cloud account")
    return text


def _region(text: str) -> str:
    if not re.fullmatch(_REGION, text):
        raise ValueError("does not look like a region, e.g. ap-guangzhou")
    return text


def _account_name(text: str) -> str:
    if not re.fullmatch(_ACCOUNT, text):
        raise ValueError("an account's name is small letters, digits and -, 32 at most")
    if text == DEFAULT:
        # Cards name every account but this one.
        raise ValueError("is what the account is called where the file names none; call it else")
    return text


Variable = Annotated[
    str,
    AfterValidator(_variable),
    Field(
        description="The name of an environment variable, never the secret itself.",
        json_schema_extra={"pattern": f"^{_VARIABLE}$"},
    ),
]
AccountName = Annotated[
    str, AfterValidator(_account_name), Field(json_schema_extra={"pattern": f"^{_ACCOUNT}$"})
]
AccountPattern = Annotated[
    str, Field(min_length=1, description="The name of an account, or a glob over the names.")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Members(_Strict):
    """Who is in a role. Nobody is by default."""

    users: tuple[UserId, ...] = Field((), description="Slack user ids.")
    usergroups: tuple[GroupId, ...] = Field((), description="Slack user group ids.")


class AccountSettings(_Strict):
    """A cloud account: in which variables its key is, and where it is meant.

    One account may leave the key out: the bot's own is taken, of TENCENTCLOUD_SECRET_ID and
    TENCENTCLOUD_SECRET_KEY, the credentials file or the machine's role.
    """

    secret_id: Variable | None = Field(None, description="The variable of the key's id.")
    secret_key: Variable | None = Field(None, description="The variable of the key itself.")
    token: Variable | None = Field(None, description="The variable of a temporary key's token.")
    callback_key: Variable | None = Field(
        None,
        description="The variable of the key that signs its Live callbacks; two keys with a comma "
        "between while one is replaced by the other.",
    )
    site: Site | None = Field(
        None, description="Whose hosts it calls; left out: as STOPSTREAM_TENCENT_SITE says."
    )
    region: Annotated[str, AfterValidator(_region)] | None = Field(
        None, description="Where neither the command nor a default names one."
    )
    channels: tuple[ChannelId, ...] = Field(
        (), description="What is asked there without account=… is asked of this account."
    )
    defaults: dict[str, dict[str, _SCALAR]] = Field(
        default_factory=dict,
        description="As those of the whole file, and before them.",
    )

    @property
    def variables(self) -> dict[str, str]:
        """Return the names of its variables, by part of the key."""
        named = {"secret_id": self.secret_id, "secret_key": self.secret_key, "token": self.token}
        return {key: name for key, name in named.items() if name is not None}

    @property
    def all_variables(self) -> dict[str, str]:
        """Return the same, and the name of the variable of its callback key."""
        callback = {"callback_key": self.callback_key} if self.callback_key else {}
        return self.variables | callback


class Rule(_Strict):
    """What a role may do."""

    actions: tuple[ActionPattern, ...] = Field(min_length=1)
    accounts: tuple[AccountPattern, ...] | None = Field(
        None,
        min_length=1,
        description="Only there; must be said where the file names several accounts.",
    )
    channels: tuple[ChannelId, ...] | None = Field(
        None, description="Only there; left out: any channel the bot is in."
    )
    where: dict[str, Pattern] | None = Field(
        None, min_length=1, description="By parameter name; left out: any target."
    )
    approval: Approval = Approval.NONE
    approvers: tuple[str, ...] | None = Field(
        None, description="Roles; left out: anyone whom the same rule allows. Empty: nobody."
    )
    approvals_needed: Annotated[int, Field(strict=True, ge=1, le=10)] = Field(
        1, description="How many people must approve, where it needs a second person."
    )
    expires: str = Field("15m", description="How long its buttons live, e.g. 15m.")
    remind: str | None = Field(
        None, description="After how long without an answer the card reminds, e.g. 2m."
    )
    then: tuple[str, ...] = Field(
        (), description="Roles that may approve too, one more with each reminder."
    )
    break_glass: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="In an emergency the asker may go without the second person, with a reason.",
    )
    requests: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Who may not do this may ask its role's members to approve it, here.",
    )
    runbook: Address | None = Field(None, description="What to read about it, https only.")
    reason: NeedsReason = None

    @property
    def expires_in(self) -> float:
        """Return `expires` in seconds."""
        return parse_duration(self.expires)

    @property
    def remind_every(self) -> float | None:
        """Return `remind` in seconds; where only `then` is given, it is spread over `expires`."""
        if self.remind is not None:
            return parse_duration(self.remind)
        return self.expires_in / (len(self.then) + 1) if self.then else None


class Limit(_Strict):
    """What binds everyone, whatever a role allows."""

    actions: tuple[ActionPattern, ...] = Field(min_length=1)
    accounts: tuple[AccountPattern, ...] | None = Field(
        None, min_length=1, description="Only there; left out: on every account."
    )
    where: dict[str, Pattern] | None = Field(None, min_length=1)
    approval: Approval | None = Field(None, description="At least this.")
    deny: bool = Field(default=False, description="Never.")
    reason: NeedsReason = None


class EvidenceSettings(_Strict):
    """What is asked for right before a stop or a ban of a stream, to show what it was."""

    actions: tuple[ActionPattern, ...] = Field(min_length=1)
    accounts: tuple[AccountPattern, ...] | None = Field(
        None, min_length=1, description="Only there; left out: on every account."
    )
    where: dict[str, Pattern] | None = Field(None, min_length=1)
    take: Literal["snapshot", "recording"]
    template: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="The id of Tencent's template; a snapshot needs one."
    )


class ReasonSettings(_Strict):
    """A reason that people give by its code."""

    text: ReasonText = Field(description="For people: on the card and on the trail.")
    tencent: ReasonText | None = Field(
        None, description="What Tencent Cloud is told as the Reason; left out: the text."
    )

    dsa: DsaSettings | None = Field(
        None, description="For the statement of reasons of a ban, by the Commission's names."
    )

    @property
    def sent(self) -> str:
        """Return what Tencent Cloud is told."""
        return self.tencent or self.text


class Runbook(_Strict):
    """What to read about some actions, or about some targets of theirs."""

    actions: tuple[ActionPattern, ...] = Field(min_length=1)
    where: dict[str, Pattern] | None = Field(None, min_length=1)
    link: Address


class Role(_Strict):
    """People, and what they may do."""

    members: Members = Field(default_factory=lambda: Members(users=(), usergroups=()))
    allow: tuple[Rule, ...] = ()
    audit: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Its members may read of everything, not only what they asked or saw.",
    )


class Policy(_Strict):
    """The policy file of stopstream: who may do what, where, and with whose consent."""

    # A default all the same: what is left of a malformed file is looked at without its roles, too.
    model_config = ConfigDict(json_schema_extra={"required": ["roles"]})

    defaults: dict[str, dict[str, _SCALAR]] = Field(
        default_factory=dict,
        description="By kind, API name or product: what fills in for the command.",
    )
    targets: dict[str, str] = Field(
        default_factory=dict, description="Names people say, and the command they mean."
    )
    accounts: dict[AccountName, AccountSettings] = Field(
        default_factory=dict,
        description="Cloud accounts by name; left out: one, of the bot's own key.",
    )
    limits: tuple[Limit, ...] = ()
    reasons: dict[ReasonCode, ReasonSettings] = Field(
        default_factory=dict,
        max_length=100,
        description="By code: why something is done. Without any, reason=… is free text.",
    )
    evidence: tuple[EvidenceSettings, ...] = Field(
        (), description="The first that matches is asked for before what it matches is sent."
    )
    cases: dict[ChannelId, Case] = Field(
        default_factory=dict,
        description="By channel id: the case of what is asked there without case=….",
        json_schema_extra={"additionalProperties": False},
    )
    runbooks: tuple[Runbook, ...] = Field(
        (), description="The first that matches stands on the card, before the rule's own."
    )
    roles: dict[str, Role] = Field(default_factory=dict)

    @property
    def usergroups(self) -> frozenset[str]:
        """Return the user groups of all roles."""
        return frozenset(g for role in self.roles.values() for g in role.members.usergroups)

    @property
    def account_names(self) -> tuple[str, ...]:
        """Return the names of the accounts."""
        return tuple(self.accounts) or (DEFAULT,)

    @property
    def digest(self) -> str:
        """Return the sha256 of the content, independent of the file's layout."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


_PARTS = (
    Policy,
    Role,
    Members,
    Rule,
    Limit,
    EvidenceSettings,
    ReasonSettings,
    DsaSettings,
    Runbook,
    AccountSettings,
)

KEYS = tuple(dict.fromkeys(name for model in _PARTS for name in model.model_fields))
"""Every key that some part of the file may have."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    generated: dict[str, Any] = _without_null(Policy.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **generated}


def _without_null(node: Any) -> Any:
    """Remove null from the alternatives: a key may be left out, but never be null."""
    if isinstance(node, list):
        return [_without_null(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {name: _without_null(one) for name, one in node.items() if one is not None}
    some = [one for one in found.pop("anyOf", []) if one != {"type": "null"}]
    return found | some[0] if len(some) == 1 else found | ({"anyOf": some} if some else {})
