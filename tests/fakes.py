"""Stand-ins for the seams between the core and what surrounds it."""

import json
from collections.abc import Callable, Collection, Hashable, Sequence

from twisted.internet import task
from twisted.internet.interfaces import IDelayedCall
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from towerws.core.event import WINDOW_BITS, Variant, encode
from towerws.core.groups import Group
from towerws.core.hub import Sink
from towerws.core.interests import Interests
from towerws.core.session import Session
from towerws.core.wire import CloseCode


def read_frames(data: bytes, *, inflate: bool) -> list[bytes]:
    """Read a server's stream with the decoder of the python-websockets library.

    Args:
        data: What the server wrote.
        inflate: Whether permessage-deflate was negotiated, as the server negotiates it.

    Returns:
        The messages.

    Raises:
        websockets.exceptions.ProtocolError: It is not a stream of a server.
        ValueError: There is something else than whole, unfragmented text messages in UTF-8.
    """
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    messages = []
    while not _is_exhausted(reader):
        extensions = [PerMessageDeflate(True, True, WINDOW_BITS, WINDOW_BITS)] if inflate else []
        parsing = Frame.parse(reader.read_exact, mask=False, extensions=extensions)
        try:
            next(parsing)
        except StopIteration as result:
            frame: Frame = result.value
        else:
            raise ValueError("the stream ends within a frame")
        if frame.opcode is not Opcode.TEXT or not frame.fin:
            raise ValueError("a frame is not a whole text message")
        message = bytes(frame.data)
        message.decode("utf-8")
        messages.append(message)
    return messages


def _is_exhausted(reader: StreamReader) -> bool:
    try:
        next(reader.at_eof())
    except StopIteration as result:
        return bool(result.value)
    raise ValueError("the reader waits for more although it was told that there is none")


class FakeConnection:
    """A `towerws.core.hub.Connection` whose far end reads all that it is given.

    Attributes:
        variant: The form of frame it takes.
        writes: What the hub wrote, each time.
        messages: What the far end has read of that, in order.
        gaps: Why, for each call of `gap`.
        on_write: Called at the end of each write, for what may happen there.
        on_gap: The same for gaps.
    """

    def __init__(self, variant: Variant = Variant.PLAIN) -> None:
        self.variant = variant
        self.writes: list[bytes] = []
        self.messages: list[bytes] = []
        self.gaps: list[str] = []
        self.on_write: Callable[[], None] = _nothing
        self.on_gap: Callable[[], None] = _nothing

    @property
    def sink(self) -> Sink:
        """This one."""
        return self

    def write(self, frames: bytes) -> None:
        """Let the far end read."""
        self.writes.append(frames)
        self.messages += read_frames(frames, inflate=self.variant.compresses)
        self.on_write()

    def gap(self, why: str) -> None:
        """Take note."""
        self.gaps.append(why)
        self.on_gap()


class FakeClient(FakeConnection):
    """A `towerws.core.replaying.ReplayingClient`, which cuts a reader that is too slow.

    Attributes:
        session: The session to be told of gaps and of the cut.
        closes: Code and reason of each close, in order; the first one counts.
        closes_soon: The same for those that are to come within some seconds.
        read_at_close: How many messages had been sent at the first close.
        stalled: Whether the far end reads nothing, so that the next frame is one too many.
        is_held: Whether what the hub gives is dropped.
        has_room: Whether all that was sent has left.
        later: What is to be called in the next turn.
    """

    def __init__(self, variant: Variant = Variant.PLAIN) -> None:
        super().__init__(variant)
        self.session: Session | None = None
        self.closes: list[tuple[CloseCode, str]] = []
        self.closes_soon: list[tuple[CloseCode, str]] = []
        self.read_at_close: int | None = None
        self.stalled = False
        self.is_held = False
        self.has_room = True
        self.later: list[Callable[[], None]] = []

    @property
    def sink(self) -> Sink:
        """Nowhere, or this one."""
        return _Nowhere() if self.is_held else self

    @property
    def frames(self) -> list[object]:
        """The messages, decoded."""
        return [json.loads(message) for message in self.messages]

    def take_frames(self) -> list[object]:
        """Give the messages since the last time, decoded."""
        frames = self.frames
        self.messages.clear()
        return frames

    def send(self, payload: bytes) -> None:
        """Write a frame."""
        self.write(encode(payload, self.variant))

    def write(self, frames: bytes) -> None:
        """Let the far end read, or cut it."""
        if not self.stalled:
            super().write(frames)
        elif not self.closes:
            assert self.session is not None
            self.session.end()
            self.close(CloseCode.TRY_AGAIN_LATER, "reading too slowly")

    def gap(self, why: str) -> None:
        """Tell the session."""
        super().gap(why)
        if self.session is not None:
            self.session.gap(why)

    def hold(self) -> None:
        """Drop what the hub gives."""
        self.is_held = True

    def release(self) -> None:
        """Take it again."""
        self.is_held = False

    def send_frames(self, frames: bytes) -> None:
        """Write frames."""
        self.write(frames)

    def soon(self, call: Callable[[], None]) -> None:
        """Keep the call for `turn`."""
        self.later.append(call)

    def turn(self) -> None:
        """Let the reactor turn."""
        later, self.later = self.later, []
        for call in later:
            call()

    def close(self, code: CloseCode, reason: str) -> None:
        """Take note."""
        if not self.closes:
            self.read_at_close = len(self.messages)
        self.closes.append((code, reason))

    def close_soon(self, code: CloseCode, reason: str) -> None:
        """Take note."""
        self.closes_soon.append((code, reason))


