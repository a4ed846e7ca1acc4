"""The headers of a signed request.

Source: https://www.tencentcloud.com/document/product/267/37447
"""

from bot.release import version
from bot.tencent import tc3

CONTENT_TYPE = "application/json"


def signed_headers(
    payload: bytes,
    *,
    host: str,
    api: str,
    service: str,
    api_version: str,
    region: str,
    credentials: tc3.Credentials,
    timestamp: int,
) -> dict[str, str]:
    """Return the headers of a POST of JSON, with its signature.

    Args:
        host: The Host header that is sent, port included: the one that must be signed.
        region: Empty where the API takes none.
        timestamp: Epoch seconds.
    """
    signed = {"content-type": CONTENT_TYPE, "host": host, "x-tc-action": api}
    authorization = tc3.authorization(
        signed, payload, credentials=credentials, service=service, timestamp=timestamp
    )
    headers = unsigned_headers(
        host=host, api=api, api_version=api_version, region=region, timestamp=timestamp
    )
    headers["Authorization"] = authorization
    if credentials.token:
        headers["X-TC-Token"] = credentials.token
    return headers


def unsigned_headers(
    *, host: str, api: str, api_version: str, region: str, timestamp: int
) -> dict[str, str]:
    """Return the headers of a POST of JSON that needs no key, as the official SDK sends them."""
    headers = {
        "Host": host,
        "Content-Type": CONTENT_TYPE,
        "Accept-Encoding": "identity",
        "Authorization": "SKIP",
        "X-TC-Action": api,
        "X-TC-Version": api_version,
        "X-TC-Timestamp": str(timestamp),
        "X-TC-Language": "en-US",
        "X-TC-RequestClient": f"stopstream_{version()}",
    }
    if region:
        headers["X-TC-Region"] = region
    return headers
