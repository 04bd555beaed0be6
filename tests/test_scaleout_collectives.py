"""Collectives run on real arrays, message by message: what the forms say is what the ranks send, and the result is right."""

from __future__ import annotations

from math import ceil, log2

import numpy as np
import pytest
from numpy.typing import NDArray

from wallviz.engine.scaleout import collectives
from wallviz.engine.scaleout.collectives import COLLECTIVES, bus_factor, hierarchical_all_reduce_s
from wallviz.errors import InputError

RANKS = (2, 3, 4, 8, 16)
Array = NDArray[np.float64]


class Wires:
    """n ranks and what they send one another; one element counts as one byte."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.sent = np.zeros(n)
        self.steps = 0

    def together(self, messages: list[tuple[int, int, Array]]) -> dict[int, Array]:
        """Sends (from, to, what) all at once; returns what arrives, by receiver."""
        self.steps += 1
        for source, target, what in messages:
            assert source != target
            self.sent[source] += what.size
        return {target: what.copy() for _source, target, what in messages}

    @property
    def busiest(self) -> float:
        return float(self.sent.max())


def start(n: int, size: int) -> list[Array]:
    return list(np.random.default_rng(n).normal(size=(n, size)))


def ring_reduce_scatter(wires: Wires, data: list[Array], ring: list[int] | None = None) -> None:
    """In place: rank i of the ring ends with the sum of piece i + 1."""
    ring = ring or list(range(wires.n))
    n = len(ring)
    pieces = {r: np.split(data[r], n) for r in ring}
    for step in range(n - 1):
        arrived = wires.together([(ring[i], ring[(i + 1) % n], pieces[ring[i]][(i - step) % n]) for i in range(n)])
        for i in range(n):
            pieces[ring[i]][(i - 1 - step) % n] += arrived[ring[i]]


def ring_all_gather(wires: Wires, data: list[Array], ring: list[int] | None = None, first: int = 1) -> None:
    """In place: rank i of the ring starts with piece i + `first` right, all end with every piece."""
    ring = ring or list(range(wires.n))
    n = len(ring)
    pieces = {r: np.split(data[r], n) for r in ring}
    for step in range(n - 1):
        arrived = wires.together([(ring[i], ring[(i + 1) % n], pieces[ring[i]][(i + first - step) % n]) for i in range(n)])
        for i in range(n):
            pieces[ring[i]][(i - 1 + first - step) % n][:] = arrived[ring[i]]


def ring_all_reduce(wires: Wires, data: list[Array], ring: list[int] | None = None) -> None:
    ring_reduce_scatter(wires, data, ring)
    ring_all_gather(wires, data, ring)


def all_to_all(wires: Wires, data: list[Array]) -> list[Array]:
    """Rank i holds piece j for rank j; returns what each rank ends with, by sender."""
    n = wires.n
    pieces = [np.split(d, n) for d in data]
    out = [[pieces[i][i].copy() if j == i else np.empty(0) for j in range(n)] for i in range(n)]
    for step in range(1, n):
        arrived = wires.together([(i, (i + step) % n, pieces[i][(i + step) % n]) for i in range(n)])
        for i in range(n):
            out[i][(i - step) % n] = arrived[i]
    return [np.concatenate(o) for o in out]


def recursive_all_reduce(wires: Wires, data: list[Array]) -> None:
    """Rabenseifner: halve what is exchanged at each distance, then double it again."""
    n = wires.n
    held = [(0, data[0].size)] * n
    distances = [n >> (i + 1) for i in range(int(log2(n)))]
    for distance in distances:
        keep, messages = [], []
        for r in range(n):
            low, high = held[r]
            middle, upper = (low + high) // 2, bool(r & distance)
            keep.append((middle, high) if upper else (low, middle))
            give = (low, middle) if upper else (middle, high)
            messages.append((r, r ^ distance, data[r][slice(*give)]))
        arrived = wires.together(messages)
        for r in range(n):
            data[r][slice(*keep[r])] += arrived[r]
        held = keep
    for distance in reversed(distances):
        arrived = wires.together([(r, r ^ distance, data[r][slice(*held[r])]) for r in range(n)])
        partners = [held[r ^ distance] for r in range(n)]
        for r in range(n):
            data[r][slice(*partners[r])] = arrived[r]
            held[r] = (min(held[r][0], partners[r][0]), max(held[r][1], partners[r][1]))


def tree_all_reduce(wires: Wires, data: list[Array], order: list[int]) -> None:
    """Up a binary tree in heap order and down again; `order[i]` is the rank at place i, the children of place i are 2i+1 and 2i+2."""
    n = len(order)
    depth = int(log2(n))

    def level(k: int) -> range:
        return range(2**k - 1, min(2 ** (k + 1) - 1, n))

    for k in range(depth, 0, -1):
        wires.steps += 1
        for child in level(k):
            wires.sent[order[child]] += data[0].size
            data[order[(child - 1) // 2]] += data[order[child]]
    for k in range(1, depth + 1):
        wires.steps += 1
        for child in level(k):
            wires.sent[order[(child - 1) // 2]] += data[0].size
            data[order[child]][:] = data[order[(child - 1) // 2]]


@pytest.mark.parametrize("n", RANKS)
def test_a_ring_all_reduce_sends_what_its_form_says(n: int) -> None:
    """2(n-1)/n S from every rank in 2(n-1) steps, and everyone holds the sum."""
    S = 16 * n
    data, wires = start(n, S), Wires(n)
    total = np.sum(data, axis=0)
    ring_all_reduce(wires, data)
    assert all(np.allclose(d, total) for d in data)
    assert set(wires.sent) == {collectives.all_reduce_bytes(S, n)}
    assert wires.steps == COLLECTIVES["all-reduce"].steps(n)


@pytest.mark.parametrize("n", RANKS)
def test_its_two_halves_send_half_each(n: int) -> None:
    """A reduce-scatter and an all-gather send (n-1)/n S each in n-1 steps."""
    S = 16 * n
    data, wires = start(n, S), Wires(n)
    total = np.split(np.sum(data, axis=0), n)
    ring_reduce_scatter(wires, data)
    assert all(np.allclose(np.split(data[i], n)[(i + 1) % n], total[(i + 1) % n]) for i in range(n))
    assert set(wires.sent) == {collectives.reduce_scatter_bytes(S, n)}
    assert wires.steps == COLLECTIVES["reduce-scatter"].steps(n)
    gather = Wires(n)
    ring_all_gather(gather, data)
    assert all(np.allclose(d, np.concatenate(total)) for d in data)
    assert set(gather.sent) == {collectives.all_gather_bytes(S, n)}
    assert gather.steps == COLLECTIVES["all-gather"].steps(n)


@pytest.mark.parametrize("n", RANKS)
def test_an_all_to_all_keeps_its_own_piece(n: int) -> None:
    """(n-1)/n S from every rank, and doing it twice brings everything back: the backward pass is one of equal size."""
    S = 4 * n
    data, wires = start(n, S), Wires(n)
    there = all_to_all(wires, data)
    assert set(wires.sent) == {collectives.all_to_all_bytes(S, n)}
    assert wires.steps == COLLECTIVES["all-to-all"].steps(n)
    back = Wires(n)
    assert all(np.array_equal(a, b) for a, b in zip(all_to_all(back, there), data, strict=True))
    assert np.array_equal(back.sent, wires.sent)


@pytest.mark.parametrize("n", RANKS)
def test_a_broadcast_passes_everything_on_once(n: int) -> None:
    """S from every rank of a ring but the last."""
    S = 12
    data, wires = start(n, S), Wires(n)
    for r in range(n - 1):
        data[r + 1] = wires.together([(r, r + 1, data[r])])[r + 1]
    assert all(np.array_equal(d, data[0]) for d in data)
    assert wires.busiest == collectives.broadcast_bytes(S, n)
    assert wires.steps == COLLECTIVES["broadcast"].steps(n)


@pytest.mark.parametrize("n", [2, 3, 4, 7, 8, 15, 16])
def test_a_tree_sends_up_once_and_down_twice(n: int) -> None:
    """The busiest rank sends 3 S where there is an inner rank with a parent and two children."""
    data, wires = start(n, 6), Wires(n)
    total = np.sum(data, axis=0)
    tree_all_reduce(wires, data, list(range(n)))
    assert all(np.allclose(d, total) for d in data)
    assert wires.busiest == collectives.tree_all_reduce_bytes(6.0, n)
    assert wires.steps == COLLECTIVES["tree"].steps(n)


@pytest.mark.parametrize("n", [7, 8, 15, 16])
def test_two_trees_share_the_load(n: int) -> None:
    """With the order reversed an inner rank of one tree is a leaf of the other, and none sends more than 2 S."""
    S = 8
    data, wires = start(n, S), Wires(n)
    total = np.sum(data, axis=0)
    halves = [[d[: S // 2].copy() for d in data], [d[S // 2 :].copy() for d in data]]
    tree_all_reduce(wires, halves[0], list(range(n)))
    tree_all_reduce(wires, halves[1], list(reversed(range(n))))
    assert all(np.allclose(np.concatenate(pair), total) for pair in zip(*halves, strict=True))
    assert wires.busiest <= collectives.double_tree_all_reduce_bytes(S, n)
    assert wires.busiest > 1.5 * S


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_recursive_halving_sends_as_little_as_the_ring_in_fewer_steps(n: int) -> None:
    """2(n-1)/n S in 2 log2 n steps for powers of two."""
    S = 4 * n
    data, wires = start(n, S), Wires(n)
    total = np.sum(data, axis=0)
    recursive_all_reduce(wires, data)
    assert all(np.allclose(d, total) for d in data)
    assert set(wires.sent) == {COLLECTIVES["rabenseifner"].bytes(S, n)}
    assert wires.steps == COLLECTIVES["rabenseifner"].steps(n) == 2 * log2(n)


@pytest.mark.parametrize("n", RANKS)
def test_a_switch_that_adds_up_halves_what_ranks_send(n: int) -> None:
    """S up to be summed and S/n of the sum to be copied: (n+1)/n S, so a full wire reports more than its rate."""
    S = 8 * n
    data = start(n, S)
    total = np.sum(data, axis=0)
    switch = np.zeros(S)
    sent = np.zeros(n)
    for r in range(n):  # every rank hands all of its data to the switch
        switch += data[r]
        sent[r] += S
    shares = np.split(switch, n)  # the switch hands each owner its sum; the owner hands it back for all
    copied = []
    for r in range(n):
        copied.append(shares[r])
        sent[r] += shares[r].size
    assert np.allclose(np.concatenate(copied), total)
    assert set(sent) == {collectives.in_network_all_reduce_bytes(S, n)}
    over = bus_factor("AllReduce", n) * S / sent[0]
    assert over == pytest.approx(2 * (n - 1) / (n + 1))
    assert (over > 1) == (n > 3)


@pytest.mark.parametrize(("inside", "nodes"), [(2, 2), (4, 2), (8, 4)])
def test_in_phases_the_slow_links_carry_less(inside: int, nodes: int) -> None:
    """2(j-1)/j S inside and 2(m-1)/m S/j across from every rank, the result is the sum, and the form of the seconds agrees."""
    n, S = inside * nodes, 4 * inside * nodes
    data = start(n, S)
    total = np.sum(data, axis=0)
    near, far = Wires(n), Wires(n)
    groups = [list(range(node * inside, (node + 1) * inside)) for node in range(nodes)]
    for group in groups:
        ring_reduce_scatter(near, data, group)
    for place in range(inside):
        piece = slice(((place + 1) % inside) * S // inside, ((place + 1) % inside + 1) * S // inside)
        column = [data[group[place]][piece].copy() for group in groups]
        wires = Wires(nodes)
        ring_all_reduce(wires, column)
        for node, group in enumerate(groups):
            data[group[place]][piece] = column[node]
            far.sent[group[place]] += wires.sent[node]
    for group in groups:
        ring_all_gather(near, data, group)
    assert all(np.allclose(d, total) for d in data)
    assert set(near.sent) == {collectives.all_reduce_bytes(S, inside)}
    assert set(far.sent) == {collectives.all_reduce_bytes(S / inside, nodes)}
    assert hierarchical_all_reduce_s(S, inside, nodes, 450.0, 50.0) == pytest.approx(near.busiest / 450 + far.busiest / 50)


def test_bus_factors_are_those_of_nccl_tests() -> None:
    """All-reduce 2(n-1)/n; reduce-scatter, all-gather and all-to-all (n-1)/n; broadcast, reduce and send-receive 1."""
    assert [bus_factor(name, 8) for name in ("AllReduce", "ReduceScatter", "AllGather", "AlltoAll", "Broadcast", "Reduce", "SendRecv")] == [
        1.75, 0.875, 0.875, 0.875, 1.0, 1.0, 1.0,
    ]  # fmt: skip


def test_a_time_is_start_and_transfer() -> None:
    """Steps times alpha and bytes over beta, on arrays too; one rank sends nothing."""
    S = np.array([0.0, 1e9])
    assert np.allclose(collectives.time_s("all-reduce", S, 8, 450e9, 3e-6), [42e-6, 42e-6 + 1.75e9 / 450e9])
    assert collectives.time_s("all-reduce", 1e9, 1, 450e9, 3e-6) == 0
    assert ceil(float(collectives.time_s("rabenseifner", 0.0, 8, 1.0, 1.0))) == 6


def test_an_unknown_collective_is_told_with_those_there_are() -> None:
    """The message names the collectives to choose from."""
    with pytest.raises(InputError, match="all-gather"):
        collectives.time_s("all-shuffle", 1.0, 2, 1.0)
    with pytest.raises(InputError, match="allreduce"):
        bus_factor("shuffle", 2)
