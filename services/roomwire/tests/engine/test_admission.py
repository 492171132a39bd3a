"""What a query string says, held to the standard library."""

from urllib.parse import parse_qs

from hypothesis import example, given
from hypothesis import strategies as st

from roomwire.engine.admission import Query

names = st.sampled_from(["transport", "EIO", "sid", "t", "b64", "", "Transport", "%73id"])
values = st.text(max_size=12) | st.sampled_from(["polling", "a+b", "%41", "%", "%zz", "%ff", "a=b", "a;b"])
queries = st.lists(st.tuples(names, values)).map(lambda pairs: "&".join(f"{n}={v}" for n, v in pairs))


@given(queries | st.text())
@example("sid=a+b")
@example("sid=a%2Bb")
@example("sid&sid=x")
@example("%73id=x")
@example("sid=%ff")
def test_it_says_what_urllib_makes_of_it(query):
    expected = parse_qs(query, keep_blank_values=True)
    found = Query(query)
    for name, value in (("transport", found.transport), ("EIO", found.protocol), ("sid", found.sid)):
        assert expected.get(name, [""])[0] == value
