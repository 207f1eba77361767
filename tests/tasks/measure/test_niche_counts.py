"""How records fill the space of attributes."""

from collections import Counter

from datasynth.tasks.measure.niches import Axis, NicheCounts

TOPIC, LEVEL = Axis("topic", ("tax", "visa")), Axis("level", ("easy", "hard", "odd"))


def test_counts_stand_where_row_and_column_meet():
    counts = NicheCounts((TOPIC, LEVEL), Counter({(0, 0): 4, (1, 2): 1}))
    found = counts.measures()
    assert found is not None
    [grid] = found.grids
    assert (grid.row_name, grid.column_name) == ("topic", "level")
    assert grid.counts == ((4, 0, 0), (0, 0, 1))
    assert (found.niches, found.filled) == (6, 2)


def test_a_record_with_another_value_is_shown_and_fills_no_niche():
    found = NicheCounts((TOPIC, LEVEL), Counter({(2, 0): 3, (0, 0): 1})).measures()
    assert found is not None
    assert found.filled == 1
    assert found.grids[0].rows == ("tax", "visa", "")
    assert found.grids[0].counts == ((1, 0, 0), (0, 0, 0), (3, 0, 0))


def test_a_lone_attribute_is_a_grid_of_one_column():
    found = NicheCounts((TOPIC,), Counter({(0,): 2, (1,): 2})).measures()
    assert found is not None
    assert found.grids[0].columns == ("",)
    assert found.entropy == 1


def test_all_records_in_one_niche_have_no_entropy():
    found = NicheCounts((TOPIC, LEVEL), Counter({(0, 0): 50})).measures()
    assert found is not None
    assert found.entropy == 0


def test_few_records_spread_as_far_as_they_can_are_even():
    found = NicheCounts((TOPIC, LEVEL), Counter({(0, 0): 1, (1, 1): 1})).measures()
    assert found is not None
    assert found.entropy == 1


def test_no_attribute_and_no_record_say_nothing():
    assert NicheCounts(()).measures() is None
    empty = NicheCounts((TOPIC,)).measures()
    assert empty is not None
    assert (empty.filled, empty.entropy) == (0, None)


def test_pairs_of_many_attributes_are_limited_and_long_lists_cut_to_the_frequent():
    axes = tuple(Axis(f"a{n}", tuple(f"v{k}" for k in range(50))) for n in range(6))
    found = NicheCounts(axes, Counter({(49,) * 6: 3, (1,) * 6: 1})).measures()
    assert found is not None
    assert len(found.grids) == 6
    assert len(found.grids[0].rows) == 20
    assert {"v49", "v1"} <= set(found.grids[0].rows)
