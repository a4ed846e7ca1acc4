"""Drives the emulated cloud with Tencent's own command line: `make tccli`; it installs 600 MB.

Every action of the catalog is run once by `tccli`, which signs by itself.
"""

import asyncio
import os
import subprocess
import sys
import tempfile

from bot.catalog import ACTIONS
from bot.model import Action, Json
from bot.sandbox.cloud import CloudEmulator, Key

_VALUES: dict[str, Json] = {"string": "a.example.com", "int64": 42, "uint64": 42}


async def main(tccli: str) -> int:
    """Run every action; give how many went wrong."""
    failed = 0
    async with CloudEmulator(keys={"AKIDTCCLI": Key("secret")}) as cloud:
        for action in ACTIONS:
            given = {p.api: _VALUES[p.kind.json] for p in action.params if p.required}
            cloud.things.put(action.touch.thing, *(given[name] for name in action.touch.key))
            result = await asyncio.to_thread(_run, tccli, cloud.url, action, given)
            ran = bool(cloud.ran(action.api)) and result.returncode == 0
            failed += not ran
            print("ok  " if ran else "FAIL", action.api, "" if ran else result.stderr.strip())  # noqa: T201
    return failed


def _run(
    tccli: str, url: str, action: Action, given: dict[str, Json]
) -> subprocess.CompletedProcess[str]:
    options = [part for name, value in given.items() for part in (f"--{name}", str(value))]
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
