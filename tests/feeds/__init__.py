"""Tests of `towerws.feeds`."""
