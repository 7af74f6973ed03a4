"""Checks of the source tree itself, run by `make` and by CI; not part of the installed package."""
