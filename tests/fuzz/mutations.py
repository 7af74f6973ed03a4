"""Bytes that are almost right, for tests that hypothesis drives."""

from collections.abc import Sequence
from functools import reduce

from hypothesis import strategies as st

#: A place as a share of the length, what is done there, to how many bytes, and with which.
_MUTATION = st.tuples(
    st.floats(0, 1),
    st.sampled_from(["replace", "insert", "remove", "repeat", "cut"]),
    st.integers(1, 12),
    st.binary(min_size=1, max_size=12),
)


def mutated(streams: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Damage byte streams in a few places, or not at all.

    Args:
        streams: What would be right.

    Returns:
        The damaged ones.
    """
    return st.builds(
        lambda stream, mutations: reduce(_mutate, mutations, stream),
        streams,
        st.lists(_MUTATION, max_size=3),
    )


def cut(data: bytes, shares: Sequence[float]) -> list[bytes]:
    """Cut a stream as a network may.

    Args:
        data: The stream.
        shares: Where, as shares of its length.

    Returns:
        The pieces, in order; some may be empty.
    """
    ends = [*sorted(int(share * len(data)) for share in shares), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


#: For `cut`.
CUTS = st.lists(st.floats(0, 1), max_size=4)


def _mutate(stream: bytes, mutation: tuple[float, str, int, bytes]) -> bytes:
    share, kind, count, new = mutation
    start = int(share * len(stream))
    before, hit, after = stream[:start], stream[start : start + count], stream[start + count :]
    return {
        "replace": before + new[:count] + after,
        "insert": before + new + hit + after,
        "remove": before + after,
        "repeat": before + hit * 2 + after,
        "cut": before,
    }[kind]
