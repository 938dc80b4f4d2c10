from hypothesis import assume, given
from hypothesis import strategies as st

from api.requests.parameters import end_of
from logstats.domain.line import MAX_CUSTOMER_ID_CHARACTERS

IDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=MAX_CUSTOMER_ID_CHARACTERS)
EDGES = st.sampled_from(["\ud7ff", "\ue000", "\U0010ffff", "a", "\u00a0"])
PREFIXES = st.lists(EDGES | st.characters(exclude_categories=["Cs", "Cc"]), max_size=6).map("".join)


@given(PREFIXES, IDS)
def test_a_prefix_ends_where_its_ids_end(prefix: str, customer: str) -> None:
    end = end_of(prefix).encode()
    for candidate in (customer, prefix + customer):
        within = prefix.encode() <= candidate.encode() < end
        assert within == candidate.startswith(prefix)


@given(PREFIXES)
def test_the_end_is_the_first_text_after_them(prefix: str) -> None:
    end = end_of(prefix)
    assume(len(end) <= MAX_CUSTOMER_ID_CHARACTERS)
    assert not end.startswith(prefix) or not prefix
    assert (prefix + "\U0010ffff" * 300).encode() < end.encode()
