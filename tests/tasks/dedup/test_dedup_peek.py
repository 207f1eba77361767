"""Looking without keeping: the same verdicts as screening one record at a time, and nothing learnt."""

from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.record import Field
from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex
from datasynth.tasks.dedup.views import View

VIEWS = (
    View("record", (Field(name="question"), Field(name="answer")), least_units=0),
    View("question", (Field(name="question"),)),
)
WORDS = st.sampled_from(["alpha", "beta", "gamma", "delta", "你", "好", "!", "3"])
PHRASES = st.lists(WORDS, max_size=7).map(" ".join)
RECORDS = st.lists(st.fixed_dictionaries({"question": PHRASES, "answer": PHRASES}), max_size=14)


def index_of(records) -> NearDuplicateIndex:
    index = NearDuplicateIndex(DedupSettings(), VIEWS)
    index.add(records, [f"r{i}" for i in range(len(records))])
    return index


@given(RECORDS, RECORDS)
def test_peeking_finds_what_each_record_alone_would_be_refused_for(kept, looked_at):
    alone = [index_of(kept).screen([record], ["x"])[0] for record in looked_at]
    assert index_of(kept).peek(looked_at) == alone


@given(RECORDS, RECORDS, RECORDS)
def test_peeking_changes_no_later_verdict_and_no_dump(kept, looked_at, later):
    plain, peeked = index_of(kept), index_of(kept)
    peeked.peek(looked_at)
    names = [f"n{i}" for i in range(len(later))]
    assert (len(peeked), peeked.unsaved) == (len(plain), plain.unsaved)
    assert peeked.screen(later, names) == plain.screen(later, names)
    assert peeked.dump() == plain.dump()
