"""The Django project of `tests.integration.django_project` as a process, and a browser for it."""

import atexit
import functools
import os
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

from tests.integration.guard import Guard
from tests.integration.loopback import free_ports, listens, wait_until

_PROJECT = "tests.integration.django_project"

_ROOT = Path(__file__).resolve().parent.parent.parent

#: Ten times what it takes to start on a slow machine, and what it takes to answer.
_START_TIMEOUT = 30.0
_REQUEST_TIMEOUT = 10.0


class DjangoSite:
    """The running project.

    Attributes:
        url: ``http://127.0.0.1:PORT``.
        session_url: What towerws is to ask.
    """

    def __init__(self) -> None:
        """Start it, and wait until it listens."""
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.session_url = f"{self.url}/towerws/session/"
        directory = Path(tempfile.mkdtemp(prefix="towerws-django-"))
        self._guard = Guard(directory)
        with (directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _PROJECT, str(port), str(directory)],
                cwd=directory,
                env=os.environ | {"PYTHONPATH": str(_ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._guard.note(self._process.pid)
        try:
            wait_until(
                lambda: self._process.poll() is not None or listens(port),
                _START_TIMEOUT,
                "Django does not listen",
            )
            if self._process.poll() is not None:
                raise RuntimeError(f"Django ended; it wrote:\n{(directory / 'log').read_text()}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and remove all traces."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(_REQUEST_TIMEOUT)
        self._guard.end()


class Browser:
    """Somebody's browser, with cookies of its own."""

    def __init__(self, site: DjangoSite) -> None:
        """Open it; nobody is logged in.

        Args:
            site: Where to go.
        """
        self._site = site
        self._cookies = CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )

    @property
    def cookies(self) -> dict[str, str]:
        """Values by name."""
        return {each.name: each.value or "" for each in self._cookies}

    @property
    def headers(self) -> dict[str, str]:
        """What a handshake from a page of the site has."""
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    @property
    def token(self) -> str:
        """The CSRF token that pages of the site send."""
        return self.cookies["csrftoken"]

    def log_in(self, name: str, seconds: int = 3600) -> None:
        """Log in.

        Args:
            name: Who.
            seconds: How long the session lasts.
        """
        self._open("/login/")
        self._open("/login/", name=name, seconds=str(seconds))

    def log_out(self) -> None:
        """Log out, and keep the cookie: as a page does that was opened before."""
        kept = list(self._cookies)
        self._open("/logout/", confirm="yes")
        for cookie in kept:
            self._cookies.set_cookie(cookie)

    def _open(self, path: str, **form: str) -> None:
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self._site.url + path, data)
        if data is not None:
            request.add_header("X-CSRFToken", self.token)
        self._opener.open(request, timeout=_REQUEST_TIMEOUT).close()


@functools.cache
def shared_site() -> DjangoSite:
    """Give the project that all tests of this process share; it ends with the process."""
    site = DjangoSite()
    atexit.register(_stop_shared, site, os.getpid())
    return site


def _stop_shared(site: DjangoSite, owner: int) -> None:
    # A child made by os.fork inherits the registration, but not the site.
    if os.getpid() == owner:
        site.stop()
