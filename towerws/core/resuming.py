"""Bringing a client that comes back from its position to the present.

The order of steps is what makes it exact: the client is registered with the hub and what the hub
gives it is held back; what it missed is read from the history, or from what is behind that; that
nothing is missing there is verified; it is sent, as fast as the client takes it; when nothing is
left, what the hub gives goes straight to the client again. Held back does not mean kept: the
history has all of it, so a client that is far behind costs no memory.
"""

from collections.abc import Callable
from typing import Protocol

from towerws.core.archive import Archive, Archived, Reading
from towerws.core.deadlines import Clock, Timer
from towerws.core.event import Event, encode
from towerws.core.event_log import EVENT_BYTES
from towerws.core.history import History, Kind
from towerws.core.metrics import Metrics
from towerws.core.profile import Client
from towerws.core.wire import CloseCode
from towerws.core.wire_v1 import enveloping

#: Bytes of events, with `EVENT_BYTES` for each, that are sent at once: some 2 ms of work.
PAGE = 1 << 16

#: Seconds in which a client has to take what was read for it from the archive, whose places are
#: few. 16 MiB, the most that is read, takes half a megabyte a second.
TAKE_WITHIN = 30.0

#: Seconds for this node to come to where the client has been already, with a faster node.
CATCH_UP_WITHIN = 10.0
_LOOK_EVERY = 0.1


