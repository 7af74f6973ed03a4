"""Tests of towerws: `python -m twisted.trial tests`, or `make test`.

A module has its tests where its path says: `tests/core/test_hub.py` for `towerws/core/hub.py`. Only
`tests.integration` starts servers and clients; everything else runs in memory.
"""
