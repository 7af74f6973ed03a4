"""Why an event was not sent."""


class EmitError(Exception):
    """An event was not sent: the text is one sentence, without the event's content."""


class PayloadError(EmitError):
    """The payload is not a dictionary that can be written as JSON."""


class GroupNameError(EmitError):
    """The group's name is none."""


class Refused(EmitError):
    """The server or the broker was reached, and said no."""


class Unreachable(EmitError):
    """The server or the broker was not reached, or did not confirm the event in time.

    In the latter case the event may have been published all the same.
    """


class ConnectionLost(Unreachable):
    """The connection turned out to be gone; a new one may work."""
