"""The one advice: what fits, on how few GPUs, and what makes it fit or faster, in the order of its price and without a contradiction."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pytest

import wallviz
from wallviz import catalog
from wallviz.engine.advice import price, record, splits
from wallviz.engine.advice.fit import Fit, fit
from wallviz.engine.advice.fits import fit_together, fits
from wallviz.engine.advice.search import DEAREST, SPLIT, Advice, Fix, changed
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.capacity import verdict
from wallviz.engine.memory.jobs import on_gpus
from wallviz.engine.memory.peak import train
from wallviz.engine.memory.run import Run
from wallviz.engine.memory.serve import infer
from wallviz.engine.remedies import published
from wallviz.engine.remedies.plan import plan, setup_of
from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.engine.remedies.setup import Setup, outcome
from wallviz.engine.scaleout import job as scaleout
from wallviz.engine.transformer import Architecture, architecture
from wallviz.errors import InputError
from wallviz.job import Job, serving_split, training_run

GIB = 2**30
CONFIG = {
    "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256, "tie_word_embeddings": True,
}  # fmt: skip
HYBRID = {
    "model_type": "jamba", "hidden_size": 2048, "intermediate_size": 7168, "num_hidden_layers": 8, "num_attention_heads": 16,
    "num_key_value_heads": 8, "vocab_size": 65536, "attn_layer_period": 8, "attn_layer_offset": 4, "expert_layer_period": 2,
    "expert_layer_offset": 1, "num_experts": 16, "num_experts_per_tok": 2, "mamba_d_state": 16, "mamba_d_conv": 4, "mamba_expand": 2,
    "mamba_dt_rank": 128, "tie_word_embeddings": False,
}  # fmt: skip
LOSSES = published.losses(published.every(catalog.evidence().values()))

#: Dense, experts, latent attention, hybrid, encoder and decoder; training, LoRA, QLoRA, serving; 1 to 512 chips.
JOBS: tuple[tuple[str, str, str, dict[str, Any], int], ...] = (
    ("llama-3.1-8b", "H100", "train", {"sequence": 8192}, 1),
    ("llama-3.1-8b", "H100", "train", {"sequence": 8192}, 8),
    ("llama-3.1-8b", "H100", "train", {"sequence": 8192, "micro_batch": 4}, 8),
    ("llama-3.1-8b", "H100", "train", {"sequence": 8192, "zero": 3, "recompute": "full", "micro_batch": 2}, 8),
    ("llama-3.1-8b", "H100", "train", {"sequence": 4096, "kernels": "eager"}, 8),
    ("llama-3.1-70b", "H100", "train", {"sequence": 8192}, 8),
    ("llama-3.1-70b", "H100", "train", {"sequence": 8192}, 64),
    ("llama-3.1-70b", "H200", "train", {"sequence": 4096, "tensor_parallel": 8, "zero": 1}, 512),
    ("llama-3.1-405b", "H100", "train", {"sequence": 8192, "tensor_parallel": 8, "pipeline_parallel": 9}, 72),
    ("mixtral-8x7b", "H100", "train", {"sequence": 8192}, 8),
    ("deepseek-v3", "H100", "train", {"sequence": 4096}, 1),
    ("deepseek-v3", "H200", "train", {"sequence": 4096, "zero": 3}, 256),
    ("jamba-v0.1", "H100", "train", {"sequence": 4096}, 8),
    ("mamba-2.8b", "RTX 4090", "train", {"sequence": 2048}, 1),
    ("t5-11b", "A100", "train", {"sequence": 1024}, 4),
    ("bert-large", "RTX 4090", "train", {"sequence": 512, "micro_batch": 64}, 1),
    ("gpt2-xl", "RTX 4090", "train", {"sequence": 1024, "micro_batch": 8}, 2),
    ("llama-3.1-8b", "RTX 4090", "finetune", {"sequence": 8192}, 1),
    ("llama-3.1-8b", "RTX 4090", "finetune", {"sequence": 8192, "method": "qlora"}, 1),
    ("llama-3.1-8b", "RTX 4090", "finetune", {"sequence": 8192, "method": "full"}, 1),
    ("llama-3.1-70b", "H100", "finetune", {"sequence": 4096}, 2),
    ("mixtral-8x7b", "A100", "finetune", {"sequence": 4096, "method": "qlora"}, 1),
    ("llama-3.1-70b", "H100", "infer", {"context": 8192}, 1),
    ("llama-3.1-70b", "H100", "infer", {"context": 8192, "batch": 64}, 2),
    ("llama-3.1-8b", "H100", "infer", {"context": 8192}, 1),
    ("llama-3.1-8b", "RTX 4090", "infer", {"context": 32768, "batch": 64}, 1),
    ("mixtral-8x7b", "H100", "infer", {"context": 8192, "batch": 16}, 1),
    ("deepseek-v3", "H20", "infer", {"context": 4096}, 16),
    ("deepseek-v3", "H20", "infer", {"context": 4096}, 32),
    ("deepseek-v3", "H20", "infer", {"context": 4096, "weights": "fp8"}, 16),
    ("jamba-v0.1", "A100", "infer", {"context": 65536, "batch": 8}, 1),
    ("t5-11b", "RTX 4090", "infer", {"context": 512}, 1),
)
IDS = [f"{model}-{chip}-{job}-{count}-{i}".replace(" ", "") for i, (model, chip, job, _options, count) in enumerate(JOBS)]


@lru_cache(maxsize=64)
def asked(i: int) -> tuple[Setup, Fit]:
    """A job of `JOBS` and what is said of it."""
    model, chip, job, options, count = JOBS[i]
    setup = setup_of(wallviz.model(model), catalog.chip(chip), job, options, count, timed=False)
    return setup, fit(setup, LOSSES)


def bare_fits(setup: Setup, sets: dict[str, Any]) -> bool:
    """Whether a setup with changed fields fits, by the calculators alone: need, error band, capacity."""
    if setup.serves:
        given = dict(sets)
        if given.pop("host_weights", setup.host_weights):
            return outcome(replace(setup, host_weights=True).with_options(**given)).bytes * 1.15 <= (setup.chip.memory_bytes or 0.0)
        served = infer(setup.arch, **dict(setup.options) | given)
        return float(np.max(served.peak_total_bytes)) * (1.0 + served.error_band) <= (setup.chip.memory_bytes or 0.0)
    trained = train(setup.arch, replace(setup.run, **sets))
    return float(trained.peak_total_bytes) * (1.0 + trained.error_band) <= (setup.chip.memory_bytes or 0.0)


each_job = pytest.mark.parametrize("i", range(len(JOBS)), ids=IDS)


# ---------------------------------------------------------------- every job


@each_job
def test_nothing_contradicts(i: int) -> None:
    """Fits, verdict, headroom, the largest, the fewest and the first fix say the same."""
    setup, found = asked(i)
    assert found.fits == bare_fits(setup, {}) == (found.runs_out == "no") == (found.headroom_bytes >= 0)
    assert found.goal == ("faster" if found.fits else "fit")
    if found.fewest_gpus_as_set is not None:
        assert found.fewest_gpus is not None
        assert found.fewest_gpus <= found.fewest_gpus_as_set
    if found.fits:
        assert found.largest_micro_batch is not None
        assert found.largest_micro_batch >= int(setup.option("batch", 1) if setup.serves else setup.run.micro_batch)
        assert found.largest_context is not None
        assert found.largest_context >= int(setup.option("context") if setup.serves else setup.run.sequence)
        assert found.fewest_gpus_as_set is not None
        assert found.fewest_gpus_as_set <= setup.gpus
    elif found.fewest_gpus is not None:
        assert found.fixes[0].fits
        assert found.fixes[0].gpus <= found.fewest_gpus
    said = record.fit(found)
    assert ("reason" in said) == (None in said.values())
    known = (found.fewest_gpus, found.largest_micro_batch, found.largest_context, found.fewest_gpus_as_set)
    assert found.reason.partition(" ")[0] == next((word for word, value in zip(("No", "Not", "Not", "As"), known, strict=True) if value is None), "")


@each_job
def test_fixes_come_in_the_order_of_their_price(i: int) -> None:
    """No more GPUs first, then less time as it is printed, then less quality lost; what is faster without a loss before what is with one."""
    setup, found = asked(i)
    keys = [(fix.gpus, round(fix.time or 0.0, 3), round(fix.quality, 6)) for fix in found.fixes if fix.fits]
    if found.goal == "fit":
        assert keys == sorted(keys)
        assert [fix.fits for fix in found.fixes] == sorted((fix.fits for fix in found.fixes), reverse=True)
    else:
        groups = [fix.quality >= 0.0005 for fix in found.fixes]
        assert groups == sorted(groups)
        for lossy in (False, True):
            times = [key for key, one in zip(keys, groups, strict=True) if one == lossy]
            assert times == sorted(times)
        assert all(fix.gpus <= setup.gpus and fix.time is not None and fix.time < 1 for fix in found.fixes)


@each_job
def test_a_fix_fits_by_what_it_sets_alone(i: int) -> None:
    """The fields that a fix sets, applied to the job by hand, need what it says, on as many GPUs, in that time, and fit as it says."""
    setup, found = asked(i)
    for fix in found.fixes:
        assert bare_fits(setup, fix.sets) == fix.fits
        if setup.serves:
            host = fix.sets.get("host_weights", False)
            then = replace(setup, host_weights=host).with_options(**{name: value for name, value in fix.sets.items() if name != "host_weights"})
            then = replace(then, draft=fix.setup.draft)
        else:
            then = replace(setup, run=replace(setup.run, **fix.sets))
        assert then.gpus == fix.gpus
        assert fix.time == pytest.approx(outcome(setup).tokens_per_s / outcome(then).tokens_per_s)
        assert fix.bytes == pytest.approx(outcome(then).bytes)
        assert sum(fix.parts.values()) == pytest.approx(fix.bytes)
        assert "{" not in record.change(fix) + record.price(fix)


@each_job
def test_no_change_of_a_fix_can_be_left_out(i: int) -> None:
    """Without any one of its changes a fix does not fit: not as the job is split, and where it is split anew not in any split of as many GPUs."""
    setup, found = asked(i)
    for fix in (fix for fix in found.fixes if found.goal == "fit" and fix.fits):
        for left_out in fix.changes:
            rest = [id for id in fix.changes if id != left_out]
            words = tuple(id for id in rest if REMEDIES[id].group != SPLIT)
            if len(words) == len(rest) and fix.gpus < setup.gpus:
                continue  # its split is what makes them fewer
            then = changed(setup, words)
            assert then is not None
            if len(words) < len(rest):
                assert not splits.holds_on(then, fix.gpus, keep_batch=fix.gpus == setup.gpus), (fix.changes, left_out)
            else:
                assert not fit_together([then])[0], (fix.changes, left_out)


@each_job
def test_what_is_seen_to_be_worse_comes_only_alone(i: int) -> None:
    """More than a tenth of the quality, and half the batch or context, are offered only where nothing else fits as many GPUs; no other model."""
    _setup, found = asked(i)
    for fix in found.fixes:
        others = [other for other in found.fixes if other.gpus <= fix.gpus and other.fits and other is not fix]
        if fix.fits and (fix.quality > 0.1 or {"half-batch", "half-context"} & set(fix.changes)):
            assert all(other.quality > 0.1 or {"half-batch", "half-context"} & set(other.changes) for other in others)
        assert not any(REMEDIES[id].retrains or REMEDIES[id].section == "hardware" for id in fix.changes)


@each_job
def test_the_fewest_gpus_fit_and_are_no_dearer_than_a_third(i: int) -> None:
    """What the fewest GPUs take does fit, with switches that cost no quality and, on the same split, at most a third of the time."""
    setup, found = asked(i)
    if found.fewest_gpus is None or setup.serves:
        return
    sets = dict(found.fewest_sets)
    assert bare_fits(setup, sets)
    split = {name: value for name, value in sets.items() if name in ("sequence_parallel", "stage", "virtual_stages", *found.layout)}  # type: ignore[misc]
    without, with_them = (replace(setup, run=replace(setup.run, **changes)) for changes in (split, sets))
    assert with_them.gpus == found.fewest_gpus
    assert outcome(without).tokens_per_s / outcome(with_them).tokens_per_s <= DEAREST + 1e-9
    assert sets.keys() - split.keys() <= {"recompute", "loss", "kernels", "micro_batch", "accumulation", "offload"}


# ---------------------------------------------------------------- the jobs that were answered in several ways


def test_training_of_llama_8b_at_8192_tokens() -> None:
    """Two H100 hold it with every layer recomputed, four as it is set; the first fix takes no more."""
    _setup, found = asked(0)
    assert (found.fewest_gpus, found.fewest_gpus_as_set) == (2, 4)
    assert found.fixes[0].gpus <= 2
    assert next(fix.gpus for fix in found.fixes if fix.lossless) == 1
    more = next(fix for fix in found.fixes if fix.gpus == 2)
    assert more.changes == ("full-recompute", "more-gpus")


@pytest.mark.parametrize(("i", "gib"), [(17, 19.8), (18, 9.8)])
def test_one_24_gb_card_trains_adapters_of_llama_8b(i: int, gib: float) -> None:
    """LoRA and QLoRA at 8,192 tokens fit one RTX 4090 with every layer recomputed and the loss in chunks: a forward pass more, no quality."""
    setup, found = asked(i)
    first = found.fixes[0]
    assert found.fewest_gpus == 1
    assert (first.gpus, set(first.changes), first.quality) == (1, {"full-recompute", "chunked-loss"}, 0.0)
    assert first.time is not None
    assert 4 / 3 < first.time < 3 / 2  # frozen weights have no gradients: a forward pass is up to half of the rest
    assert first.bytes / GIB == pytest.approx(gib, abs=0.1)
    assert float(train(setup.arch, replace(setup.run, recompute="full", loss="chunked")).peak_total_bytes) == pytest.approx(first.bytes)


def test_serving_70b_on_one_gpu_takes_four_bits() -> None:
    """The smallest published loss among the 4-bit formats, and the same answer from the remedies."""
    setup, found = asked(22)
    assert found.fixes[0].changes == ("weights-4bit",)
    way = plan(setup, published=published.every(catalog.evidence().values())).way
    assert way is not None
    assert way.fix.changes == found.fixes[0].changes
    assert way.time_factor == pytest.approx(found.fixes[0].time)


def test_the_split_that_was_asked_is_tried() -> None:
    """DeepSeek-V3 on 32 and, in FP8, on 16 H20: it fits as asked, over more ranks than a node has, so no more GPUs are needed."""
    for i in (28, 29):
        setup, found = asked(i)
        assert setup.option("tensor_parallel") > 8
        assert found.fits
        assert found.fewest_gpus is not None
        assert found.fewest_gpus <= setup.gpus


# ---------------------------------------------------------------- one price


def test_the_price_of_a_recomputation_is_the_calculators() -> None:
    """Every layer once more costs what the times say, about a third, and the words carry that number."""
    setup, _found = asked(0)
    again = replace(setup, run=replace(setup.run, recompute="full"))
    taken = price.time(setup, again)
    assert taken == pytest.approx(outcome(again).time_s / outcome(setup).time_s)
    assert 1.25 < taken < 1.34
    fix = Fix(("full-recompute",), setup, again, taken, 0.0, judged=False)
    assert record.price(fix) == f"+{(taken - 1) * 100:.0f}% time"


def test_time_is_for_as_many_tokens() -> None:
    """A smaller micro-batch with more accumulation, and twice the GPUs, are compared per token of all GPUs."""
    setup = setup_of(wallviz.model("llama-3.1-8b"), catalog.chip("H100"), "train", {"sequence": 2048, "micro_batch": 4})
    small = changed(setup, ("smaller-batch",))
    assert small is not None
    assert (small.run.micro_batch, small.run.accumulation) == (1, 4)
    assert price.time(setup, small) == pytest.approx(1.0, abs=0.05)
    double = replace(setup, run=replace(setup.run, data_parallel=2))
    assert 0.5 < (price.time(setup, double) or 0.0) < 0.7


def test_quality_is_published_or_judged() -> None:
    """The median of what was published where anything was, our judgement else, added up over the changes; adapters are paid once."""
    setup, _found = asked(22)
    assert price.quality(setup, ("weights-4bit", "kv-fp8"), LOSSES) == pytest.approx(LOSSES["weights-4bit"] + REMEDIES["kv-fp8"].toll)
    assert price.quality(setup, ("weights-4bit",), {}) == REMEDIES["weights-4bit"].toll
    lora, _found = asked(17)
    assert price.quality(lora, ("qlora",), {}) == pytest.approx(REMEDIES["qlora"].toll - REMEDIES["lora"].toll)


def test_times_that_are_printed_alike_are_alike() -> None:
    """JSON has three digits of a time: what they do not tell apart quality does, and what they do it does not."""
    assert price.key(1, 1.2344, 0.0) < price.key(1, 1.2341, 0.02)
    assert price.key(1, 1.234, 0.02) < price.key(1, 1.235, 0.0)


def test_quality_decides_between_equals() -> None:
    """Of two formats of the same time the one that loses less is offered, and the order turns with what was published."""
    setup, _found = asked(22)
    assert "weights-4bit" in Advice(setup, {"weights-4bit": 0.01, "weights-gptq": 0.02}).fixes[0].changes
    assert "weights-gptq" in Advice(setup, {"weights-4bit": 0.02, "weights-gptq": 0.01}).fixes[0].changes


def test_switches_cost_no_quality() -> None:
    """Recomputation, kernels, sharding, offloading, accumulation and splits are free of quality; their price is time and GPUs alone."""
    free = {"recomputation", "kernels", "loss", "sharding", "sequence", "offload", "batch", "split"}
    assert all(remedy.toll == 0 for remedy in REMEDIES.values() if remedy.group in free)


def test_a_chip_without_rates_has_no_time() -> None:
    """Where a chip lists no bandwidth the time is None with a reason, and fewer bytes come first among as few GPUs."""
    bare = Accelerator("x", "X", "x", "gpu", dt.date(2024, 1, 1), memory_bytes=24e9)
    setup = setup_of(architecture(CONFIG), bare, "train", {"sequence": 4096, "micro_batch": 8}, timed=False)
    found = fit(setup)
    assert not found.fits
    keys = [(fix.gpus, fix.bytes) for fix in found.fixes]
    assert keys == sorted(keys)
    for fix in record.fit(found)["fixes"]:
        assert fix["time"] is None
        assert fix["reason"]


#: What says that a field is set: some of it stands in the words of a change.
SAID: dict[str, tuple[str, ...]] = {
    "tensor_parallel": ("tensor parallel {value}",),
    "sequence_parallel": ("sequence parallelism",),
    "pipeline_parallel": ("pipeline parallel {value}",),
    "virtual_stages": ("virtual stages {value}",),
    "stage": ("fullest stage",),
    "context_parallel": ("context parallel {value}",),
    "expert_parallel": ("expert parallel {value}",),
    "data_parallel": ("data parallel {value}",),
    "zero": ("zero-{value}", "zero stage {value}"),
    "accumulation": ("accumulation {value}", "more accumulation"),
    "micro_batch": ("one sequence at a time",),
    "recompute": ("recompute every layer", "recompute the attention core"),
    "loss": ("loss",),
    "kernels": ("kernels", "flashattention"),
    "optimizer": ("adam",),
    "offload": ("in host memory",),
    "method": ("lora",),
    "precision": ("everything in bf16",),
    "weights": ("weights in", "weights as", "fp8 training"),
    "gradients": ("fp8 training",),
    "master": ("fp8 training",),
    "optimizer_state": ("fp8 training",),
    "kv": ("kv cache",),
    "batch": ("half as many sequences",),
    "context": ("half the context",),
    "sparsity": ("prun", "2:4"),
    "host_weights": ("weights in host memory",),
}
#: Jobs whose own split is undone: virtual stages, one stage asked about, more parallelism than is needed.
SPLIT_JOBS: tuple[tuple[str, str, str, dict[str, Any], int], ...] = (
    ("llama-3.1-8b", "RTX 4090", "train", {"pipeline_parallel": 2, "virtual_stages": 2}, 2),
    ("llama-3.1-8b", "RTX 4090", "train", {"pipeline_parallel": 2, "stage": "first"}, 2),
    ("llama-3.1-8b", "RTX 4090", "train", {"tensor_parallel": 4, "zero": 1}, 8),
    ("llama-3.1-8b", "RTX 4090", "finetune", {}, 4),
    ("llama-3.1-70b", "RTX 4090", "infer", {"tensor_parallel": 2}, 2),
    ("llama-3.1-70b", "H100", "infer", {"replicas": 4}, 4),
    ("deepseek-v3", "H20", "infer", {"expert_parallel": 8}, 16),
)


@pytest.mark.parametrize("job", [*JOBS, *SPLIT_JOBS], ids=str)
def test_the_words_of_a_change_name_everything_that_it_sets(job: tuple[str, str, str, dict[str, Any], int]) -> None:
    """Whatever a row sets, in JSON, stands in its words, the number of ranks too; so for the fewest GPUs, split and switches apart."""
    model, chip, kind, options, count = job
    setup = asked(JOBS.index(job))[0] if job in JOBS else setup_of(wallviz.model(model), catalog.chip(chip), kind, options, count, timed=False)
    found = asked(JOBS.index(job))[1] if job in JOBS else fit(setup, LOSSES)
    rows = [(fix.sets, record.change(fix)) for fix in found.fixes]
    if found.fewest is not None:
        rows.append((found.fewest_sets, f"{record.split(found.fewest)}; {record.switches(found.fewest)}"))
    assert rows
    for sets, words in rows:
        left_out = [name for name, value in sets.items() if not any(said.format(value=value) in words.lower() for said in SAID[name])]
        assert not left_out, (left_out, words)


@pytest.mark.parametrize(("chip", "replicas", "stages", "count"), [("H100", 4, 1, 4), ("H100", 2, 1, 4), ("H100", 3, 1, 12), ("RTX 4090", 2, 8, 16)])
def test_copies_are_kept(chip: str, replicas: int, stages: int, count: int) -> None:
    """Serving in copies shares each copy otherwise, and never its neighbours' GPUs: another split of the GPUs that are there takes no more."""
    options = {"replicas": replicas, "pipeline_parallel": stages}
    setup = setup_of(wallviz.model("llama-3.1-70b"), catalog.chip(chip), "infer", options, count)
    assert (setup.gpus, setup.replicas) == (count, replicas)
    found = fit(setup, LOSSES)
    assert found.fixes
    for fix in found.fixes:
        assert fix.setup.replicas == replicas
        assert fix.gpus % replicas == 0
        assert "other-split" not in fix.changes or fix.gpus <= count
        assert f"{replicas} copies" in record.change(fix) or not any(REMEDIES[id].group == SPLIT for id in fix.changes)
    assert stages == 1 or any("other-split" in fix.changes for fix in found.fixes)


