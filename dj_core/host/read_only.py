"""Read-only mode, and the trusted proxies whose headers give a visitor's address.

`DIGITAL_DJ_READ_ONLY=1` lets everybody listen, generate and take files away, while corpora, the
crate, sets and models stay as the host made them. What changes them asks here first, wherever the
wish comes from: a page, the command line or a program.

A server that stands before the app (Caddy, nginx) tells it where each visitor comes from, in a
header that anybody can write. `DIGITAL_DJ_TRUSTED_PROXIES=10.0.0.2,172.16.0.0/12` lists the servers
that are believed; as it comes none is, and visitors count by the address they connect from.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping

from dj_core.errors import LibraryError

VARIABLE = "DIGITAL_DJ_READ_ONLY"
PROXIES_VARIABLE = "DIGITAL_DJ_TRUSTED_PROXIES"
OFF = ("", "0", "false", "no", "off")


def read_only() -> bool:
    """The host has switched changes off."""
    return os.environ.get(VARIABLE, "").strip().lower() not in OFF


def check_may_change(what: str) -> None:
    """Refuse a change of `what`, such as 'the crate', in read-only mode. Raises LibraryError."""
    if read_only():
        raise LibraryError(
            f"This Digital DJ is read only: its host keeps {what} as it is. Listen, generate and "
            "take files away as you like."
        )


def trusted_proxies(environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The addresses and networks that are believed, and a sentence for every one that is none.

    Separated by commas; '' for nobody. A network of all addresses would believe everybody and is
    refused.
    """
    believed, problems = [], []
    for text in environment.get(PROXIES_VARIABLE, "").split(","):
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError:
            network = None
        if network and network.prefixlen:
            believed.append(str(network if network.num_addresses > 1 else network[0]))
        elif text.strip():
            problems.append(
                f"{PROXIES_VARIABLE} lists addresses or networks, as in 10.0.0.2,172.16.0.0/12; "
                f"{text.strip()!r} is neither, and nobody is believed for it."
            )
    return ",".join(believed), tuple(problems)
