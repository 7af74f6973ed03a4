"""A small Django project with users and sessions, and the server that runs it.

Run as ``python -m tests.integration.django_project PORT DIRECTORY``: it serves 127.0.0.1 until it
is ended, and keeps its database in the directory.
"""

import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import ensure_csrf_cookie

#: Everybody's password.
PASSWORD = "correct horse"  # of a database that lives for some seconds

#: Who there is; the second one is of the staff.
USERS = ("alice", "bob")


def _configure(directory: Path) -> None:
    apps = ("auth", "contenttypes", "sessions")
    settings.configure(
        SECRET_KEY="of a project that lives for some seconds",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "db")}
        },
        INSTALLED_APPS=[f"django.contrib.{app}" for app in apps],
        # Tables without their history, which takes ten times as long to go through.
        MIGRATION_MODULES=dict.fromkeys(apps),
        # The default is slow on purpose.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
    )
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)


def _create_users() -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415  # needs what is configured

    for name in USERS:
        User.objects.create_user(name, password=PASSWORD, is_staff=name == USERS[1])


@ensure_csrf_cookie
def log_in(request: HttpRequest) -> HttpResponse:
    """Log a user in: give the cookie for the form, then take the form."""
    from django.contrib import auth  # noqa: PLC0415  # needs what is configured

    if request.method != "POST":
        return HttpResponse("a form")
    user = auth.authenticate(request, username=request.POST["name"], password=PASSWORD)
    auth.login(request, user)
    request.session.set_expiry(int(request.POST["seconds"]))
    return HttpResponse("welcome")


def log_out(request: HttpRequest) -> HttpResponse:
    """Log the user out."""
    from django.contrib import auth  # noqa: PLC0415  # needs what is configured

    auth.logout(request)
    return HttpResponse("goodbye")


def towerws_session(request: HttpRequest) -> HttpResponse:
    """Answer towerws."""
    from tests.integration import session_view  # noqa: PLC0415  # needs what is configured

    return session_view.towerws_session(request)


urlpatterns = [
    path("login/", log_in),
    path("logout/", log_out),
    path("towerws/session/", towerws_session),
]


class _Quiet(WSGIRequestHandler):
    """Django's HTTP, without a log."""

    def log_message(self, *_: Any) -> None:
        """Write no line for each request."""


def main(port: int, directory: Path) -> None:
    """Serve until the process is ended."""
    _configure(directory)
    _create_users()
    server = ThreadedWSGIServer(("127.0.0.1", port), _Quiet)
    server.set_app(get_wsgi_application())
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
