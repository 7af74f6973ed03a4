"""Autobahn's protocol in a fraction of the memory.

Autobahn keeps some hundred attributes of each connection in a dict: the options, which are the same
for all, everything about the handshake, and objects that nobody here uses. docs/performance.md has
the figures. Nothing depends on this module but memory and time: if a later Autobahn has other
attributes they cost what they cost, and tests/websocket/test_lean.py tells.
"""

from typing import TypeVar, cast

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.protocol import TrafficStats, Utf8Validator  # type: ignore[attr-defined]

# What the handshake leaves behind. Nothing of it is asked for later.
_OF_THE_HANDSHAKE = (
    "_transport_details", "_wskey", "http_headers", "http_request_data", "http_request_host",
    "http_request_params", "http_request_path", "http_request_uri", "http_response_data",
    "http_status_line", "websocket_extensions", "websocket_extensions_in_use", "websocket_origin",
    "websocket_protocols",
)  # fmt: skip

# For listeners that nobody registers.
_UNUSED = ("_results", "_valid_events")


class _NobodyWaits:
    """In place of the Deferreds for the beginning and the end of each connection."""

    def callback(self, result: object) -> None:
        """Tell nobody."""


_NOBODY_WAITS = _NobodyWaits()

# Counters that nobody reads.
_TRAFFIC = TrafficStats()

P = TypeVar("P", bound="LeanServerProtocol")


class LeanServerProtocol(WebSocketServerProtocol):
    """Autobahn's protocol, without what is the same for all connections or used by none."""

    # A slot takes 8 bytes, an entry of a dict that is no longer shared 24 and more. What Twisted
    # and `towerws.websocket.protocol` add are few enough for Python to share the keys.
    __slots__ = (
        *_OF_THE_HANDSHAKE,
        *_UNUSED,
        "_isMessageCompressed", "_perMessageCompress", "autoPingPending", "autoPingPendingCall",
        "autoPingPendingSent", "autoPingPendingSeq", "autoPingTimeoutCall",
        "closeHandshakeTimeoutCall", "closedByMe", "control_frame_data",
        "current_frame", "current_frame_masker", "data", "droppedByMe", "failedByMe",
        "frame_data", "frame_length", "inside_message", "is_closed", "is_open", "localCloseCode",
        "localCloseReason", "message_data", "message_data_total_length", "message_is_binary",
        "openHandshakeTimeoutCall", "remoteCloseCode", "remoteCloseReason", "send_queue",
        "send_state", "state", "trackedTimings", "trafficStats", "triggered",
        "utf8validateIncomingCurrentMessage", "utf8validateLast", "utf8validator", "wasClean",
        "wasCloseHandshakeTimeout", "wasMaxFramePayloadSizeExceeded",
        "wasMaxMessagePayloadSizeExceeded", "wasNotCleanReason", "wasOpenHandshakeTimeout",
        "wasServerConnectionDropTimeout", "wasServingFlashSocketPolicyFile",
        "websocket_protocol_in_use", "websocket_version",
    )  # fmt: skip

    def __init__(self) -> None:
        """Make a protocol for one connection."""
        super().__init__()
        # Also a cycle: the second one's result is the protocol.
        self.is_open = self.is_closed = _NOBODY_WAITS

    def dataReceived(self, data: bytes) -> None:
        """Take bytes of the client, without formatting a line for Autobahn's log first.

        Args:
            data: As they came.
        """
        self._dataReceived(data)

    def let_go(self) -> None:
        """Keep nothing that only the handshake needed; to be called when it is done."""
        for name in (*_OF_THE_HANDSHAKE, *_UNUSED):
            setattr(self, name, None)
        self.send_queue = ()  # type: ignore[assignment]  # for pieces that nobody cuts
        self.trafficStats = _TRAFFIC
        self._let_go_of_message()

    def onMessageFrame(self, payload: list[bytes]) -> None:  # type: ignore[override]  # so it is
        """Take a frame of a message that is not complete.

        Args:
            payload: Its pieces. Empty ones would cost memory and count for no limit.
        """
        super().onMessageFrame([piece for piece in payload if piece])  # type: ignore[arg-type]

    def onFrameBegin(self) -> None:
        """Take the beginning of a frame."""
        if self.utf8validator is None:
            self.utf8validator = Utf8Validator()
        super().onFrameBegin()

    def onFrameEnd(self) -> bool | None:
        """Take the end of a frame, and keep nothing of a message that ends with it."""
        result: bool | None = super().onFrameEnd()
        if self.current_frame is None and not self.inside_message:
            self._let_go_of_message()
        return result

    def _let_go_of_message(self) -> None:
        # They would wait for the next message, which begins anew: it is inflated without context.
        self.current_frame_masker = None
        self.utf8validator = None  # type: ignore[assignment]
        if self._perMessageCompress is not None:
            self._perMessageCompress._decompressor = None  # noqa: SLF001


def with_options(protocol: type[P], factory: WebSocketServerFactory, **others: object) -> type[P]:
    """Make a protocol that has a factory's options as attributes of the class.

    Autobahn copies them to each connection, and formats all of them for its log each time, even if
    nothing is logged; that was a fifth of what a connection costs until its handshake is done.

    Args:
        protocol: The protocol.
        factory: Its options; they must not change any more.
        **others: More attributes of the class.

    Returns:
        A class of the same name.
    """
    attributes = {name: getattr(factory, name) for name in protocol.CONFIG_ATTRS}
    for name, value in attributes.items():
        # A function would become a method.
        attributes[name] = staticmethod(value) if callable(value) else value
    namespace = {**attributes, **others, "CONFIG_ATTRS": (), "__slots__": ()}
    return cast("type[P]", type(protocol.__name__, (protocol,), namespace))
