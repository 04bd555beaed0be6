"""How much faster a sweep is in one call than configuration by configuration: python -m benchmarks.footprint

Prints a Markdown table: a million training configurations of one model in one call, against the same formulas one by one.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from wallviz.engine.memory.peak import train
from wallviz.engine.transformer import custom


def main() -> None:
    """Times both, in one run, and prints their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configurations", type=int, default=1_000_000)
    parser.add_argument("--singles", type=int, default=2_000, help="how many of them are also asked one by one")
    asked = parser.parse_args()
    rng = np.random.default_rng(1)
    n = asked.configurations
    llama = custom(layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn=14336, vocab=128256, name="Llama 3.1 8B")
    values = {
        "micro_batch": rng.integers(1, 65, n),
        "sequence": rng.integers(1, 257, n) * 512,
        "data_parallel": 2 ** rng.integers(0, 11, n),
        "tensor_parallel": 2 ** rng.integers(0, 4, n),
        "zero": rng.integers(0, 4, n),
        "accumulation": rng.integers(1, 33, n),
    }
    train(llama)  # the model's own sums are made once
    started = time.perf_counter()
    together = np.asarray(train(llama, **values).peak_total_bytes)
    at_once = time.perf_counter() - started
    started = time.perf_counter()
    alone = [float(train(llama, **{name: int(value[i]) for name, value in values.items()}).peak_total_bytes) for i in range(asked.singles)]
    one_by_one = (time.perf_counter() - started) / asked.singles * n
    if not np.allclose(alone, together[: asked.singles]):
        raise RuntimeError("one by one and at once disagree")
    print("| what | at once | one by one | ratio |\n| --- | --- | --- | --- |")
    print(f"| {n:,} training configurations | {at_once:.2f} s | {one_by_one:.0f} s (from {asked.singles:,}) | **{one_by_one / at_once:.0f}** |")


if __name__ == "__main__":
    main()
