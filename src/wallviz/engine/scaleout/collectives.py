"""What each collective sends, in how many steps, and the bus bandwidth that benchmarks report for it.

n ranks, S bytes: of the tensor that every rank ends up with (all-reduce, all-gather, broadcast), or that every rank starts with
(reduce-scatter, all-to-all). Bytes are what the busiest rank sends. tests/test_scaleout_collectives.py runs every algorithm on real arrays,
counts its messages, and checks the counts against these forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from wallviz.engine.memory.terms import Quantity
from wallviz.errors import InputError
from wallviz.i18n import N_


def ring_share(n: Quantity) -> Quantity:
    """The part of a tensor that each rank of a ring sends in a reduce-scatter or an all-gather: (n-1)/n (Patarasuk and Yuan 2009).

    The tensor is cut into n pieces; in each of n-1 rounds every rank passes one piece of S/n to its neighbour.

    >>> ring_share(8)
    0.875
    """
    return (n - 1.0) / n


def all_gather_bytes(S: Quantity, n: Quantity) -> Quantity:
    """Bytes that a rank sends so that all n hold S: its own piece and n-2 passed on, (n-1) S/n; no rank can receive less than what it lacks."""
    return ring_share(n) * S


def reduce_scatter_bytes(S: Quantity, n: Quantity) -> Quantity:
    """Bytes that a rank sends so that each holds one summed piece of S/n: n-1 partial sums of S/n, (n-1) S/n (an all-gather run backwards)."""
    return ring_share(n) * S


def all_reduce_bytes(S: Quantity, n: Quantity) -> Quantity:
    """Bytes that a rank sends in a ring all-reduce, a reduce-scatter and then an all-gather: 2 (n-1) S/n (Patarasuk and Yuan 2009).

    >>> all_reduce_bytes(8.0, 8)
    14.0
    """
    return 2.0 * ring_share(n) * S


def all_to_all_bytes(S: Quantity, n: Quantity) -> Quantity:
    """Bytes that a rank sends where it holds a different S/n for every rank: all but its own, (n-1) S/n. Its backward is one of equal size."""
    return ring_share(n) * S


def broadcast_bytes(S: Quantity, n: Quantity) -> Quantity:
    """Bytes that a rank sends in a pipelined ring broadcast: S, the last rank of the ring none."""
    return np.where(np.asarray(n) > 1, S, 0.0)[()]


def point_to_point_bytes(S: Quantity, n: Quantity = 2) -> Quantity:
    """Bytes that the sender sends: S."""
    return S + 0.0 * n


def tree_all_reduce_bytes(S: Quantity, n: Quantity) -> Quantity:
    """Bytes that an inner rank of one binary tree sends: S up to its parent and S down to each of two children, 3 S. Below five ranks none
    has both a parent and two children: the busiest sends 1 S of two ranks, 2 S of three or four."""
    return np.select([np.asarray(n) <= 1, np.asarray(n) == 2, np.asarray(n) <= 4], [0.0 * S, 1.0 * S, 2.0 * S], 3.0 * S)[()]


def double_tree_all_reduce_bytes(S: Quantity, n: Quantity) -> Quantity:
    """Bytes that a rank sends over two binary trees of S/2 each, an inner rank of one being a leaf of the other: 3 S/2 + S/2 = 2 S.

    NCCL since 2.4 (Jeaugey 2019, after Sanders, Speck and Träff 2009): the ring's bytes, nearly, in 2 log2 n steps.
    """
    return np.where(np.asarray(n) > 1, 2.0 * S, 0.0)[()]


def in_network_all_reduce_bytes(S: Quantity, n: Quantity) -> Quantity:
    """Bytes that a rank sends where the switch adds up (NVLink SHARP, InfiniBand SHARP): S to be summed, then its S/n of the sum for the switch
    to copy to all, (n+1) S/n.

    A benchmark still multiplies by the ring's 2 (n-1)/n, so a full link reports 2 (n-1)/(n+1) of its rate, 1.56 times with 8 ranks: that is
    why 8 H200 report 480 GB/s over links of 450.

    >>> round(float(all_reduce_bytes(1.0, 8) / in_network_all_reduce_bytes(1.0, 8)), 2)
    1.56
    """
    return np.where(np.asarray(n) > 1, (n + 1.0) / n * S, 0.0)[()]


def _log2(n: Quantity) -> Quantity:
    return cast("Quantity", np.ceil(np.log2(n)))


def _depth(n: Quantity) -> Quantity:
    """Levels of a binary tree below its root."""
    return cast("Quantity", np.floor(np.log2(n)))


@dataclass(frozen=True, slots=True)
class Collective:
    """One operation by one algorithm: what the busiest rank sends of S bytes among n ranks, and in how many steps one after the other."""

    name: str
    """Operation and algorithm, marked for translation."""
    bytes: Callable[[Quantity, Quantity], Quantity]
    steps: Callable[[Quantity], Quantity]
    formula: str
    """Of the bytes."""


COLLECTIVES: Mapping[str, Collective] = {
    "all-reduce": Collective(N_("All-reduce, ring"), all_reduce_bytes, lambda n: 2.0 * (n - 1.0), "2(n−1)/n · S"),
    "all-gather": Collective(N_("All-gather, ring"), all_gather_bytes, lambda n: n - 1.0, "(n−1)/n · S"),
    "reduce-scatter": Collective(N_("Reduce-scatter, ring"), reduce_scatter_bytes, lambda n: n - 1.0, "(n−1)/n · S"),
    "all-to-all": Collective(N_("All-to-all, pairwise"), all_to_all_bytes, lambda n: n - 1.0, "(n−1)/n · S"),
    "broadcast": Collective(N_("Broadcast, ring"), broadcast_bytes, lambda n: n - 1.0, "S"),
    "point-to-point": Collective(N_("Point to point"), point_to_point_bytes, lambda n: 1.0 + 0.0 * n, "S"),
    "tree": Collective(N_("All-reduce, one binary tree"), tree_all_reduce_bytes, lambda n: 2.0 * _depth(n), "3 · S"),
    "double-tree": Collective(N_("All-reduce, double binary tree"), double_tree_all_reduce_bytes, lambda n: 2.0 * _log2(n), "2 · S"),
    "rabenseifner": Collective(N_("All-reduce, recursive halving and doubling"), all_reduce_bytes, lambda n: 2.0 * _log2(n), "2(n−1)/n · S"),
    "in-network": Collective(
        N_("All-reduce, added up in the switch"), in_network_all_reduce_bytes, lambda n: 2.0 * np.minimum(n - 1.0, 1.0), "(n+1)/n · S"
    ),
}
"""By id. Rabenseifner (Thakur, Rabenseifner and Gropp 2005, section 4.5) halves what it exchanges at each of log2 n distances, then doubles it
again: the ring's bytes in 2 log2 n steps, for n a power of two."""


