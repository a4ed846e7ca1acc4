"""Check a bundle of audit records: python3 check.py FINGERPRINT, in its folder; exit 0 or 1.

It needs Python alone. The fingerprint is that of the bot's key, from the audit channel or from
whoever runs the bot, never from the bundle itself. Signatures are Ed25519, as in RFC 8032.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
LENGTHS = 32, 64
"""Bytes of a public key and of a signature."""
LEAST = 16
"""Digits of a fingerprint, at least."""


def recover_x(y: int, sign: int) -> int:
    """Return the x of a point of the curve; ValueError if there is none."""
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise ValueError("is no point of the curve")
    return P - x if x & 1 != sign else x


def point(data: bytes) -> tuple[int, int, int, int]:
    """Return the point that 32 bytes name."""
    number = int.from_bytes(data, "little")
    y = number & (2**255 - 1)
    x = recover_x(y, number >> 255)
    return x, y, 1, x * y % P


def add(p: tuple[int, int, int, int], q: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return the sum of two points."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(times: int, p: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return a point, so many times."""
    total = (0, 1, 1, 0)
    while times:
        total = add(total, p) if times & 1 else total
        p, times = add(p, p), times >> 1
    return total


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = point(BASE_Y.to_bytes(32, "little"))


def is_signed(key: str, signature: str, text: bytes) -> bool:
    """Return whether a signature is that of a key over a text; both are base64."""
    public, given = base64.b64decode(key, validate=True), base64.b64decode(signature, validate=True)
    if (len(public), len(given)) != LENGTHS:
        return False
    r, s = point(given[:32]), int.from_bytes(given[32:], "little")
    challenge = hashlib.sha512(given[:32] + public + text).digest()
    h = int.from_bytes(challenge, "little") % ORDER
    left, right = multiply(s, BASE), add(r, multiply(h, point(public)))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    return s < ORDER and same_x and (left[1] * right[2] - right[1] * left[2]) % P == 0


def last_hash(lines: list[bytes], before: str) -> tuple[int, str]:
    """Return the number and hash of the last record; ValueError where one does not follow."""
    last, number = before, 0
    for line in lines:
        body, mark, rest = line.rpartition(b',"hash":"')
        last = hashlib.sha256(last.encode() + b"\n" + body + b"}").hexdigest()
        found = json.loads(line)["seq"]
        if not mark or rest != last.encode() + b'"}' or (number and found != number + 1):
            raise ValueError(f"record {found!r} was changed, or does not follow the one before")
        number = found
    return number, last


def check_manifest(folder: Path, trusted: str) -> dict[str, Any]:
    """Return the manifest; ValueError if the key with that fingerprint has not signed it."""
    raw = (folder / "manifest.json").read_bytes()
    says: dict[str, Any] = json.loads(raw)
    key = says["key"]
    if len(trusted) < LEAST or not hashlib.sha256(key.encode()).hexdigest().startswith(trusted):
        raise ValueError(f"its key has not the fingerprint {trusted!r}, or none was given")
    signed = b"stopstream bundle\n" + hashlib.sha256(raw).hexdigest().encode() + b"\n"
    if not is_signed(key, (folder / "manifest.sig").read_text().strip(), signed):
        raise ValueError("manifest.json was changed: its signature does not fit")
    return says


def check_files(folder: Path, due: dict[str, str]) -> None:
    """Raise ValueError unless the folder has exactly the files of the manifest."""
    every = [one for one in folder.rglob("*") if one.is_symlink() or not one.is_dir()]
    found = {one.relative_to(folder).as_posix(): one for one in every}
    if wrong := set(found) ^ {*due, "manifest.json", "manifest.sig"}:
        raise ValueError(f"it lacks, or has besides, {', '.join(map(repr, sorted(wrong)))}")
    for name, hash_ in due.items():
        content = b"" if found[name].is_symlink() else found[name].read_bytes()
        if hashlib.sha256(content).hexdigest() != hash_:
            raise ValueError(f"{name!r} was changed")


def check_records(lines: list[bytes], before: str, seal: str) -> None:
    """Raise ValueError unless each record follows the one before, and the last one is sealed."""
    number, last = last_hash(lines, before)
    _, _, seq, at, hash_, key, signature = seal.split(":")
    if (seq, hash_) != (str(number), last):
        raise ValueError("the seal is not of the last record")
    if not is_signed(key, signature, f"stopstream trail\nend\n{seq}\n{hash_}\n{at}\n".encode()):
        raise ValueError("the seal is not signed by its key")


def check_case(records: list[dict[str, Any]], operations: list[str], due: dict[str, str]) -> None:
    """Raise ValueError unless each operation has a record, and each picture is known to one."""
    of_case = [one for one in records if one["operation"] in operations]
    if not of_case or {one["operation"] for one in of_case} != set(operations):
        raise ValueError("an operation of the case has no record")
    known = {one["facts"].get("picture_sha256") for one in of_case}
    for name, hash_ in due.items():
        if name.startswith("pictures/") and hash_ not in known:
            raise ValueError(f"no record of the case knows {name!r}")


def check(folder: Path, trusted: str) -> None:
    """Raise ValueError unless the bundle in a folder holds under the key with a fingerprint."""
    says = check_manifest(folder, trusted)
    check_files(folder, says["files"])
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    check_records(lines, says["before"], says["seal"])
    check_case([json.loads(line) for line in lines], says["operations"], says["files"])


def main(arguments: list[str]) -> int:
    """Check the bundle around this file, say what was found, and return the exit code."""
    trusted = arguments[0] if arguments else ""
    try:
        check(Path(__file__).resolve().parent, trusted)
    except Exception as error:  # noqa: BLE001 (whatever is in it, it is not what was made)
        why = str(error) if type(error) is ValueError else f"it can't be read: {error!r}"
        sys.stdout.write(f"does not hold: {why}\n")
        return 1
    sys.stdout.write("verified\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
