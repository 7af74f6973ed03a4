"""Negotiation of permessage-deflate (RFC 7692), so that one compressed frame serves everybody.

Autobahn negotiates and inflates; `towerws.core.event` deflates. The server asks for no memory of
earlier messages in either direction: without it the same bytes can go to everybody, and a
connection keeps no window.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
)

from towerws.core.event import WINDOW_BITS


class _SharedFrameAccept(PerMessageDeflateOfferAccept):
    """An acceptance that announces how frames are compressed, asked for or not.

    Autobahn announces the server's parameters only if the client named them; RFC 7692 sections
    7.1.1.1 and 7.1.2.1 let a server always do it, so that the client can save its window.
    """

    def get_extension_string(self) -> str:
        """Give the value for the Sec-WebSocket-Extensions header."""
        return (
            f"{self.EXTENSION_NAME}; server_no_context_takeover; client_no_context_takeover; "
            f"server_max_window_bits={WINDOW_BITS}"
        )


def negotiable(
    extensions: Iterable[tuple[str, dict[str, Any]]],
) -> list[tuple[str, dict[str, Any]]]:
    """Leave out the extensions that cannot be negotiated.

    Autobahn refuses the whole handshake for an offer with a wrong parameter; by RFC 7692, section
    7.1, only that offer is to be declined.

    Args:
        extensions: Names and parameters, as Autobahn reads them in a handshake.

    Returns:
        Those that are well-formed offers of permessage-deflate.
    """
    return [(name, parameters) for name, parameters in extensions if _is_offer(name, parameters)]


def _is_offer(name: str, parameters: dict[str, Any]) -> bool:
    if name != PerMessageDeflateOffer.EXTENSION_NAME:
        return False
    try:
        PerMessageDeflateOffer.parse(parameters)
    except Exception:  # noqa: BLE001  # Autobahn raises nothing more exact
        return False
    return True


def accept_compression(offers: Sequence[object]) -> PerMessageDeflateOfferAccept | None:
    """Choose among the compressions that a client offers.

    Args:
        offers: Autobahn's parsed offers, in the client's order of preference.

    Returns:
        The acceptance of the first offer that takes our frames, None if there is none.
    """
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer) and (
            # 0 stands for "not named", which means the largest window.
            not 0 < offer.request_max_window_bits < WINDOW_BITS
        ):
            return _SharedFrameAccept(
                offer,
                request_no_context_takeover=True,
                no_context_takeover=True,
                window_bits=WINDOW_BITS,
            )
    return None