def time_s(collective: str, S: Quantity, n: Quantity, bytes_per_s: Quantity, alpha_s: Quantity = 0.0) -> Quantity:
    """Seconds of a collective among n ranks with links of `bytes_per_s` in one direction: steps x alpha + bytes sent / beta (Hockney 1994).

    >>> round(float(time_s("all-gather", 536e6, 8, 450e9)) * 1e3, 2)
    1.04

    (The Scaling Book's 8 H100: 1.04 ms.)
    """
    if collective not in COLLECTIVES:
        raise InputError(N_("no collective is called {name}: use one of {known}"), name=collective, known=", ".join(COLLECTIVES))
    one = COLLECTIVES[collective]
    return one.bytes(S, n) / bytes_per_s + one.steps(n) * alpha_s


def ring_all_reduce_s(S_bytes: Quantity, n: Quantity, B_bytes_per_s: Quantity, alpha_s: Quantity = 0.0) -> Quantity:
    """Seconds of a ring all-reduce of S bytes: 2(n-1) steps of S/n, each with its latency (NCCL tests: bus bandwidth 2(n-1)/n).

    >>> round(ring_all_reduce_s(1e9, 8, 450e9) * 1e3, 3)
    3.889
    """
    return 2.0 * ring_share(n) * S_bytes / B_bytes_per_s + 2.0 * (n - 1.0) * alpha_s


