"""Whom a client of Tencent Cloud trusts."""

import ssl

import pytest

from bot.tencent.tls import tls_context


def test_authorities_are_read_once_and_not_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All clients share a context that checks certificates, whatever a variable names."""
    tls_context.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authorities.pem")

    context = tls_context()

    assert context is tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs()
