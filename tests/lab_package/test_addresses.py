"""Addresses: every lab in its own part of 198.18.0.0/15, every range of a lab in its own part of that."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.addresses import MAX_NODES, RANGE, SLICES, Slice

slices = st.integers(0, SLICES - 1).map(Slice)
numbers = st.integers(1, MAX_NODES)


@given(slices, slices)
def test_two_slices_share_no_address(one: Slice, other: Slice) -> None:
    assert one.index == other.index or not one.network.overlaps(other.network)


@given(slices)
def test_the_ranges_of_a_slice_lie_in_it_and_apart(chosen: Slice) -> None:
    ranges = [chosen.pods, chosen.services, chosen.links]
    assert chosen.network.subnet_of(RANGE)
    assert all(item.subnet_of(chosen.network) for item in ranges)
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))


@given(slices, numbers, numbers)
def test_two_nodes_share_neither_pods_nor_link(chosen: Slice, one: int, other: int) -> None:
    assert chosen.node_pods(one).subnet_of(chosen.pods)
    assert chosen.node_link(one).network.subnet_of(chosen.links)
    assert chosen.node_link(one) != chosen.host_link
    assert (one == other) == chosen.node_pods(one).overlaps(chosen.node_pods(other))
    assert (one == other) == (chosen.node_link(one) == chosen.node_link(other))


def test_the_first_lab_has_the_addresses_that_its_documents_show() -> None:
    first = Slice(0)
    assert str(first.network) == "198.18.0.0/19"
    assert str(first.node_pods(2)) == "198.18.1.0/24"
    assert str(first.api_service) == "198.18.16.1"
    assert str(first.dns_service) == "198.18.16.10"
    assert (str(first.host_link.near), str(first.host_link.far)) == ("198.18.24.1", "198.18.24.2")
    assert str(first.node_link(1).far) == "198.18.24.6"


def test_the_last_lab_ends_with_the_range() -> None:
    assert Slice(15).network.broadcast_address == RANGE.broadcast_address


@pytest.mark.parametrize("index", [-1, 16])
def test_a_slice_outside_the_range_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to 15"):
        Slice(index)


@pytest.mark.parametrize("number", [0, 17])
def test_a_node_without_a_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 16"):
        Slice(0).node_pods(number)