_FACTORS: Mapping[str, Callable[[Quantity], Quantity]] = {
    "allreduce": lambda n: 2.0 * ring_share(n),
    "reducescatter": ring_share,
    "allgather": ring_share,
    "alltoall": ring_share,
    "broadcast": lambda n: 1.0 + 0.0 * n,
    "reduce": lambda n: 1.0 + 0.0 * n,
    "sendrecv": lambda n: 1.0 + 0.0 * n,
}


def bus_factor(collective: str, n: Quantity) -> Quantity:
    """What nccl-tests multiply S/t by, so that the result can be compared with the rate of the links (doc/PERFORMANCE.md of nccl-tests).

    It is the bytes that a rank has to send over S, by the best algorithm without help of a switch. Names as in nccl-tests, in any spelling.

    >>> bus_factor("AllReduce", 8), bus_factor("all-to-all", 8), bus_factor("Reduce", 8)
    (1.75, 0.875, 1.0)
    """
    key = collective.lower().replace("-", "").replace("_", "")
    if key not in _FACTORS:
        raise InputError(N_("no collective is called {name}: use one of {known}"), name=collective, known=", ".join(_FACTORS))
    return _FACTORS[key](n)


def bus_bytes_per_s(collective: str, S: Quantity, n: Quantity, seconds: Quantity) -> Quantity:
    """Bus bandwidth that nccl-tests print for S bytes in `seconds`.

    >>> round(bus_bytes_per_s("all-reduce", 2**30, 8, 8203.9e-6) / 1e9, 1)
    229.0
    """
    return bus_factor(collective, n) * S / seconds


def seconds_of_bus(collective: str, S: Quantity, n: Quantity, bus: Quantity) -> Quantity:
    """The other way round: seconds of S bytes at a reported bus bandwidth (bytes per second)."""
    return bus_factor(collective, n) * S / bus


def hierarchical_all_reduce_s(S: Quantity, inside: Quantity, nodes: Quantity, inside_bytes_per_s: Quantity, across_bytes_per_s: Quantity) -> Quantity:
    """Seconds of an all-reduce in three phases one after the other, `inside` ranks in each of `nodes` nodes, each rank with its own way out.

    Reduce-scatter inside (each rank then answers for S/inside), all-reduce of that piece across, all-gather inside:
    2 (j-1)/j S/B_in + 2 (m-1)/m (S/j)/B_x. The slow links carry j times fewer bytes than in a flat ring with one member a node.

    >>> round(hierarchical_all_reduce_s(1e9, 8, 4, 450e9, 50e9) * 1e3, 2)
    7.64
    """
    across = S / inside
    return 2.0 * ring_share(inside) * S / inside_bytes_per_s + 2.0 * ring_share(nodes) * across / across_bytes_per_s


def torus_all_gather_s(S: Quantity, n: Quantity, link_bytes_per_s: Quantity, hop_s: Quantity = 0.0, *, wraparound: bool = True) -> Quantity:
    """Seconds of an all-gather along one axis of a torus, links of `link_bytes_per_s` in each direction; pieces travel both ways at once.

    The furthest piece makes n/2 hops with a wraparound link (rounded down), n-1 on a line; each hop takes S/n over the link, or the hop's
    latency where that is longer (The Scaling Book, sharding, quiz 2).

    >>> [round(float(torus_all_gather_s(33.5e6, 4, 45e9, wraparound=w)) * 1e6) for w in (True, False)]
    [372, 558]
    """
    hops = np.floor(np.asarray(n) / 2.0) if wraparound else np.asarray(n) - 1.0
    return cast("Quantity", hops * np.maximum(S / n / link_bytes_per_s, hop_s))


def torus_point_to_point_s(S: Quantity, ports: Quantity, hops: Quantity, link_bytes_per_s: Quantity, hop_s: Quantity = 1e-6) -> Quantity:
    """Seconds to send S bytes over `ports` links at once, `hops` away: S/(ports x rate) + hops x latency (The Scaling Book, TPUs, question 5).

    >>> round(torus_point_to_point_s(17e6, 2, 6, 45e9) * 1e6)
    195
    """
    return S / (ports * link_bytes_per_s) + hops * hop_s