class ReplayingClient(Client, Protocol):
    """What is asked of a client that is brought to the present."""

    def hold(self) -> None:
        """Drop what the hub gives from now on."""

    def release(self) -> None:
        """Take what the hub gives again."""

    @property
    def has_room(self) -> bool:
        """Whether everything that was sent has left; if not, `Profile.drained` will be called."""

    def send_frames(self, frames: bytes) -> None:
        """Send whole frames behind everything that was sent before."""

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call in a turn of the reactor to come, unless the client is gone by then."""


class ReplayCounters:
    """What replays count, shared by all of them."""

    def __init__(self, metrics: Metrics) -> None:
        """Register the counters.

        Args:
            metrics: Where they are shown.
        """
        name, text = "towerws_resumes_total", "Clients that came back with a position, by result."
        self.memory = metrics.counter(name, text, result="memory")
        self.archive = metrics.counter(name, text, result="archive")
        self.refused = metrics.counter(name, text, result="refused")
        self.cut_short = metrics.counter(
            "towerws_replays_cut_short_total",
            "Replays that ended in a gap: there was one, or the history forgot too fast for them.",
        )
        self.events = metrics.counter("towerws_replayed_events_total", "Events that were replayed.")


class Resumption:
    """One client on its way to the present.

    Attributes:
        position: Up to where the client has been sent everything.
        is_answered: Whether the client was told if it is resumed.
    """

    __slots__ = (
        "_answer", "_archive", "_client", "_clock", "_counters", "_cursor", "_done", "_ended",
        "_envelope", "_gap", "_groups_of", "_history", "_older", "_reading", "_scheduled", "_timer",
        "is_answered", "position",
    )  # fmt: skip

    def __init__(
        self,
        client: ReplayingClient,
        history: History,
        archive: Archive | None,
        clock: Clock,
        counters: ReplayCounters,
        *,
        groups_of: Callable[[], frozenset[str]],
        answer: Callable[[int | None], None],
        gap: Callable[[str], None],
        done: Callable[[], None],
    ) -> None:
        """Prepare; the client is registered with the hub, and holds back what that gives.

        Args:
            client: Whom to send it to.
            history: What was published.
            archive: What is behind that, if anything.
            clock: Bounds each wait.
            counters: Count what becomes of it.
            groups_of: Gives the groups that the client is in; some may be taken away meanwhile.
            answer: Called once with the number of events that come next, or with None if there is
                a gap.
            gap: Called with why there is one.
            done: Called at the end, when the client hears live events again.
        """
        self._client = client
        self._history = history
        self._archive = archive
        self._clock = clock
        self._counters = counters
        self._groups_of = groups_of
        self._answer = answer
        self._gap = gap
        self._done = done
        self._envelope = enveloping(history.positions.format)
        self._older: list[Event] = []
        self._reading: Reading | None = None
        self._timer: Timer | None = None
        self._cursor = 0
        self._ended = self._scheduled = self.is_answered = False
        self.position = ""

    def begin(self, since: str) -> None:
        """Find out from where the client can go on, and send what it missed.

        Args:
            since: Its position, as it says.
        """
        self.position = since
        self._start(self._clock.seconds() + CATCH_UP_WITHIN)

    def drained(self) -> None:
        """Go on sending: the client has taken what was sent."""
        if self.is_answered and not self._scheduled:
            self._send()

    def interrupt(self, why: str) -> None:
        """End with a gap, for there was one, and go on with live events.

        Args:
            why: One sentence, for people.
        """
        if self.is_answered:
            self._lose(why)
        else:
            self._refuse(why)

    def end(self) -> None:
        """Stop: the client is gone. Idempotent."""
        self._ended = True
        self._close_reading()

    def _start(self, until: float) -> None:
        groups = self._groups_of()
        start = self._history.start(self.position, groups)
        if start.kind is Kind.MEMORY:
            self._cursor = start.offset
            self._counters.memory.add()
            self._resume()
        elif start.kind is not Kind.ELSEWHERE or self._archive is None:
            self._refuse(start.why)
        elif start.offset <= self._history.last:
            self._reading = self._archive.read(start.mark, groups, self._archived)
        else:
            # Not the archive's affair: anybody can write such a position, and its places are few.
            self._wait(until, self._start)

    def _archived(self, found: Archived | None) -> None:
        if found is None:
            self._refuse("the position is older than what is kept, or not of this log")
            return
        groups = self._groups_of()
        self._older = [event for event in found.events if event.group in groups]
        self._cursor = found.upto
        self._await_history(self._clock.seconds() + CATCH_UP_WITHIN)

    def _await_history(self, until: float) -> None:
        """Wait until this node has read what the archive has told already."""
        if not self._history.covers(self._cursor, self._groups_of()):
            self._refuse("more was published meanwhile than is kept")
        elif self._history.last >= self._cursor:
            self._counters.archive.add()
            if self._older:
                self._expect(TAKE_WITHIN, self._too_slow)
            else:
                self._close_reading()
            self._resume()
        else:
            self._wait(until, self._await_history)

    def _wait(self, until: float, look: Callable[[float], None]) -> None:
        """Look again soon whether this node has come far enough, unless it is too late."""
        if self._clock.seconds() >= until:
            self._refuse("this server has not come as far as the position")
        else:
            self._expect(_LOOK_EVERY, lambda: look(until))

    def _resume(self) -> None:
        self.is_answered = True
        self._answer(len(self._older) + self._history.count(self._cursor, self._groups_of()))
        # In a turn to come: thousands may have waited for the broker, and are all answered at once.
        self._go_on()

    def _refuse(self, why: str) -> None:
        self._counters.refused.add()
        self.is_answered = True
        self._answer(None)
        if not self._ended:
            self._gap(why)
        self._finish()

    def _send(self) -> None:
        """Send a page, if the client has taken everything before it."""
        self._scheduled = False
        if self._ended or not self._client.has_room:
            return
        if not self._history.covers(self._cursor, self._groups_of()):
            # Nothing of the rest: a part must not look whole.
            self._lose("events were forgotten faster than they were read")
        elif page := self._take_page():
            self._send_page(page)
            self._go_on()
        else:
            self._finish()

    def _send_page(self, page: list[Event]) -> None:
        self._counters.events.add(len(page))
        variant, envelope = self._client.variant, self._envelope
        self.position = self._history.positions.format(page[-1])
        self._client.send_frames(b"".join(encode(envelope(event), variant) for event in page))

    def _go_on(self) -> None:
        is_more = self._older or self._history.count(self._cursor, self._groups_of())
        if is_more and not self._ended:
            self._scheduled = True
            self._client.soon(self._send)
        else:
            self._finish()

    def _take_page(self) -> list[Event]:
        groups = self._groups_of()
        while self._older:
            page: list[Event] = []
            size = 0
            while size < PAGE and len(page) < len(self._older):
                page.append(self._older[len(page)])
                size += len(page[-1].payload) + EVENT_BYTES
            del self._older[: len(page)]
            if not self._older:
                self._close_reading()
            if page := [event for event in page if event.group in groups]:
                return page
        page = self._history.read(self._cursor, groups, PAGE)
        if page:
            self._cursor = page[-1].offset
        return page

    def _lose(self, why: str) -> None:
        self._counters.cut_short.add()
        self._gap(why)
        self._finish()

    def _finish(self) -> None:
        if not self._ended:
            self.end()
            self._client.release()
            self._done()

    def _too_slow(self) -> None:
        self._client.close(CloseCode.TRY_AGAIN_LATER, "reading too slowly")

    def _expect(self, seconds: float, call: Callable[[], object]) -> None:
        self._cancel_timer()
        self._timer = self._clock.call_later(seconds, lambda: self._wake(call))

    def _wake(self, call: Callable[[], object]) -> None:
        self._timer = None
        call()

    def _close_reading(self) -> None:
        self._older = []
        self._cancel_timer()
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.close()

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
