"""Tests of towerws/console."""
