"""Files that may be replaced while the server runs: certificates, keys, tokens.

They are read anew when they change, and all of them at SIGHUP.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from towerws.core.metrics import Metrics

#: Seconds between two looks at the files. Certificates are renewed weeks before they end; but who
#: takes a key out of use, or looks whether the new one is served, should not wait long, and a look
#: takes some microseconds for each file.
LOOK_EVERY = 10.0

#: Seconds before files that could not be used are read again although they have not changed: the
#: process may have been short of descriptors, say. It is also how often the log repeats the reason.
RETRY_AFTER = 60.0

#: What tells one state of a file from the next; None if there is none to be seen. The time of the
#: last change of the inode (ctime) cannot be set, and changes with the permissions too.
_Stamp = tuple[int, int, int, int, int] | None


class Reloadable(Protocol):
    """Something that has been read from files."""

    @property
    def files(self) -> Sequence[str]:
        """Paths of the files, through symbolic links or not; none to hear of SIGHUP only."""

    def reload(self) -> bool | None:
        """Read the files anew, and tell the log about it.

        Returns:
            False if they are of no use and what was before stays; everything else is a success.
        """


@dataclass(slots=True)
class _Watch:
    """One `Reloadable`, and what its files were when they were last read."""

    reloadable: Reloadable
    stamps: list[_Stamp]
    failed_at: float | None = None


class Reloader(Service):
    """Has files read anew when they change, while it runs.

    Attributes:
        metrics: Where things are counted.
    """

    _log = Logger()

    def __init__(
        self, reactor: IReactorTime, reloadables: Iterable[Reloadable], metrics: Metrics
    ) -> None:
        """Take note of the files as they are.

        Args:
            reactor: Measures the time.
            reloadables: What to watch; they have been read already.
            metrics: Where things are counted.
        """
        self.metrics = metrics
        self._reactor = reactor
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        name = "towerws_reloads_total"
        text = "Files that were read anew, because they had changed or at SIGHUP, by result."
        self._changed = metrics.counter(name, text, result="changed")
        self._failed = metrics.counter(name, text, result="failed")
        self._watches: list[_Watch] = []
        for reloadable in reloadables:
            self.add(reloadable)

    def add(self, reloadable: Reloadable) -> None:
        """Watch more files; to be called before the start.

        Args:
            reloadable: It has been read already.
        """
        self._watches.append(_Watch(reloadable, _stamps(reloadable)))

    def startService(self) -> None:
        """Begin to look, if there are files."""
        super().startService()
        if any(watch.stamps for watch in self._watches):
            self._looking.start(LOOK_EVERY, now=False)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._looking.running:
            self._looking.stop()

    def reload_all(self) -> None:
        """Have everything read anew, if the service runs: what SIGHUP asks for."""
        if self.running:
            self._log.info("all files are read anew")
            for watch in self._watches:
                self._reload(watch)

    def _look(self) -> None:
        now = self._reactor.seconds()
        for watch in self._watches:
            overdue = watch.failed_at is not None and now - watch.failed_at >= RETRY_AFTER
            if overdue or _stamps(watch.reloadable) != watch.stamps:
                self._reload(watch)

    def _reload(self, watch: _Watch) -> None:
        # Before it is read: what changes meanwhile is seen the next time.
        watch.stamps = _stamps(watch.reloadable)
        try:
            failed = watch.reloadable.reload() is False
        except Exception:  # noqa: BLE001  # checkers are plugins; the others are still to be read
            self._log.failure("while {files} were read anew", files=watch.reloadable.files)
            failed = True
        watch.failed_at = self._reactor.seconds() if failed else None
        if watch.stamps:
            (self._failed if failed else self._changed).add()


def _stamps(reloadable: Reloadable) -> list[_Stamp]:
    return [_stamp(path) for path in reloadable.files]


def _stamp(path: str) -> _Stamp:
    try:
        # Behind all symbolic links: certbot and Kubernetes put new ones in their place.
        found = Path(path).stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
