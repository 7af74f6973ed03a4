"""What goes wrong while somebody is authenticated, other than that they are not."""


class Unavailable(Exception):
    """It cannot be found out at the moment: a backend is away, slow, or says what it should not.

    Its text is one sentence for the log, without anything secret.
    """