def test_a_step_of_so_many_sequences_is_accumulated() -> None:
    """The sequences of a step set its micro-batches wherever a job is asked about, as on the pages."""
    run = training_run(Job(job="train", chips=8, sequences=64, context=4096, batch=2))
    options = {"global_batch": 64, "micro_batch": 2}
    assert setup_of(wallviz.model("llama-3.1-8b"), catalog.chip("H100"), "train", options, 8).run == run
    assert wallviz.train("llama-3.1-8b", chips=8, batch=2, global_batch=64).run == run
    assert wallviz.scaleout("llama-3.1-8b", "H100", chips=8, batch=2, global_batch=64).step.run == run
    with pytest.raises(InputError, match="4 sequences a step cannot be shared by 8"):
        wallviz.fit("llama-3.1-8b", hardware="H100", chips=8, global_batch=4)


@pytest.mark.parametrize(
    ("options", "chips"),
    [
        ({}, 8),
        ({"replicas": 2}, 8),
        ({"tensor_parallel": 2}, 8),
        ({"pipeline_parallel": 2}, 8),
        ({"tensor_parallel": 8}, 2),
        ({"replicas": 3}, 3),
        ({}, 1),
    ],
    ids=str,
)
def test_serving_shares_chips_alike_everywhere(options: dict[str, int], chips: int) -> None:
    """A number of chips is shared by ranks and copies in `fit` and `remedies`, in `footprint` and in `scaleout` as on the pages."""
    arch = wallviz.model("llama-3.1-70b")
    split = serving_split(Job(chips=chips, **options), arch)
    setup = setup_of(arch, catalog.chip("H200"), "infer", options, chips)
    assert {name: setup.option(name, 1) for name in split if name != "replicas"} | {"replicas": setup.replicas} == split
    per_chip = infer(arch, context=4096, tensor_parallel=split["tensor_parallel"], pipeline_parallel=split["pipeline_parallel"])
    assert wallviz.infer(arch, chips=chips, **options).peak_total_bytes == per_chip.peak_total_bytes
    if "tensor_parallel" not in options:
        assert wallviz.scaleout(arch, "H200", job="infer", chips=chips, **options).layout == split


