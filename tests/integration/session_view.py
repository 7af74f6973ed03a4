"""What towerws asks: the view of docs/authentication.md, word for word below this line."""

from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import get_random_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET


@require_GET
@never_cache
def towerws_session(request: HttpRequest) -> HttpResponse:
    """Tell towerws who is logged in, and what they may hear."""
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    groups = ["jobs-*", f"inbox-{request.user.pk}"]
    if request.user.is_staff:
        groups.append("audit-*")
    session = Session.objects.get(session_key=request.session.session_key)
    # If there is no token, one that nobody knows: no page can then speak for the user.
    token = request.COOKIES.get(settings.CSRF_COOKIE_NAME) or get_random_string(32)
    return JsonResponse(
        {
            "user": request.user.pk,
            "csrftoken": token,
            "groups": groups,
            "expires": session.expire_date.timestamp(),
        }
    )
