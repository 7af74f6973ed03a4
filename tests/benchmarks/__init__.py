"""Tests of what the benchmarks calculate; that they measure is seen by running them."""