# ---------------------------------------------------------------- one definition of fitting


@pytest.mark.parametrize(("need", "said"), [(77.0, "no"), (78.0, "likely"), (82.0, "likely"), (83.0, "yes")])
def test_one_verdict_for_all(need: float, said: str) -> None:
    """What fits at the upper edge of the band does not run out, what fits at the lower edge alone likely does; scale-out says the same."""
    assert verdict(need, 0.03, 80.0) == said
    assert verdict(need, 0.03, None) == "unknown"
    assert (verdict(need, 0.03, 80.0).fits, verdict(need, 0.03, 80.0).doubtful) == (said == "no", said != "no")
    assert (verdict(need, 0.03, None).fits, verdict(need, 0.03, None).doubtful) == (None, False)
    llama = wallviz.model("llama-3.1-8b")
    found = scaleout.on_chips(llama, catalog.chip("H100"), gpus=8, sequence=8192, zero=3, recompute="full")
    capacity = found.peak_bytes * 80.0 / need
    then = replace(found, chip=replace(found.chip, memory_bytes=capacity))
    assert then.runs_out == said
    assert then.fits == (said == "no")


def within(gib: float, band: float) -> float:
    return gib * GIB / (1.0 + band)


@pytest.fixture(scope="module")
def llama() -> Architecture:
    return architecture(CONFIG)


