"""Bringing a client that comes back from its position to the present.

The order of steps is what makes it exact: the client is registered with the hub and what the hub
gives it is held back; what it missed is read from the history, or from what is behind that; that
nothing is missing there is verified; it is sent, as fast as the client takes it; when nothing is
left, what the hub gives goes straight to the client again. Held back does not mean kept: the
history has all of it, so a client that is far behind costs no memory. If the history forgets faster
than the client takes it, the archive goes on from where the client is.
"""

from collections.abc import Callable
from functools import partial

from towerws.core.archive import Archive, Archived, Reading
from towerws.core.backlog import Backlog
from towerws.core.deadlines import Clock, Timer
from towerws.core.event import Event, encode
from towerws.core.history import History, Kind
from towerws.core.positions import Mark
from towerws.core.replaying import ReplayCounters, ReplayingClient
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

#: Readings of the archive for one replay. Each leaves to the next what was published meanwhile: who
#: takes events twice as fast as they are published needs a 256th of the first one behind the last.
#: Who is overtaken even then would never come to the present.
READINGS = 8

#: The same before there is an answer: it waits for them, and they all begin at the same place.
_READINGS_BEFORE_ANSWER = 2

_NOT_KEPT = "the position is older than what is kept, or not of this log"
_TOO_MANY = "more was published meanwhile than is kept"
_OVERTAKEN = "events were forgotten faster than they were read"
_NOT_SO_FAR = "this server has not come as far as the position"


class Resumption:
    """One client on its way to the present.

    Attributes:
        position: Up to where the client has been sent everything.
        is_answered: Whether the client was told if it is resumed.
    """

    __slots__ = (
        "_answer", "_archive", "_backlog", "_client", "_clock", "_counters", "_done", "_ended",
        "_envelope", "_gap", "_groups_of", "_history", "_reading", "_readings", "_timer", "_waits",
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
        self._backlog = Backlog(history, 0, [])
        self._reading: Reading | None = None
        self._readings = 0
        self._timer: Timer | None = None
        # For a turn of the reactor, or for the archive: it goes on then, and not before.
        self._waits = False
        self._ended = self.is_answered = False
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
        if self.is_answered and not self._waits:
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
            self._backlog = Backlog(self._history, start.offset, [])
            self._counters.memory.add()
            self._resume(self._backlog.keep(groups))
        elif start.kind is not Kind.ELSEWHERE or self._archive is None:
            self._refuse(start.why)
        elif start.offset <= self._history.last:
            self._read(self._archive, start.mark, _NOT_KEPT)
        else:
            # Not the archive's affair: anybody can write such a position, and its places are few.
            self._wait(until, self._start)

    def _read_on(self, why: str) -> None:
        """Go on with the archive, if it may know: the history has forgotten what comes next.

        Args:
            why: What the client is told if it does not.
        """
        # To the end of the line: whoever waits for this place has waited for longer.
        self._close_reading()
        archive, start = self._archive, self._history.start(self.position, self._groups_of())
        most = READINGS if self.is_answered else _READINGS_BEFORE_ANSWER
        if archive is None or start.kind is not Kind.ELSEWHERE or self._readings >= most:
            self.interrupt(why)
        else:
            self._counters.overtaken.add()
            self._read(archive, start.mark, why)

    def _read(self, archive: Archive, mark: Mark, why: str) -> None:
        self._readings += 1
        self._waits = True
        self._reading = archive.read(mark, self._groups_of(), partial(self._archived, why))

    def _archived(self, why: str, found: Archived | None) -> None:
        if found is None:
            self.interrupt(why)
        else:
            self._backlog = Backlog(self._history, found.upto, found.events)
            self._await_history(self._clock.seconds() + CATCH_UP_WITHIN)

    def _await_history(self, until: float) -> None:
        """Wait until this node has read what the archive has told already."""
        groups, backlog = self._groups_of(), self._backlog
        if not backlog.is_whole(groups):
            self._read_on(_TOO_MANY)
        elif not backlog.is_reached:
            self._wait(until, self._await_history)
        else:
            count = backlog.keep(groups)
            if backlog.has_archived:
                self._expect(TAKE_WITHIN, self._too_slow)
            else:
                self._close_reading()
            if self.is_answered:
                self._go_on()
            else:
                self._counters.archive.add()
                self._resume(count)

    def _wait(self, until: float, look: Callable[[float], None]) -> None:
        """Look again soon whether this node has come far enough, unless it is too late."""
        if self._clock.seconds() >= until:
            self.interrupt(_NOT_SO_FAR)
        else:
            self._expect(_LOOK_EVERY, lambda: look(until))

    def _resume(self, count: int) -> None:
        self.is_answered = True
        self._answer(count)
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
        self._waits = False
        if self._ended or not self._client.has_room:
            return
        groups, backlog = self._groups_of(), self._backlog
        page = backlog.take(groups, PAGE)
        if not backlog.has_archived:
            self._close_reading()
        if page:
            self._send_page(page)
            self._go_on()
        elif backlog.is_whole(groups):
            self._finish()
        else:
            self._read_on(_OVERTAKEN)

    def _send_page(self, page: list[Event]) -> None:
        self._counters.events.add(len(page))
        variant, envelope = self._client.variant, self._envelope
        self.position = self._history.positions.format(page[-1])
        self._client.send_frames(b"".join(encode(envelope(event), variant) for event in page))

    def _go_on(self) -> None:
        if self._ended or self._backlog.is_empty(self._groups_of()):
            self._finish()
        else:
            self._waits = True
            self._client.soon(self._send)

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
        self._cancel_timer()
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.close()

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
