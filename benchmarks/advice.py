"""How long advice takes, cold, against one bare footprint of the same job: python -m benchmarks.advice

Prints a Markdown table: processor time of the first answer (every fix and the fewest GPUs), and how many footprints that is.
"""

from __future__ import annotations

import argparse
import statistics
import time

import wallviz
from wallviz import catalog
from wallviz.engine.advice import fits, price, search
from wallviz.engine.memory.peak import train
from wallviz.engine.memory.serve import infer
from wallviz.engine.remedies import published
from wallviz.engine.remedies.plan import setup_of
from wallviz.engine.remedies.setup import Setup, outcome

JOBS = (
    ("llama-3.1-8b", "H100", 1, "train", {"sequence": 8192}),
    ("llama-3.1-70b", "H100", 8, "train", {"sequence": 8192}),
    ("llama-3.1-70b", "H100", 64, "train", {"sequence": 8192}),
    ("deepseek-v3", "H100", 8, "train", {"sequence": 8192}),
    ("mixtral-8x7b", "H100", 8, "train", {"sequence": 8192}),
    ("llama-3.1-8b", "RTX 4090", 1, "finetune", {"sequence": 8192}),
    ("llama-3.1-70b", "H100", 1, "infer", {"context": 8192}),
    ("deepseek-v3", "H20", 16, "infer", {"context": 8192}),
)


def seconds(setup: Setup, losses: dict[str, float]) -> tuple[float, int]:
    """Processor time of all advice with nothing kept from before, and how many fixes there are."""
    for kept in (search.changed, search.all_bytes, price.tokens_per_s, fits.needs, outcome):
        kept.cache_clear()
    started = time.process_time()
    advice = search.Advice(setup, losses)
    found = (advice.fixes, advice.fewest)
    return time.process_time() - started, len(found[0])


def bare(setup: Setup, times: int = 50) -> float:
    """Processor time of one footprint."""
    started = time.process_time()
    for _ in range(times):
        infer(setup.arch, **dict(setup.options)) if setup.serves else train(setup.arch, setup.run)
    return (time.process_time() - started) / times


def main() -> None:
    """Times both, in one run, and prints their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    asked = parser.parse_args()
    losses = published.losses(published.every(catalog.evidence().values()))
    print("| job | fixes | advice | one footprint | ratio |\n| --- | --- | --- | --- | --- |")
    for model, chip, count, job, options in JOBS:
        setup = setup_of(wallviz.model(model), catalog.chip(chip), job, options, count)
        seconds(setup, losses)  # the model's own sums are made once
        taken = [seconds(setup, losses) for _ in range(asked.repeat)]
        advice, one = statistics.median(each for each, _n in taken), bare(setup)
        print(f"| {job} {model}, {count} × {chip} | {taken[0][1]} | {advice * 1e3:.0f} ms | {one * 1e3:.2f} ms | **{advice / one:.0f}** |")


if __name__ == "__main__":
    main()