def chip_of(gib: float) -> Accelerator:
    """An H100 with another memory."""
    return replace(catalog.chip("H100"), memory_bytes=gib * GIB)


@pytest.mark.parametrize("gib", [24, 40, 80, 141])
@pytest.mark.parametrize("run", [Run(sequence=2048), Run(sequence=2048, recompute="full", loss="chunked"), Run(sequence=2048, method="lora")])
def test_the_largest_micro_batch_fits_and_the_next_does_not(llama: Architecture, gib: int, run: Run) -> None:
    """The answer fits with the error band added, and its neighbour does not."""
    found = fit(Setup(llama, chip_of(gib), "finetune", run))
    if found.largest_micro_batch is None:
        assert float(train(llama, run, micro_batch=1).peak_total_bytes) > within(gib, 0.03)
        return
    need = train(llama, run, micro_batch=np.array([found.largest_micro_batch, found.largest_micro_batch + 1])).peak_total_bytes
    assert need[0] <= within(gib, 0.03) < need[1]  # type: ignore[index]


@pytest.mark.parametrize("gib", [24, 80])
def test_the_largest_context_fits_and_the_next_does_not(llama: Architecture, gib: int) -> None:
    """One more token would be too many."""
    run = Run(recompute="full", optimizer="adamw-8bit", precision="bf16-pure")
    found = fit(Setup(llama, chip_of(gib), "train", run))
    assert found.largest_context is not None
    need = train(llama, run, sequence=np.array([found.largest_context, found.largest_context + 1])).peak_total_bytes
    assert need[0] <= within(gib, 0.03) < need[1]  # type: ignore[index]


