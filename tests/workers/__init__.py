"""Tests of `towerws.workers`."""
