"""How the tests that hypothesis drives are run."""

from hypothesis import settings

#: The same examples in every run, and none kept on disk: a failure is seen again by running again.
PROPERTY = settings(derandomize=True, deadline=None, database=None, max_examples=60)

#: For state machines, each example of which is a walk of so many steps.
WALK = settings(PROPERTY, max_examples=40, stateful_step_count=25)
