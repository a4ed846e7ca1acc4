"""Checks what stands in `deploy/`, as far as that goes without a container engine.

`make deployment`: the Dockerfile is linted and its steps are replayed (a wheel by the locked build,
a virtual environment of the locked packages alone, then the bot as another user over a root file
system that is read-only); the Kubernetes manifests are merged as kustomize does and validated; the
unit of systemd is verified and rated. The wheel and the sdist are built twice, and compared.
"""

import asyncio
import copy
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from bot.cli.demo import INCIDENTS, Emulated, emulated
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"

USER = 10001
"""As in the Dockerfile."""

SECRETS = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "TENCENTCLOUD_SECRET_ID",
    "TENCENTCLOUD_SECRET_KEY",
)

EXPOSURE = 1.5
"""What systemd may rate the unit at most: 0 is best, 10 worst."""

_SOURCES = (
    "bot",
    "handlers",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "manifest.yml",
    "policy.example.yml",
)


def run(*command: str | Path, **more: Any) -> str:
    """Run a command that must succeed; return what it printed."""
    done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 (our own arguments)
        [str(part) for part in command],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **more,
    )
    if done.returncode:
        raise SystemExit(
            f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
        )
    return done.stdout


def lint_image(tools: Path) -> str:
    run(tools / "hadolint", DEPLOY / "Dockerfile")
    return "no findings"


def validate_manifests(tools: Path) -> str:
    """Validate every object of each overlay, after its patches."""
    count = 0
    for overlay in ("sqlite", "postgresql", "ingress"):
        for manifest in built(DEPLOY / "kubernetes" / overlay):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                yaml.safe_dump(manifest, file)
                file.flush()
                run(tools / "kubernetes-validate", "--strict", file.name)
            count += 1
    return f"{count} objects"


def built(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a kustomization, with its patches applied."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    objects: list[dict[str, Any]] = []
    for resource in kustomization["resources"]:
        path = folder / resource
        objects += built(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    for patch in kustomization.get("patches", ()):
        change = yaml.safe_load((folder / patch["path"]).read_text())
        (at,) = (
            number
            for number, one in enumerate(objects)
            if (one["kind"], one["metadata"]["name"])
            == (change["kind"], change["metadata"]["name"])
        )
        objects[at] = _merged(objects[at], change)
    return objects


def _merged(below: Any, above: Any) -> Any:
    """Merge as Kubernetes does: objects by key, lists by name, and null removes."""
    if isinstance(below, dict) and isinstance(above, dict):
        merged = copy.deepcopy(below)
        for name, value in above.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = _merged(merged.get(name), value)
        return merged
    if isinstance(below, list) and isinstance(above, list) and all("name" in one for one in above):
        named = {one["name"]: one for one in below}
        for one in above:
            named[one["name"]] = _merged(named.get(one["name"], {}), one)
        return list(named.values())
    return above


def rate_unit(venv: Path) -> str:
    """Verify the unit, with the program in the place that it names, and rate its sandbox."""
    unit = DEPLOY / "systemd" / "stopstream.service"
    with tempfile.TemporaryDirectory() as folder:
        # systemd wants to see the program.
        text = unit.read_text().replace("/opt/stopstream/bin", str(venv / "bin"))
        there = Path(folder) / unit.name
        there.write_text(text)
        said = run("systemd-analyze", "verify", "--man=no", there).strip()
        if said:
            raise SystemExit(f"systemd-analyze verify: {said}")
    rated = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    exposure = float(rated.strip().splitlines()[-1].partition("service: ")[2].split()[0])
    if exposure > EXPOSURE:
        raise SystemExit(f"exposure {exposure} is over {EXPOSURE}:\n{rated}")
    return f"exposure {exposure}"


def build_twice(build: Path, folder: Path) -> str:
    """Build wheel and sdist twice, from two copies of different age, and compare them."""
    found = [_digests(build, folder / str(number)) for number in (1, 2)]
    if found[0] != found[1]:
        raise SystemExit(f"two builds differ: {found}")
    return ", ".join(sorted(found[0]))


def _digests(build: Path, folder: Path) -> dict[str, str]:
    source = folder / "src"
    copy_sources(source, touched=True)
    run(build / "bin" / "hatchling", "build", "-d", folder / "dist", cwd=source)
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (folder / "dist").iterdir()
    }


def copy_sources(folder: Path, *, touched: bool = False) -> None:
    """Copy what the image's build sees, as .dockerignore lets through."""
    folder.mkdir(parents=True)
    for name in _SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder)
    if touched:
        for file in folder.rglob("*"):
            os.utime(file)


