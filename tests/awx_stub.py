"""What AWX's API answers, for tests: some users, and objects that some of them may see.

After AWX 24.6 (awx/api/generics.py, awx/api/authentication.py, awx/main/middleware.py) and Django
REST framework: the same paths, statuses, headers, and shapes of pages. `AwxStub` decides, in
memory; `AwxServer` lets it be asked over HTTP, from a thread of its own.
"""

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import cookies as http_cookies
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

#: How AWX ends what it says to those who have not shown who they are.
_VISIT = " To establish a login session, visit /api/login/."

_CHALLENGE = "Bearer realm=api authorization_url=/api/o/authorize/"

_ROOT = "/api/v2/"


@dataclass(slots=True)
class StubUser:
    """A user of AWX.

    Attributes:
        id: The primary key.
        username: The name to log in with.
        password: And what goes with it.
        is_superuser: Whether they may do everything.
        is_system_auditor: Whether they may see everything.
        visible: Paths of the objects that they may see, such as ``jobs/42/``.
    """

    id: int
    username: str
    password: str = "swordfish"
    is_superuser: bool = False
    is_system_auditor: bool = False
    visible: set[str] = field(default_factory=set)

    def serialize(self) -> dict[str, Any]:
        """Give what ``UserSerializer`` does."""
        return {
            "id": self.id,
            "type": "user",
            "url": f"{_ROOT}users/{self.id}/",
            "related": {"teams": f"{_ROOT}users/{self.id}/teams/"},
            "summary_fields": {"user_capabilities": {"edit": True, "delete": False}},
            "created": "2026-11-01T08:00:00.000000Z",
            "modified": None,
            "username": self.username,
            "first_name": "",
            "last_name": "",
            "email": "",
            "is_superuser": self.is_superuser,
            "is_system_auditor": self.is_system_auditor,
            "ldap_dn": "",
            "last_login": "2026-11-22T08:00:00.000000Z",
            "external_account": None,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API.

    Attributes:
        status: Of HTTP.
        body: The page.
        headers: Those that matter.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]


class AwxStub:
    """An AWX with the objects 1 to 99 of each kind.

    Attributes:
        users: By user name.
        sessions: User names by session key.
        tokens: User names by OAuth 2 token.
        session_cookie: How the session's cookie is called.
        asked: The paths that were asked for, in order.
        prolonged: How often a session's time began anew, as it does with each request of a person.
        fault: A status that everything is answered with; None to answer.
    """

    def __init__(self, *users: StubUser, session_cookie: str = "awx_sessionid") -> None:
        """Set up.

        Args:
            *users: Who there is.
            session_cookie: AWX's ``SESSION_COOKIE_NAME``.
        """
        self.users = {user.username: user for user in users}
        self.sessions: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.session_cookie = session_cookie
        self.asked: list[str] = []
        self.prolonged = 0
        self.fault: int | None = None

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Answer a GET.

        Args:
            path: With its query, if it has one.
            headers: By name in lower case.
        """
        self.asked.append(path)
        if self.fault is not None:
            return Answer(self.fault, b"<html>nginx</html>", {"Content-Type": "text/html"})
        if not path.endswith("/"):
            return Answer(301, b"", {"Location": f"{path}/"})
        session = self._session(headers)
        if "Bearer" in headers.get("authorization", ""):
            user, detail = self._by_token(headers["authorization"]), ""
        elif session is not None:
            user, detail = session, ""
        else:
            user, detail = self._by_password(headers.get("authorization", ""))
        # A token that is none does not hinder the next way of authentication.
        user = user or session
        if user is None:
            detail = detail or "Authentication credentials were not provided."
            return _page(401, {"detail": detail + _VISIT}, {"WWW-Authenticate": _CHALLENGE})
        added = {}
        if session is not None and "x-ws-session-quiet" not in headers:
            self.prolonged += 1
            added["Session-Timeout"] = "1800"
        return self._page_for(user, path, added)

    def _page_for(self, user: StubUser, path: str, headers: Mapping[str, str]) -> Answer:
        name = path.removeprefix(_ROOT)
        if name == "me/":
            page = {"count": 1, "next": None, "previous": None, "results": [user.serialize()]}
            return _page(200, page, headers)
        kind, _, number = name.strip("/").partition("/")
        if not path.startswith(_ROOT) or not number.isdecimal() or not 1 <= int(number) <= 99:
            return _page(404, {"detail": "Not found."}, headers)
        if name not in user.visible and not user.is_superuser and not user.is_system_auditor:
            detail = "You do not have permission to perform this action."
            return _page(403, {"detail": detail}, headers)
        kind = kind.removesuffix("s")
        job = {"id": int(number), "type": kind, "url": path, "status": "running"}
        return _page(200, job | {"job_env": {"PATH": "/usr/bin:" * 100}}, headers)

    def _session(self, headers: Mapping[str, str]) -> StubUser | None:
        key = _django_cookies(headers.get("cookie", "")).get(self.session_cookie, "")
        return self.users.get(self.sessions.get(key, ""))

    def _by_token(self, authorization: str) -> StubUser | None:
        token = authorization.removeprefix("Bearer ")
        return self.users.get(self.tokens.get(token, ""))

    def _by_password(self, authorization: str) -> tuple[StubUser | None, str]:
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None, ""
        try:
            username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None, "Invalid basic header. Credentials not correctly base64 encoded."
        user = self.users.get(username)
        if user is None or user.password != password:
            return None, "Invalid username/password."
        return user, ""


def _page(status: int, value: object, headers: Mapping[str, str]) -> Answer:
    fixed = {
        "Content-Type": "application/json",
        "Vary": "Accept, Accept-Language, Origin, Cookie",
        "X-API-Product-Name": "AWX",
        "X-API-Product-Version": "24.6.1",
    }
    return Answer(status, json.dumps(value, separators=(",", ":")).encode(), fixed | dict(headers))


def _django_cookies(header: str) -> dict[str, str]:
    # django.http.cookie.parse_cookie, which says of itself that it is lax as browsers are.
    found = {}
    for chunk in header.split(";"):
        key, separator, value = chunk.partition("=")
        key, value = (key.strip(), value.strip()) if separator else ("", chunk.strip())
        if key or value:
            found[key] = http_cookies._unquote(value)
    return found


class AwxServer:
    """An `AwxStub` on a free port of 127.0.0.1.

    Attributes:
        stub: Answers; another one may take its place.
        url: ``http://127.0.0.1:PORT``.
    """

    def __init__(self, stub: AwxStub) -> None:
        """Listen; nothing is answered before `start`.

        Args:
            stub: Answers.
        """
        self.stub = stub
        owner = self

        class Exchange(BaseHTTPRequestHandler):
            """One connection to the stub."""

            protocol_version = "HTTP/1.1"
            timeout = 10.0

            def do_GET(self) -> None:
                """Answer."""
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = owner.stub.answer(self.path, headers)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Exchange)
        self._server.daemon_threads = True
        # It may outlive its last test, and must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10.0)
