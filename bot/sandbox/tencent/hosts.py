"""The host that a request is for: the product and the site that it serves.

An address on loopback serves every product, as one base URL for all of them does.
"""

import re

from bot.catalog.registry import ACTIONS
from bot.model.actions import Action, Site
from bot.sandbox.tencent.errors import CodeError

_HOST = re.compile(
    r"(?P<product>[a-z0-9-]+)(?:\.(?P<region>[a-z]+-[a-z0-9-]+))?(?P<intl>\.intl)?"
    r"\.tencentcloudapi\.com(?::[0-9]+)?"
)
_PRODUCTS = frozenset({*(action.product.name for action in ACTIONS), "sts"})


def check_host(host: str, action: Action | None, api: str, site: Site) -> Site:
    """Return the site that a host is of; `site` where the host tells none.

    Args:
        host: As the request has it, perhaps with a port.
        action: The action of the request, if there is one of its name.

    Raises:
        CodeError: The host serves no such product, or not this action.
    """
    found = _HOST.fullmatch(host.lower())
    site = site_of(host, site)
    served = action is not None and action.only in (None, site)
    if found is not None and action is not None:
        served = served and action.product.name == found["product"]
    if not served:
        raise CodeError("InvalidAction", f"The action {api} does not exist.")
    return site


def site_of(host: str, site: Site) -> Site:
    """Return the site that a host is of; `site` where the host tells none.

    Raises:
        CodeError: The host serves no product that there is.
    """
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return site
    if found["product"] not in _PRODUCTS:
        raise CodeError("NoSuchProduct", f"The product {found['product']} does not exist.")
    return "intl" if found["intl"] else "mainland"