def replay_image(folder: Path) -> Path:
    """Do what the Dockerfile does; return the virtual environment."""
    build, venv = folder / "build", folder / "stopstream"
    for made, lock in ((build, "requirements-build.lock"), (venv, "requirements.lock")):
        run(sys.executable, "-m", "venv", made)
        run(made / "bin" / "pip", "install", "--quiet", "--require-hashes", "-r", ROOT / lock)
    copy_sources(folder / "src")
    run(
        build / "bin" / "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        folder / "wheel",
        cwd=folder / "src",
    )
    (wheel,) = (folder / "wheel").iterdir()
    run(venv / "bin" / "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    run(venv / "bin" / "pip", "check")
    run(venv / "bin" / "pip", "uninstall", "--quiet", "--yes", "pip", "setuptools")
    return venv


async def serve_read_only(venv: Path, folder: Path) -> str:
    """Run the bot as the image's user, where nothing but its state can be written.

    It must take a command, carry it out, and end on SIGTERM.
    """
    state, etc = folder / "state", folder / "etc"
    for made in (state, etc, etc / "secrets"):
        made.mkdir()
    os.chown(state, USER, USER)
    async with emulated(etc) as world:
        address = f"sqlite:///{state / 'stopstream.db'}"
        given = dict(world.environment) | {"STOPSTREAM_DATABASE_URL": address}
        for name in SECRETS:
            # As an orchestrator does: read by the bot's user alone.
            file = etc / "secrets" / name
            file.write_text(given.pop(name) + "\n")
            os.chown(file, USER, USER)
            file.chmod(0o400)
        given |= {"PATH": os.environ["PATH"], "HOME": str(state)}
        given |= {"STOPSTREAM_SECRETS_DIR": str(etc / "secrets")}
        stopped, code = await _serve(world, _jailed(venv, state), given)
    if not stopped or code:
        raise SystemExit(f"it {'stopped' if stopped else 'did not stop'} it, and ended with {code}")
    return "took a command, carried it out, ended with 0"


def _jailed(venv: Path, state: Path) -> list[str]:
    """Return a command that serves as another user over a root file system that is read-only."""
    script = """
        mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro /
        mount -o remount,bind,ro "$PWD" 2>/dev/null
        cd "$1" && touch /jail 2>/dev/null && echo "the root can be written to" >&2 && exit 3
        exec setpriv --reuid "$2" --regid "$2" --clear-groups --no-new-privs \
            --bounding-set=-all "$3" serve
    """
    program = venv / "bin" / "stopstream"
    return ["unshare", "--mount", "sh", "-c", script, "jail", str(state), str(USER), str(program)]


async def _serve(
    world: Emulated, command: Sequence[str], environment: Mapping[str, str]
) -> tuple[bool, int]:
    """Return whether it stopped a stream, and its exit code after SIGTERM."""
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        async with asyncio.timeout(60):
            while not world.slack.delivery.sockets:
                if process.returncode is not None:
                    return False, process.returncode
                await asyncio.sleep(0.1)
        await world.slack.person("U0ALICE").slash("/stopstream", "live stream1", INCIDENTS)
        await world.slack.wait_for(lambda: world.cloud.ran("DropLiveStream"))
        process.terminate()
        return True, await asyncio.wait_for(process.wait(), 15)
    finally:
        if process.returncode is None:
            process.kill()


def main(tools: Path) -> None:
    """Run every check; the first that fails ends it with what was printed."""
    say = partial(print, flush=True)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        # The image's user must get through to what is in it.
        folder.chmod(0o755)
        say("Dockerfile:", lint_image(tools))
        say("Kubernetes:", validate_manifests(tools))
        venv = replay_image(folder / "image")
        say("image's steps: replayed")
        say("twice the same:", build_twice(folder / "image" / "build", folder / "builds"))
        say("systemd:", rate_unit(venv))
        say("read-only:", asyncio.run(serve_read_only(venv, folder)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
