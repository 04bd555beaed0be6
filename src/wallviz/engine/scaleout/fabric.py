"""The links: fast ones inside a node, slow ones across, and which of the two sets the pace of a group of ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.terms import Quantity
from wallviz.errors import InputError
from wallviz.i18n import N_

#: What collectives of 8 GiB and more reach of the links' rate: 235 of 300 GB/s on 8 A100, 370 of 450 on 8 H100 without SHARP.
LINK_EFFICIENCY = 0.8
#: Start-up of one step. Inside: 14 steps of a ring on 8 GPUs start in 29 µs (H100) to 59 µs (A100). Across: what is left of the 83 µs of
#: four nodes after the steps inside, over 4 steps of a tree.
INSIDE_LATENCY_S, ACROSS_LATENCY_S = 3e-6, 10e-6
#: One adapter of 400 Gbit/s for each GPU, as in a DGX H100.
ACROSS_BYTES_PER_S = 50e9
PER_NODE = 8


@dataclass(frozen=True, slots=True)
class Fabric:
    """How GPUs are wired: rates of one direction, per GPU; a numpy array of rates gives arrays."""

    inside_bytes_per_s: Quantity
    """All links of one GPU to its neighbours in the node."""
    across_bytes_per_s: Quantity = ACROSS_BYTES_PER_S
    """One GPU's share of the node's adapters."""
    per_node: int = PER_NODE
    """GPUs that the fast links join."""
    efficiency: Quantity = LINK_EFFICIENCY
    """Share of the rate that large messages reach."""
    inside_latency_s: float = INSIDE_LATENCY_S
    across_latency_s: float = ACROSS_LATENCY_S

    def members(self, n: Quantity, stride: Quantity = 1.0) -> Quantity:
        """How many of n ranks, `stride` apart, are in one node: between 1 and n.

        >>> [float(Fabric(450e9).members(*group)) for group in ((64,), (4, 8), (4, 2))]
        [8.0, 1.0, 4.0]
        """
        return cast("Quantity", np.minimum(n, np.maximum(1.0, np.floor(self.per_node / np.asarray(stride, float))))[()])

    def bytes_per_s(self, n: Quantity, members: Quantity) -> Quantity:
        """The rate that sets the pace of a ring of n ranks with `members` in each node.

        A node passes everything of the ring on to the next one, over the adapters of all its members at once: the pace is that of the slower
        of one GPU's fast links and `members` times one adapter.

        >>> round(Fabric(450e9, efficiency=1.0).bytes_per_s(64, 8) / 1e9), round(Fabric(450e9, efficiency=1.0).bytes_per_s(8, 1) / 1e9)
        (400, 50)
        """
        slow = np.minimum(self.inside_bytes_per_s, members * self.across_bytes_per_s)
        return cast("Quantity", (np.where(n <= members, self.inside_bytes_per_s, slow) * self.efficiency)[()])

    def latency_s(self, n: Quantity, members: Quantity) -> Quantity:
        """Start-up of one pass over n ranks: a ring inside the node, a tree across nodes (as NCCL chooses for many nodes)."""
        inside = (np.minimum(n, members) - 1.0) * self.inside_latency_s
        return cast("Quantity", inside + np.ceil(np.log2(np.maximum(1.0, n / members))) * self.across_latency_s)

    def ring_s(self, sent_bytes: Quantity, n: Quantity, members: Quantity, passes: Quantity = 1.0) -> Quantity:
        """Seconds to send `sent_bytes` around a ring in so many passes, each with its start-up."""
        return sent_bytes / self.bytes_per_s(n, members) + passes * self.latency_s(n, members)

    def all_to_all_s(self, sent_bytes: Quantity, n: Quantity, members: Quantity, passes: Quantity = 1.0) -> Quantity:
        """Seconds of an all-to-all in which a rank sends `sent_bytes` in all, evenly to the other n-1: those inside and those across at once."""
        others = np.maximum(n - 1.0, 1.0)
        inside = sent_bytes * (members - 1.0) / others / (self.inside_bytes_per_s * self.efficiency)
        across = sent_bytes * (n - members) / others / (self.across_bytes_per_s * self.efficiency)
        start = np.where(n > members, self.across_latency_s, np.where(n > 1, self.inside_latency_s, 0.0))
        return cast("Quantity", np.maximum(inside, across) + passes * start)

    def hop_s(self, sent_bytes: Quantity, stride: Quantity, n: Quantity, passes: Quantity = 1.0) -> Quantity:
        """Seconds to send to the next of n ranks `stride` apart, by the slower of the hops that a chain of them has."""
        members = self.members(n, stride)
        rate = np.where(n <= members, self.inside_bytes_per_s, np.minimum(self.inside_bytes_per_s, self.across_bytes_per_s)) * self.efficiency
        start = np.where(n <= members, self.inside_latency_s, self.across_latency_s)
        return cast("Quantity", sent_bytes / rate + passes * start * (np.asarray(n) > 1))


def pcie_bytes_per_s(generation: float) -> float:
    """One direction of 16 lanes: 8 GT/s a lane in generation 3, twice that in each later one, 128 of 130 bits payload (PCI-SIG).

    >>> round(pcie_bytes_per_s(5) / 1e9)
    63
    """
    return float(16 * 8e9 * 2.0 ** (generation - 3) / 8 * 128 / 130)


def inside_bytes_per_s(chip: Accelerator) -> float:
    """One direction of a chip's links to its peers; of its PCI Express slot where it has none. Raises InputError where neither is known."""
    if chip.interconnect_bytes_per_s is not None:
        return chip.interconnect_bytes_per_s
    if chip.pcie_gen is None:
        raise InputError(N_("no link to its peers is listed for {chip}: give the rate inside a node, in GB/s of one direction"), chip=chip.name)
    return pcie_bytes_per_s(chip.pcie_gen)
