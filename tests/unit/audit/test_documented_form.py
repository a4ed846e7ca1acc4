"""The canonical form and the signature match the vectors of the documentation."""

import base64
import inspect
import re

from bot.audit import checkpoints as seals
from bot.audit import hash_chain as chain
from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import GENESIS, Fact
from tests.support.hash_chain import CHECKPOINT
from tests.support.paths import ROOT

PRIVATE = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"


def test_checkpoint_signature_matches_its_vector() -> None:
    """The signed statement and its Ed25519 signature match the documented test vector."""
    signer = Signer(bytes.fromhex(PRIVATE))
    sealed = signer.sign(CHECKPOINT, 7, "ab" * 32, 1_700_000_000.5)

    # The key of RFC 8032, section 7.1, test 1.
    assert base64.b64decode(signer.public).hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert seals.statement(CHECKPOINT, 7, "ab" * 32, 1_700_000_000.5) == (
        b"stopstream trail\nend\n7\n" + b"ab" * 32 + b"\n1700000000.5\n"
    )
    assert base64.b64decode(sealed.signature).hex() == (
        "2f0c9999998dae66e56c0f596970f17a838e70c6d06acf5c9261f3160ae06349"
        "7ae27adafc92b6d66218473169e687c38299249cadebcdc288ae741bad80810b"
    )
    assert seals.is_genuine(sealed)


def test_hash_chain_canonical_form_matches_its_vector() -> None:
    """The canonical form of a record and its hash match the documented test vector."""
    body = chain.canonical(1, 1_700_000_000.5, Fact("asked", "op1", {"user": "U0ÄLICE", "n": 1}))

    assert body == (
        '{"at":1700000000.5,"facts":{"n":1,"user":"U0\\u00c4LICE"},"kind":"asked",'
        '"operation":"op1","seq":1}'
    )
    assert chain.digest(GENESIS, body) == (
        "8105b66a15b9d9f1c50661c85eed884f05a85d85ff662efb1c7575c6afd500f5"
    )


def test_audit_log_docs_contain_both_vectors() -> None:
    """The documentation contains each hash, key and signature of both test vectors."""
    text = (ROOT / "docs" / "trail.md").read_text()

    for words in (
        "test_hash_chain_canonical_form_matches_its_vector",
        "test_checkpoint_signature_matches_its_vector",
    ):
        source = inspect.getsource(globals()[words])
        for digits in re.findall(r"[0-9a-f]{64}", source):
            if digits != PRIVATE:
                assert digits in text, digits
