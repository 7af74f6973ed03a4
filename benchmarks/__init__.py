"""Measurements; none of them is a test. docs/performance.md says what they found."""
