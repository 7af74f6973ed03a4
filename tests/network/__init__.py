"""Tests of `towerws.network`."""