@pytest.mark.parametrize("gib", [16, 80])
def test_serving_has_a_largest_batch_and_context(llama: Architecture, gib: int) -> None:
    """The same promise for serving."""
    setup = Setup(llama, chip_of(gib), "infer").with_options(batch=4, context=8192)
    found = fit(setup)
    assert found.fits
    assert found.largest_micro_batch
    assert found.largest_context
    for name, value in (("batch", found.largest_micro_batch), ("context", found.largest_context)):
        assert fits(setup.with_options(**{name: value}))
        assert not fits(setup.with_options(**{name: value + 1}))


@pytest.mark.parametrize("given", [{"prompt": 512}, {"prefix": 512}, {"prompt": 300, "prefix": 1000}])
def test_a_prompt_bounds_the_context_from_below(llama: Architecture, given: dict[str, int]) -> None:
    """A prompt or a shared prefix of its own does not stop the search for the largest context."""
    setup = Setup(llama, chip_of(80), "infer").with_options(batch=4, context=8192, **given)
    found = fit(setup)
    assert found.largest_context is not None
    assert fits(setup.with_options(context=found.largest_context))
    assert not fits(setup.with_options(context=found.largest_context + 1))


@pytest.mark.parametrize(("given", "shortest"), [({}, 1), ({"prefix": 512}, 513), ({"prompt": 304}, 304)])
def test_the_shortest_context_is_found_where_no_longer_one_fits(llama: Architecture, given: dict[str, int], shortest: int) -> None:
    """A chip that holds one token, one after the shared prefix, or the prompt, and not a byte more, holds that; with a byte less it holds none."""
    served = infer(llama, batch=4, context=shortest, **given)
    need = float(np.max(served.peak_total_bytes)) * (1.0 + served.error_band)
    for bytes_, found in ((need, shortest), (need - 1.0, None)):
        setup = Setup(llama, replace(catalog.chip("H100"), memory_bytes=bytes_), "infer").with_options(batch=4, context=8192, **given)
        assert fit(setup).largest_context == found


