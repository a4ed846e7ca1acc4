"""Drives the emulated cloud with Tencent's own command line: `make tccli`; it installs 600 MB.

Every action of the catalog is run once by `tccli`, which signs by itself.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile

from bot.catalog.registry import ACTIONS
from bot.model.actions import Action, Json
from bot.sandbox.tencent.authentication import Key
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.fakes import made_up


async def main(tccli: str) -> int:
    """Run every action; give how many went wrong."""
    failed = 0
    async with CloudEmulator(keys={"AKIDTCCLI": Key("secret")}) as cloud:
        for action in ACTIONS:
            given = made_up(action)
            key = (given.get(name, "live") for name in action.effect_spec.key)
            cloud.resources.put(action.effect_spec.resource_type.name, *key)
            result = await asyncio.to_thread(_run, tccli, cloud.url, action, given)
            ran = bool(cloud.ran(action.api)) and result.returncode == 0
            failed += not ran
            print("ok  " if ran else "FAIL", action.api, "" if ran else result.stderr.strip())  # noqa: T201
    return failed


def _run(
    tccli: str, url: str, action: Action, given: dict[str, Json]
) -> subprocess.CompletedProcess[str]:
    options = [
        part
        for name, value in given.items()
        for part in (f"--{name}", value if isinstance(value, str) else json.dumps(value))
    ]
    region = action.regions[action.product.site][0] if action.regions else "ap-guangzhou"
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(  # noqa: S603 (our own arguments)
            [
                tccli,
                action.product.name,
                action.api,
                *options,
                "--endpoint",
                url,
                "--region",
                region,
                "--version",
                action.product.version,
            ],
            env={
                "HOME": home,
                "PATH": os.environ["PATH"],
                "TENCENTCLOUD_SECRET_ID": "AKIDTCCLI",
                "TENCENTCLOUD_SECRET_KEY": "secret",
                "TENCENTCLOUD_REGION": region,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
