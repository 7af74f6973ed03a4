"""Tests of `towerws.auth`."""