def test_what_is_largest_may_be_asked_about(llama: Architecture) -> None:
    """On a chip that holds anything the largest micro-batch and context are those that a run may have: one more is refused."""
    setup = Setup(llama, replace(catalog.chip("H100"), memory_bytes=1e30), "train", Run(sequence=1))
    found = fit(setup)
    assert found.largest_micro_batch is not None
    assert found.largest_context is not None
    for name, value in (("micro_batch", found.largest_micro_batch), ("sequence", found.largest_context)):
        assert fits(replace(setup, run=replace(setup.run, **{name: value})))
        with pytest.raises(InputError, match=name):
            fits(replace(setup, run=replace(setup.run, **{name: value + 1})))


# ---------------------------------------------------------------- the fewest


@pytest.mark.parametrize("gib", [8, 14, 24, 48, 90, 160])
@pytest.mark.parametrize("config", [HYBRID, CONFIG], ids=["hybrid", "llama"])
def test_no_split_that_is_tried_takes_fewer_gpus(config: dict[str, object], gib: int) -> None:
    """Every depth, tensor rank, sequence part, expert rank, ZeRO stage and number of ranks up to 32, one by one: none takes fewer GPUs."""
    arch, run, chip = architecture(config), Run(sequence=2048, recompute="selective"), chip_of(gib)
    found = splits.fewest(arch, run, chip)
    most = 32 if found is None else min(32, Setup(arch, chip, "train", found).gpus)
    if found is not None:
        assert fits(Setup(arch, chip, "train", found))
    experts = [1, 2, 4] if config is HYBRID else [1]
    for p, t, c, e, zero in product([1, 2, 4, 8], [1, 2, 4, 8], [1, 2], experts, range(4)):
        for ranks in range(1, most + 1):
            if p * t * c * ranks >= most or (c * ranks) % e or (zero and c * ranks == 1):
                continue
            split = {"pipeline_parallel": p, "tensor_parallel": t, "context_parallel": c, "expert_parallel": e, "data_parallel": ranks, "zero": zero}
            assert not fits(Setup(arch, chip, "train", replace(run, sequence_parallel=t > 1, **split))), split


