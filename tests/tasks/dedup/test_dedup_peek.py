"""Looking without keeping: the same verdicts as screening one record at a time, and nothing learnt."""

from hypothesis import given
from short_records import TWO_VIEWS, short_records

from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex

RECORDS = short_records(14)


def index_of(records) -> NearDuplicateIndex:
    index = NearDuplicateIndex(DedupSettings(), TWO_VIEWS)
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
