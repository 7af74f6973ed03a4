"""Chaos: real servers, a real broker and hundreds of clients, while faults rain on all of them.

`python -m tests.chaos` (`make chaos`) runs it; `tests.chaos.checker` judges what the clients saw.
"""
