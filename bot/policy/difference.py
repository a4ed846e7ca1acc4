"""What has changed between two policies, in a few words."""

from collections import Counter

from bot.policy.schema import Policy


def difference(before: Policy, after: Policy) -> str:
    """Describe what has changed, e.g. `+1 -1 rules, members of oncall`."""
    parts = [
        _count(_rules(before), _rules(after), "rules"),
        _count(_limits(before), _limits(after), "limits"),
    ]
    both = [name for name in after.roles if name in before.roles]
    moved = [name for name in both if before.roles[name].members != after.roles[name].members]
    parts.append(f"members of {', '.join(moved)}" if moved else "")
    left = {"roles", "limits"}
    parts += [
        name
        for name in Policy.model_fields
        if name not in left and getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(filter(None, parts)) or "nothing that counts"


def _rules(policy: Policy) -> Counter[str]:
    return Counter(
        f"{name} {rule.model_dump_json()}"
        for name, role in policy.roles.items()
        for rule in role.allow
    )


def _limits(policy: Policy) -> Counter[str]:
    return Counter(limit.model_dump_json() for limit in policy.limits)


def _count(before: Counter[str], after: Counter[str], what: str) -> str:
    added, removed = (after - before).total(), (before - after).total()
    signs = [f"+{added}" if added else "", f"-{removed}" if removed else ""]
    return f"{' '.join(filter(None, signs))} {what}" if added or removed else ""