@pytest.mark.parametrize("gib", [24, 32, 48, 80, 96])
def test_no_split_serves_on_fewer_gpus(gib: int) -> None:
    """Every tensor rank of a node over every depth of pipeline, one by one: none takes fewer GPUs."""
    arch, options = wallviz.model("mixtral-8x7b"), {"context": 8192, "batch": 8}
    found = splits.fewest_serving(arch, chip_of(gib), options)
    assert found is not None
    setup = Setup(arch, chip_of(gib), "infer").with_options(**options)
    assert fits(setup.with_options(**found))
    gpus = found["tensor_parallel"] * found["pipeline_parallel"]
    for t, p in product([1, 2, 4, 8], range(1, 33)):
        if t * p < gpus:
            assert not fits(setup.with_options(tensor_parallel=t, pipeline_parallel=p)), (t, p)


def test_another_split_of_as_many_gpus_keeps_the_batch() -> None:
    """As many sequences make a step, all GPUs take part, and it is the fastest that fits but for 2 %."""
    setup, _found = asked(6)
    found = splits.on_as_many(setup)
    assert found is not None
    assert found.gpus == setup.gpus == 64
    run = found.run
    assert run.micro_batch * run.accumulation * run.data_parallel == setup.run.micro_batch * setup.run.accumulation * setup.run.data_parallel
    assert fits(found)


