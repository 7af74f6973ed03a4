"""Tests of `towerws.auth.session`."""
