"""Parallel training run on small arrays: each scheme gives the result of one device, and sends what its form says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.test_scaleout_collectives import Wires, all_to_all, ring_all_gather, ring_all_reduce, ring_reduce_scatter
from wallviz.engine.scaleout import volumes

random = np.random.default_rng(7)


@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_zero_moves_two_or_three_elements_per_parameter(n: int, stage: int) -> None:
    """One step of gradient descent on n ranks ends with the weights of one device; ZeRO-3 moves 1.5 times the bytes."""
    P = 16 * n
    weights, gradients = random.normal(size=P), random.normal(size=(n, P))
    wires = Wires(n)
    local = [g.copy() for g in gradients]
    if stage == 3:
        for _pass in ("forward", "backward"):
            gathered = [weights.copy() for _ in range(n)]
            ring_all_gather(wires, gathered)
    if stage == 0:
        ring_all_reduce(wires, local)
        updated = [weights - g for g in local]
    else:
        ring_reduce_scatter(wires, local)
        updated = [np.full(P, np.nan) for _ in range(n)]
        for r in range(n):
            piece = slice((r + 1) % n * P // n, ((r + 1) % n + 1) * P // n)
            updated[r][piece] = weights[piece] - local[r][piece]
        if stage < 3:
            ring_all_gather(wires, updated)
    if stage < 3:
        assert all(np.allclose(u, weights - gradients.sum(axis=0)) for u in updated)
    assert set(wires.sent) == {volumes.data_parallel_bytes(P, 1, n, stage)}
    assert volumes.zero_elements_per_parameter(stage) == (3 if stage == 3 else 2)


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize("m", [1, 4])
def test_accumulation_repeats_what_is_sharded(stage: int, m: int) -> None:
    """Gradients kept whole are sent once a step; sharded ones after every micro-batch, and sharded weights are gathered twice for each."""
    n, P = 4, 64
    wires = Wires(n)
    for _micro_batch in range(m):
        if stage == 3:
            for _pass in range(2):
                ring_all_gather(wires, [np.ones(P) for _ in range(n)])
        if stage >= 2:
            ring_reduce_scatter(wires, [np.ones(P) for _ in range(n)])
    if stage <= 1:
        ring_reduce_scatter(wires, [np.ones(P) for _ in range(n)])
    if stage <= 2:
        ring_all_gather(wires, [np.ones(P) for _ in range(n)])
    assert wires.busiest == volumes.accumulated_data_parallel_bytes(P, 1, 1, n, stage, m)


@pytest.mark.parametrize("t", [2, 4])
@pytest.mark.parametrize("sequence_parallel", [False, True])
def test_a_layer_split_over_ranks_adds_up_twice_each_way(t: int, *, sequence_parallel: bool) -> None:
    """Two pairs of matrices, the first split by columns and the second by rows: outputs and input gradients of one device, four all-reduces."""
    tokens, h = 8, 4 * t
    x = random.normal(size=(tokens, h))
    pairs = [(random.normal(size=(h, 4 * h)), random.normal(size=(4 * h, h))) for _ in ("attention", "feed-forward")]
    wires = Wires(t)

    def add_up(parts: list[np.ndarray]) -> np.ndarray:
        """An all-reduce; with sequence parallelism its halves, the reduce-scatter after a matrix and the all-gather before the next."""
        flat = [p.ravel().copy() for p in parts]
        if sequence_parallel:
            ring_reduce_scatter(wires, flat)
            ring_all_gather(wires, flat)
        else:
            ring_all_reduce(wires, flat)
        return flat[0].reshape(tokens, -1)

    kept, y = [], x
    for first, second in pairs:
        kept.append(y)
        columns, rows = np.split(first, t, axis=1), np.split(second, t, axis=0)
        y = add_up([np.maximum(y @ a, 0) @ b for a, b in zip(columns, rows, strict=True)])
    whole = x
    for first, second in pairs:
        whole = np.maximum(whole @ first, 0) @ second
    assert np.allclose(y, whole)
    form = (volumes.sequence_parallel_bytes if sequence_parallel else volumes.tensor_parallel_bytes)(1, tokens, h, t, q=1.0)
    assert wires.busiest == form

    gradient = random.normal(size=y.shape)
    expected = gradient
    for (first, second), into in zip(reversed(pairs), reversed(kept), strict=True):
        columns, rows = np.split(first, t, axis=1), np.split(second, t, axis=0)
        parts = [((gradient @ b.T) * (into @ a > 0)) @ a.T for a, b in zip(columns, rows, strict=True)]
        gradient = add_up(parts)
        expected = ((expected @ second.T) * (into @ first > 0)) @ first.T
    assert np.allclose(gradient, expected)
    assert wires.busiest == 2 * form


@pytest.mark.parametrize("c", [2, 4, 8])
def test_ring_attention_passes_keys_and_values_round_and_twice_that_back(c: int) -> None:
    """Forward c-1 hops of 2·b·g·d·s/c; backward the same keys and values and, one place behind them, their gradients."""
    s, d = 8 * c, 4
    q, k, v, out_gradient = (random.normal(size=(c, s // c, d)) for _ in range(4))

    def parts(qi: np.ndarray, kj: np.ndarray) -> np.ndarray:
        return np.exp(qi @ kj.T)

    forward = Wires(c)
    numerator, denominator = np.zeros((c, s // c, d)), np.zeros((c, s // c, 1))
    held = [np.concatenate([k[r].ravel(), v[r].ravel()]) for r in range(c)]
    for hop in range(c):
        for r in range(c):
            kj, vj = (a.reshape(s // c, d) for a in np.split(held[r], 2))
            weights = parts(q[r], kj)
            numerator[r] += weights @ vj
            denominator[r] += weights.sum(axis=1, keepdims=True)
        if hop < c - 1:
            arrived = forward.together([(r, (r + 1) % c, held[r]) for r in range(c)])
            held = [arrived[r] for r in range(c)]
    everything = np.exp(q.reshape(s, d) @ k.reshape(s, d).T)
    assert np.allclose((numerator / denominator).reshape(s, d), everything / everything.sum(axis=1, keepdims=True) @ v.reshape(s, d))
    form = volumes.context_parallel_bytes(1, s, 1, d, c, q=1.0)
    assert set(forward.sent) == {form}

    # backward: only the gradient of v is followed with its numbers; that of k travels beside it and is as large
    backward = Wires(c)

    def own(r: int, j: int) -> np.ndarray:
        return (parts(q[r], k[j]) / denominator[r]).T @ out_gradient[r]

    for _hop in range(c - 1):  # keys and values
        backward.together([(r, (r + 1) % c, held[r]) for r in range(c)])
    travelling = {(j + 1) % c: (j, own((j + 1) % c, j)) for j in range(c)}  # starts at the first rank that block j visits
    for _hop in range(c - 1):  # gradients
        messages = [(r, (r + 1) % c, np.concatenate([g.ravel(), g.ravel()])) for r, (_j, g) in travelling.items()]
        arrived = backward.together(messages)
        travelling = {
            (r + 1) % c: (j, np.split(arrived[(r + 1) % c], 2)[0].reshape(s // c, d) + own((r + 1) % c, j)) for r, (j, _g) in travelling.items()
        }
    full = (everything / everything.sum(axis=1, keepdims=True)).T @ out_gradient.reshape(s, d)
    assert all(r == j and np.allclose(g, full.reshape(c, s // c, d)[j]) for r, (j, g) in travelling.items())
    assert set(backward.sent) == {2 * form}


@pytest.mark.parametrize("e", [2, 4])
@pytest.mark.parametrize("k", [1, 2])
def test_experts_get_each_token_k_times_and_send_it_back(e: int, k: int) -> None:
    """Dispatch and combine each move k·b·s·h, of which (e-1)/e leave the rank; the backward pass moves as much again."""
    tokens, h = 4 * e, 3
    wires = Wires(e)
    x = random.normal(size=(e, tokens, h))
    copies = [np.concatenate([x[r]] * k) for r in range(e)]  # evenly used experts: as many tokens to each rank
    for _pass in ("forward", "backward"):
        there = all_to_all(wires, [c.ravel() for c in copies])
        back = all_to_all(wires, [2 * t for t in there])
        assert all(np.allclose(b, 2 * c.ravel()) for b, c in zip(back, copies, strict=True))
    assert set(wires.sent) == {2 * volumes.expert_parallel_bytes(1, tokens, h, k, e, q=1.0)}


@pytest.mark.parametrize(("p", "m", "v"), [(2, 1, 1), (4, 8, 1), (8, 64, 1), (4, 8, 2), (2, 4, 3)])
def test_a_pipeline_idles_for_its_bubble(p: int, m: int, v: int) -> None:
    """Each chunk waits for the one before it and for its stage: idle over ideal time is (p-1)/(v·m), and a stage in the middle sends its volume."""
    order = [(group, chunk, micro) for group in range(0, m, p) for chunk in range(v) for micro in range(group, min(group + p, m))]
    done: dict[tuple[int, int], float] = {}
    free = [0.0] * p
    sent = 0
    waiting = {stage: list(order) for stage in range(p)}
    while any(waiting.values()):
        for stage in range(p):
            while waiting[stage]:
                _group, chunk, micro = waiting[stage][0]
                place = chunk * p + stage
                if place and (place - 1, micro) not in done:
                    break
                begin = max(free[stage], done.get((place - 1, micro), 0.0))
                done[place, micro] = free[stage] = begin + 1.0 / v
                waiting[stage].pop(0)
                sent += stage == min(1, p - 1) and place < p * v - 1
    assert max(free) / m - 1.0 == pytest.approx(volumes.bubble_fraction(p, m, v))
    if p > 2:
        assert 2 * sent == volumes.pipeline_bytes(1, 1, 1, m, v, q=1.0)


def test_formulas_take_arrays() -> None:
    """A sweep over ranks is one call."""
    n = np.array([1, 2, 4, 8])
    assert np.allclose(volumes.data_parallel_bytes(1.0, 2.0, n, 3), [0, 3, 4.5, 5.25])
    assert np.allclose(volumes.expert_parallel_bytes(1, 1, 1, 2, n), [0, 4, 6, 7])
    assert volumes.bubble_fraction(n, 8).tolist() == [0, 0.125, 0.375, 0.875]
