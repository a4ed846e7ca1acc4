"""An alert of the demo's own monitoring, sent to the bot as any other system would."""

import aiohttp

_WITHIN = aiohttp.ClientTimeout(10.0)


async def send_alert(url: str, secret: str, stream: str, domain: str) -> str:
    """Send an alert about a stream; return what went wrong, or nothing.

    Args:
        url: Where the bot listens; empty while it does not.
    """
    if not url:
        return "The bot is down, so nobody took the alert."
    body = {
        "id": f"demo/{stream}",
        "title": f"Black picture on {stream}",
        "severity": "critical",
        "text": "The demo's probe sees no picture for 30 s.",
        "streams": [{"stream": stream, "domain": domain}],
    }
    headers = {"Authorization": f"Bearer {secret}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=_WITHIN) as http,
            http.post(f"{url}/hooks/generic", json=body, headers=headers) as answer,
        ):
            return "" if answer.ok else f"The bot answered {answer.status}."
    except (aiohttp.ClientError, TimeoutError):
        return "The bot did not take the alert."
