"""What is asked of the server: groups, and the credentials that go along."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from towerws.core.groups import split_name


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is asked of the server.

    Attributes:
        groups: Full names, such as ``job_events-42``.
        headers: Further headers of the handshake, such as ``Cookie``.
        xrftoken: The CSRF token that AWX wants in the frame; it is also in a cookie.
    """

    groups: Sequence[str]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    xrftoken: str | None = field(default=None, repr=False)

    def frame(self, since: str | None = None) -> bytes:
        """Write the subscribe frame.

        Args:
            since: The position behind which events are to be replayed; none are, if not given.

        Returns:
            The frame's payload.

        Raises:
            GroupError: A name is none, or has no hyphen.
        """
        groups: dict[str, list[str]] = {}
        for name in self.groups:
            group, element = split_name(name)
            groups.setdefault(group, []).append(element)
        wanted: dict[str, object] = {"groups": groups}
        if since is not None:
            wanted["since"] = since
        if self.xrftoken is not None:
            wanted["xrftoken"] = self.xrftoken
        return json.dumps(wanted).encode()
