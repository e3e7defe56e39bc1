"""Visitors: sign-in if the host requires it, and hourly limits for each visitor.

`DIGITAL_DJ_SIGN_IN=1` puts every page behind Streamlit's own sign-in (OpenID Connect; its settings
are Streamlit's, in `.streamlit/secrets.toml`). `DIGITAL_DJ_ALLOWED_EMAILS` lists who may come in,
addresses or @domains separated by commas; without it everybody may whom the provider lets sign in.
Where sign-in is wanted but not set up, nobody comes in.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Mapping

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dj_core.host.limits import LIMITS
from dj_core.host.queues import Allowance
from dj_core.host.read_only import OFF, read_only

NOBODY = "this machine"  # who comes from no other, and did not sign in
SIGN_IN, ALLOWED = "DIGITAL_DJ_SIGN_IN", "DIGITAL_DJ_ALLOWED_EMAILS"
_ALLOWANCES = {
    "upload": Allowance(LIMITS.uploads_per_hour, "Files can be added"),
    "train": Allowance(LIMITS.trainings_per_hour, "Training can be started"),
    "work": Allowance(LIMITS.works_per_hour, "Sets can be made"),
    "session": Allowance(LIMITS.sessions_per_hour, "New visitors' takes are kept for a reload"),
}


def check_visitor() -> None:
    """Let a visitor pass, or show the way in and end the page there."""
    if not wants_sign_in():
        return
    visitor = st.user.to_dict()
    if not visitor.get("is_logged_in"):
        _show_door()
        st.stop()
    if not is_allowed(visitor):
        st.warning("This Digital DJ is for invited visitors; your address is not among them.")
        st.button("Use another address", on_click=st.logout, key="dj_sign_out")
        st.stop()


def wants_sign_in() -> bool:
    """The host has switched sign-in on."""
    return os.environ.get(SIGN_IN, "").strip().lower() not in OFF


def is_allowed(visitor: dict[str, object]) -> bool:
    """Whether the host's list holds a visitor's address, which their provider must vouch for."""
    wanted = [one.strip().lower() for one in os.environ.get(ALLOWED, "").split(",") if one.strip()]
    if not wanted:
        return True
    address = str(visitor.get("email") or "").lower()
    if not address or visitor.get("email_verified") is False:
        return False
    return any(address.endswith(one) if one[0] == "@" else address == one for one in wanted)


def take_allowance(doing: str) -> None:
    """Count one of `_ALLOWANCES` as this visitor's. Raises LibraryError beyond limits."""
    _ALLOWANCES[doing].take(visitor())


def visitor() -> str:
    """Who visits: the address they signed in with, else the network they come from.

    Whoever has one IPv6 address has 2^64 of them, so these count by their first half.
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        return NOBODY
    return visitor_of(st.user.to_dict(), st.context.ip_address)


def visitor_of(user: Mapping[str, object], address: str | None) -> str:
    """Likewise, from what a session or request says of its user and its network address."""
    if user.get("is_logged_in") and user.get("email"):
        return str(user["email"]).lower()
    try:
        network = ipaddress.ip_address(address or "")
    except ValueError:
        return NOBODY
    if network.is_loopback:
        return NOBODY
    if network.version == 6:
        return str(ipaddress.ip_network((network, 64), strict=False))
    return str(network)


class Presence:
    """Whether the visitor whose page this is made for is still there."""

    def __init__(self) -> None:
        session = get_script_run_ctx(suppress_warning=True)
        self._session_id = session.session_id if session else ""
        self._seen = time.monotonic()

    def seconds_away(self) -> float:
        """For how long their tab has been closed or out of reach, as far as anybody looked."""
        now = time.monotonic()
        if not self._session_id or not runtime.exists():
            return 0.0
        if runtime.get_instance().is_active_session(self._session_id):
            self._seen = now
        return now - self._seen


def tell_read_only() -> None:
    """A word in the frame where nothing can be changed here."""
    if read_only():
        st.caption("Read only", help="Listen, generate and take files away. Nothing is kept here.")


def tell_shared(what: str) -> None:
    """Say that something is everybody's, where others than the DJ at this machine may come."""
    if wants_sign_in() or st.get_option("server.address") not in ("127.0.0.1", "localhost"):
        st.caption(f"{what} belongs to everybody who uses this Digital DJ.")


def _show_door() -> None:
    st.html('<h2 class="dj-head">Digital DJ</h2>')
    if not _is_set_up():
        st.warning(
            "Sign-in is switched on but not set up. The host finds how in SECURITY.md, under "
            "Sign-in."
        )
        return
    st.html('<p class="dj-invite">This Digital DJ asks its visitors to sign in.</p>')
    st.button("Sign in", type="primary", on_click=st.login, key="dj_sign_in")


def _is_set_up() -> bool:
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False
