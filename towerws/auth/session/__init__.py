"""The scheme ``session``: a backend is asked whose session a client has."""