class _Nowhere:
    """Where nothing arrives."""

    def write(self, frames: bytes) -> None:
        """Drop it."""


class FakeSource:
    """A `towerws.core.hub.EventSource` whose interests come into force when a test says so.

    Attributes:
        interests: What it was told, in the real bookkeeping.
        changes: Each call of `interest` as two sorted lists.
        is_prompt: Whether what is wanted is in force at once.
    """

    def __init__(self, *, is_prompt: bool = False) -> None:
        self.interests = Interests()
        self.changes: list[tuple[list[str], list[str]]] = []
        self.is_prompt = is_prompt

    def interest(self, started: Collection[str], ended: Collection[str]) -> None:
        """Take note."""
        self.changes.append((sorted(started), sorted(ended)))
        self.interests.change(started, ended)
        if self.is_prompt:
            self.confirm(*started)

    def when_in_force(
        self, waiter: Hashable, names: Collection[str], callback: Callable[[], None]
    ) -> None:
        """Leave it to the bookkeeping."""
        self.interests.when_in_force(waiter, names, callback)

    def forget(self, waiter: Hashable) -> None:
        """Leave it to the bookkeeping."""
        self.interests.forget(waiter)

    def confirm(self, *names: str) -> None:
        """Bring groups into force.

        Args:
            *names: The groups; all that are wanted if there are none.
        """
        for name in names or sorted(self.interests.wanted):
            self.interests.confirm(name)

    def lose(self) -> None:
        """Lose the broker."""
        self.interests.lose()


class FakeClock:
    """A `towerws.core.deadlines.Clock` that stands still unless a test moves it."""

    def __init__(self) -> None:
        self._clock = task.Clock()

    def seconds(self) -> float:
        """Tell the time."""
        return self._clock.seconds()

    def call_later(self, delay: float, call: Callable[[], object]) -> IDelayedCall:
        """Make a call when the time has come."""
        return self._clock.callLater(delay, call)

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self._clock.advance(seconds)

    @property
    def timers(self) -> list[float]:
        """The times of all calls that are still to be made."""
        return sorted(call.getTime() for call in self._clock.getDelayedCalls())


class FakeIdentity:
    """A `towerws.core.identity.Identity` whose questions are answered when a test says so.

    Attributes:
        user: The user's id.
        csrf_token: What frames have to carry, None for nothing.
        denied: Names of the groups that `answer` refuses; None for what cannot be found out.
        expires: When it does.
        is_valid: What a renewal is answered with.
        is_prompt: Whether each check is answered at once.
        asked: The names of each check so far, and "renew" for each renewal.
    """

    def __init__(
        self,
        user: int | str | None = 7,
        csrf_token: str | None = None,
        denied: Collection[str] | None = (),
        *,
        expires: float | None = None,
        is_prompt: bool = True,
    ) -> None:
        self.user = user
        self.csrf_token = csrf_token
        self.denied = denied
        self.expires = expires
        self.is_valid = True
        self.is_prompt = is_prompt
        self.asked: list[object] = []
        self._open: list[Callable[[], None]] = []

    def check_access(
        self, groups: Sequence[Group], answer: Callable[[Collection[Group] | None], None]
    ) -> None:
        """Answer now, or keep the question for `answer`."""
        self.asked.append([group.name for group in groups])
        self._keep(lambda: answer(self._refused(groups)))

    def renew(self, answer: Callable[[bool], None]) -> None:
        """Answer now, or keep the question for `answer`."""
        self.asked.append("renew")
        self._keep(lambda: answer(self.is_valid))

    def _keep(self, question: Callable[[], None]) -> None:
        self._open.append(question)
        if self.is_prompt:
            self.answer()

    def _refused(self, groups: Sequence[Group]) -> Collection[Group] | None:
        if self.denied is None:
            return None
        return {each for each in groups if each.name in self.denied}

    def answer(self) -> None:
        """Answer the oldest question that is open."""
        self._open.pop(0)()


def _nothing() -> None:
    pass
