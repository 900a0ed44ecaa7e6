"""The layout of networks: no overlaps, arrows that lead down, straight chains."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gazelle._plots.layering import lay_out

GAP, LANE = 20.0, 14.0


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 40))
    inbound = {}
    for index in range(count):
        most = min(index, 3)
        sources = []
        if index:
            numbers = st.integers(max(0, index - 8), index - 1)
            sources = draw(st.lists(numbers, max_size=most, unique=True))
        inbound[f"n{index}"] = [f"n{source}" for source in sources]
    widths = {name: draw(st.floats(50, 400)) for name in inbound}
    return inbound, widths


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_no_boxes_or_lanes_overlap_and_all_are_within_the_width(graph):
    inbound, widths = graph
    layout = lay_out(inbound, widths, GAP, LANE)
    assert sorted(place.name for row in layout.rows for place in row if place.name) == sorted(
        inbound
    )
    for row in layout.rows:
        for left, right in pairwise(row):
            assert right.x - left.x >= (left.width + right.width) / 2 + GAP - 1e-6
        for place in row:
            assert place.x - place.width / 2 >= -1e-6
            assert place.x + place.width / 2 <= layout.width + 1e-6


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_every_arrow_leads_down_one_row_at_a_time_from_source_to_target(graph):
    inbound, widths = graph
    layout = lay_out(inbound, widths, GAP, LANE)
    ends = {(chain[0].name, chain[-1].name) for chain in layout.arrows}
    assert ends == {(source, name) for name, sources in inbound.items() for source in sources}
    for chain in layout.arrows:
        assert [place.row for place in chain] == list(range(chain[0].row, chain[-1].row + 1))
        assert all(place.name is None for place in chain[1:-1])


def test_a_plain_chain_is_one_straight_column():
    inbound = {f"n{i}": [f"n{i - 1}"] if i else [] for i in range(40)}
    layout = lay_out(inbound, {name: 100.0 + 7 * i for i, name in enumerate(inbound)}, GAP, LANE)
    assert len({round(row[0].x, 6) for row in layout.rows}) == 1
    assert len(layout.rows) == 40


def test_a_skip_connection_goes_around_and_leaves_the_chain_straight():
    inbound = {"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]}
    layout = lay_out(inbound, dict.fromkeys(inbound, 100.0), GAP, LANE)
    where = {place.name: place.x for row in layout.rows for place in row if place.name}
    assert len(set(where.values())) == 1
    assert all(
        abs(place.x - where["a"]) >= 50 + GAP for chain in layout.arrows for place in chain[1:-1]
    )


def test_arrows_that_need_not_cross_do_not():
    inbound = {"a": [], "b": [], "c": ["b"], "d": ["a"]}
    layout = lay_out(inbound, dict.fromkeys(inbound, 100.0), GAP, LANE)
    where = {place.name: place.x for row in layout.rows for place in row}
    assert (where["a"] < where["b"]) == (where["d"] < where["c"])


def test_two_inputs_are_centered_above_the_box_that_joins_them():
    widths = {"a": 100.0, "b": 140.0, "join": 80.0, "dense": 200.0}
    layout = lay_out(
        {"a": [], "b": [], "join": ["a", "b"], "dense": ["join"]}, widths, gap=20, lane=10
    )
    x = {place.name: place.x for row in layout.rows for place in row}
    assert abs(x["join"] - (x["a"] + x["b"]) / 2) < 1
    assert abs(x["dense"] - x["join"]) < 0.01