def test_gpus_that_are_there_become_data_parallel_ranks() -> None:
    """Eight GPUs and tensor parallelism over two leave four data parallel ranks; seven cannot be shared by two."""
    assert on_gpus(Run(tensor_parallel=2), 8).data_parallel == 4
    with pytest.raises(InputError, match="7 GPUs"):
        on_gpus(Run(tensor_parallel=2), 7)


def test_what_fits_nowhere_says_so() -> None:
    """A model that no number of GPUs holds gives None, a reason, and the most that single changes save, the price in order."""
    huge = architecture(CONFIG | {"num_hidden_layers": 7, "vocab_size": 9_000_000})
    found = fit(Setup(huge, replace(catalog.chip("H100"), memory_bytes=1e8), "train", Run(sequence=4096)))
    assert found.fewest_gpus is None
    assert found.layout is None
    assert found.reason
    assert found.fixes
    assert not any(fix.fits for fix in found.fixes)
    assert all(fix.saves_bytes > 0 and len(fix.changes) == 1 for fix in found.fixes)


def test_what_fits_with_switches_alone_says_so() -> None:
    """Twenty thousand sequences fit one GPU one after another, and at once no split that is tried: the missing number has its reason."""
    setup = setup_of(wallviz.model("smollm2-135m"), catalog.chip("H100"), "train", {"sequence": 1024, "micro_batch": 20_000})
    found = record.fit(fit(setup))
    assert (found["fewest_gpus"], found["fewest_gpus_as_set"]) == (1, None)
    assert found["reason"].startswith("As it is set")


def test_a_gpu_without_memory_is_refused(llama: Architecture) -> None:
    """No capacity, no answer: a sentence instead."""
    with pytest.raises(InputError, match="memory"):
        fit(Setup(llama, replace(catalog.chip("H100"), memory_bytes=None), "train"))
    for nothing in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="memory"):
            wallviz.fit(llama, hardware=replace(catalog.chip("H100"), memory_bytes=nothing))
