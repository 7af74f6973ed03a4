"""How the tests that hypothesis drives are run, and what they are given."""

from hypothesis import settings
from hypothesis import strategies as st

#: The same examples in every run, and none kept on disk: a failure is seen again by running again.
PROPERTY = settings(derandomize=True, deadline=None, database=None, max_examples=60)

#: For state machines, each example of which is a walk of so many steps.
WALK = settings(PROPERTY, max_examples=40, stateful_step_count=25)

#: All that UTF-8 can write. `st.text()` has the same characters, but asks the codec for each of a
#: million, which takes seconds in a fresh checkout.
CHARACTERS = st.characters(exclude_categories=["Cs"])
