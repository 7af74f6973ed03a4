"""Tests of `towerws.auth.jwt`."""
