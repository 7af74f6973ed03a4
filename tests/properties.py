"""How the tests that hypothesis drives are run, and what they are given."""

import os

from hypothesis import settings
from hypothesis import strategies as st

#: How many examples each test tries under ``make fuzz``, other ones in each run; 0 for the few and
#: always same ones of ``make test``.
_MANY = int(os.environ.get("TOWERWS_FUZZ_EXAMPLES", "0"))

#: The same examples in every run, and none kept on disk: a failure is seen again by running again.
PROPERTY = settings(
    derandomize=not _MANY,
    deadline=None,
    database=None,
    max_examples=_MANY or 40,
    print_blob=bool(_MANY),
)

#: For state machines, each example of which is a walk of so many steps.
WALK = settings(PROPERTY, max_examples=_MANY or 30, stateful_step_count=25)

#: For whole conversations with a server, each of which takes a millisecond or more.
CONVERSATION = settings(PROPERTY, max_examples=_MANY or 30)

#: All that UTF-8 can write. `st.text()` has the same characters, but asks the codec for each of a
#: million, which takes seconds in a fresh checkout.
CHARACTERS = st.characters(exclude_categories=["Cs"])
