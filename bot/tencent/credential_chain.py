"""Where the key comes from: the environment, the official file, a pod's role or the CVM's.

Source: https://www.tencentcloud.com/document/product/1278/46715
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.errors import ConfigError
from bot.tencent import credentials_file
from bot.tencent.credentials import Credentials, CredentialSource, Fixed, complete_pair
from bot.tencent.roles import SESSION, AssumedRole, CvmRole, KeyService, PodRole
from bot.tencent.temporary_key import RenewedKey

FILES = ("~/.tencentcloud/credentials", "/etc/tencentcloud/credentials")

_OF_A_POD = ("TKE_REGION", "TKE_PROVIDER_ID", "TKE_WEB_IDENTITY_TOKEN_FILE", "TKE_ROLE_ARN")


def chain(
    environment: Mapping[str, str],
    *,
    files: Sequence[str] = FILES,
    service: KeyService | None = None,
) -> CredentialSource:
    """Return the source of the key, and with TENCENTCLOUD_ROLE_ARN that of the role it assumes.

    It is the first of: the environment, the first file with a key, the role of the pod, the role of
    the CVM. The official chain asks the CVM before it looks for a pod's role. On a node of TKE the
    CVM's role is the node's, which all its pods share; whoever gave the pod one of its own meant
    that, so it goes first here.

    Args:
        environment: The official variables; empty ones count as absent.
        service: How keys of roles are asked for.

    Raises:
        ConfigError: A key or a role is given in part, or a file cannot be read; names it.
    """
    service = service or KeyService()
    session = environment.get("TENCENTCLOUD_ROLE_SESSION_NAME") or SESSION
    base = (
        _in_environment(environment)
        or _in_file(environment.get("TENCENTCLOUD_CREDENTIALS_FILE", ""), files)
        or _of_pod(environment, session, service)
        or RenewedKey(CvmRole(service).fetch, origin="the CVM's role", clock=service.clock)
    )
    arn = environment.get("TENCENTCLOUD_ROLE_ARN")
    if not arn:
        return base
    role = AssumedRole(base, arn, session, service)
    origin = f"the role {arn}, assumed with the key from {base.origin}"
    return RenewedKey(role.fetch, origin=origin, clock=service.clock)


def _in_environment(environment: Mapping[str, str]) -> CredentialSource | None:
    names = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY")
    pair = complete_pair(environment.get(names[0], ""), environment.get(names[1], ""), names)
    return Fixed(Credentials(*pair, environment.get("TENCENTCLOUD_TOKEN", ""))) if pair else None


def _in_file(named: str, files: Sequence[str]) -> CredentialSource | None:
    if named:
        if found := credentials_file.find(named):
            return found
        # Another key than the one that was named might be of another account.
        raise ConfigError([f"TENCENTCLOUD_CREDENTIALS_FILE: {named} has no key, or is not there"])
    return next(filter(None, map(credentials_file.find, files)), None)


def _of_pod(
    environment: Mapping[str, str], session: str, service: KeyService
) -> CredentialSource | None:
    region, provider, token_file, arn = given = [environment.get(name, "") for name in _OF_A_POD]
    if not any(given):
        return None
    if missing := [name for name, value in zip(_OF_A_POD, given, strict=True) if not value]:
        raise ConfigError([f"{name}: is missing; the four TKE_ go together" for name in missing])
    role = PodRole(region, provider, Path(token_file), arn, session, service)
    return RenewedKey(role.fetch, origin=f"the pod's role {arn}", clock=service.clock)
