"""Every remedy as data: what it changes in a setup, what it costs in words and by which formula, when it fails, what of it was published.

What it buys and its price in this case are computed (`effect`); what others measured is `published`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from wallviz.engine.advice import splits
from wallviz.engine.advice.fits import fits
from wallviz.engine.remedies import rebuild
from wallviz.engine.remedies.setup import Draft, Setup
from wallviz.engine.scaleout.fabric import PER_NODE
from wallviz.errors import InputError
from wallviz.i18n import N_

TRAINING, SERVING, ANY = ("train", "finetune"), ("infer",), ("train", "finetune", "infer")
SECTIONS = {
    "training": N_("Training"),
    "serving": N_("Serving"),
    "model": N_("Another model"),
    "run": N_("The whole run"),
    "hardware": N_("Hardware"),
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing that can be done. Texts are marked for translation."""

    id: str
    name: str
    section: str
    """A key of `SECTIONS`."""
    jobs: tuple[str, ...]
    group: str
    """What it changes: of one group only one makes sense at a time."""
    change: Callable[[Setup], Setup] | None
    """The setup with it; raises InputError where it does not go. None: it changes only how many steps there are, or is known as published alone."""
    costs: str
    """Its price in words."""
    formula: str
    """The price as a formula, with its source."""
    fails: str
    """When it fails."""
    toll: float = 0.0
    """The share of quality that it loses where no published cases are at hand, judged by us where there are none; 0: none. Time and GPUs are
    computed, never judged."""
    retrains: bool = False
    """The model would have to be trained anew, or another is trained: never offered as a way to fit."""
    default_on: str = ""
    """Where it is on without being asked for."""
    evidence: tuple[str, ...] = ()
    """What the table of evidence calls it: its slug there, and after a bar the format, or a word of the setting."""
    figure: str = ""
    """The figure that shows what it does, where it changes no step: ``search``, ``batch``, ``formats`` or ``plane``."""


# ---------------------------------------------------------------- what they change


def _run(**fields: Any) -> Callable[[Setup], Setup]:
    return lambda setup: replace(setup, run=replace(setup.run, **fields))


def _served(**options: Any) -> Callable[[Setup], Setup]:
    return lambda setup: setup.with_options(**options)


def _zero(stage: int) -> Callable[[Setup], Setup]:
    def change(setup: Setup) -> Setup:
        if int(setup.run.data_parallel) * int(setup.run.context_parallel) == 1:
            raise InputError(N_("ZeRO shards over data parallel GPUs and there is one: give more GPUs first."))
        if int(setup.run.zero) >= stage:
            raise InputError(N_("ZeRO stage {n} is on already."), n=int(setup.run.zero))
        return replace(setup, run=replace(setup.run, zero=stage))

    return change


def _more_gpus(setup: Setup) -> Setup:
    """On the fewest GPUs that hold it, whatever their split; where it fits as it is, on twice as many."""
    if setup.chip.memory_bytes is None or fits(setup):
        return _twice_the_gpus(setup)
    found = splits.on_fewest(setup)
    if found is None:
        raise InputError(N_("No split over up to 65,536 GPUs that was tried holds it."))
    if found.gpus <= setup.gpus:
        raise InputError(N_("As many GPUs hold it when they share it otherwise: change the split first."))
    return found


def _twice_the_gpus(setup: Setup) -> Setup:
    if not setup.serves:
        return replace(setup, run=replace(setup.run, zero=3, data_parallel=2 * int(setup.run.data_parallel)))
    if int(setup.option("tensor_parallel", 1)) >= PER_NODE:
        raise InputError(N_("A model is shared by the 8 GPUs of a node at most, and its heads must divide by their number."))
    return setup.with_options(tensor_parallel=2 * int(setup.option("tensor_parallel", 1)))


def _other_split(setup: Setup) -> Setup:
    """The fastest split of the same GPUs that fits."""
    if setup.gpus == 1:
        raise InputError(N_("There is one GPU: nothing is shared."))
    found = splits.on_as_many(setup)
    if found is None:
        raise InputError(N_("No split of these {count} GPUs holds it."), count=setup.gpus)
    return found


def _sequence_parallel(setup: Setup) -> Setup:
    if int(setup.run.tensor_parallel) == 1:
        raise InputError(N_("Sequence parallelism shares what tensor parallelism copies, and there is none: set tensor_parallel above 1."))
    return replace(setup, run=replace(setup.run, sequence_parallel=True))


def _smaller_batch(setup: Setup) -> Setup:
    batch = int(setup.run.micro_batch)
    if batch == 1:
        raise InputError(N_("The micro-batch is one sequence already."))
    return replace(setup, run=replace(setup.run, micro_batch=1, accumulation=int(setup.run.accumulation) * batch))


def _kernels(name: str, instead_of: tuple[str, ...]) -> Callable[[Setup], Setup]:
    def change(setup: Setup) -> Setup:
        if setup.run.kernels not in instead_of:
            raise InputError(N_("The kernels are {name} already."), name=setup.run.kernels)
        return replace(setup, run=replace(setup.run, kernels=name))

    return change


def _loss(name: str, instead_of: tuple[str, ...]) -> Callable[[Setup], Setup]:
    def change(setup: Setup) -> Setup:
        if setup.run.loss not in instead_of:
            raise InputError(N_("The loss is {name} already."), name=setup.run.loss)
        return replace(setup, run=replace(setup.run, loss=name))

    return change


def _half(name: str) -> Callable[[Setup], Setup]:
    """Half the batch, or half the context, of serving."""

    def change(setup: Setup) -> Setup:
        half = int(setup.option(name, 1)) // 2
        least = max(int(setup.option("prompt") or 1), int(setup.option("prefix", 0)) + 1) if name == "context" else 1
        if half < least:
            raise InputError(N_("Half of the {name} is less than the job needs."), name=name)
        return setup.with_options(**{name: half})

    return change


def _fp8_training(setup: Setup) -> Setup:
    _of_weights(setup)
    if setup.chip.fp8_flop_per_s is None:
        raise InputError(N_("{chip} computes nothing in FP8: choose a chip that does"), chip=setup.chip.name)
    run = replace(setup.run, precision="bf16-mixed", weights="fp8", gradients="fp8", master="fp16", optimizer_state="fp16")
    return replace(setup, run=run)


def _adam_8bit(setup: Setup) -> Setup:
    if setup.run.optimizer != "adamw":
        raise InputError(N_("The optimizer is {name}, not adamw."), name=setup.run.optimizer)
    return replace(setup, run=replace(setup.run, optimizer="adamw-8bit", optimizer_state=None))


def _of_weights(setup: Setup) -> None:
    if not setup.run.trains_all:
        raise InputError(N_("Adapters alone are trained: the formats of the model's own states are not what fills the memory."))


def _bf16_pure(setup: Setup) -> Setup:
    _of_weights(setup)
    run = replace(setup.run, precision="bf16-pure", weights=None, gradients=None, master=None, optimizer_state=None)
    return replace(setup, run=run)


def _drafts(setup: Setup) -> Setup:
    return replace(setup, draft=setup.draft or Draft())


def _host_weights(setup: Setup) -> Setup:
    return replace(setup, host_weights=True)


def _architecture(of: Callable[..., Any], *arguments: Any) -> Callable[[Setup], Setup]:
    return lambda setup: replace(setup, arch=of(setup.arch, *arguments))


def _chip(*, memory: float = 1.0, bandwidth: float = 1.0, flop: float = 1.0, links: float = 1.0) -> Callable[[Setup], Setup]:
    """The same chip with factors on what it holds, moves, computes and sends."""

    def times(value: float | None, factor: float) -> float | None:
        return None if value is None else value * factor

    def change(setup: Setup) -> Setup:
        chip = setup.chip
        rates = ("fp32_flop_per_s", "fp16_flop_per_s", "fp8_flop_per_s", "fp4_flop_per_s", "int8_op_per_s")
        changed: dict[str, Any] = {name: times(getattr(chip, name), flop) for name in rates}
        changed["memory_bytes"] = times(chip.memory_bytes, memory)
        changed["memory_bytes_per_s"] = times(chip.memory_bytes_per_s, bandwidth)
        changed["interconnect_bytes_per_s_bidir"] = times(chip.interconnect_bytes_per_s_bidir, links)
        return replace(setup, chip=replace(chip, **changed))

    return change


# ---------------------------------------------------------------- the list

_MEGATRON_ALONE_OFF = N_("Off by default in Megatron-LM.")
_AS_STORED = N_("vLLM serves a checkpoint in the format that it is stored in.")
_MEGATRON_OFF = N_("Off by default in Megatron-LM and in DeepSpeed.")

REMEDIES: dict[str, Remedy] = {
    remedy.id: remedy
    for remedy in (
        Remedy(
            "zero-1", N_("ZeRO stage 1"), "training", TRAINING, "sharding", _zero(1),
            N_("no extra traffic"), N_("2·P elements a step, as without (arXiv 1910.02054, section 7)"),
            N_("Where the optimizer's state is not what fills the memory: few GPUs, adapters, long sequences."),
            default_on=_MEGATRON_OFF, evidence=("zero-1",),
        ),
        Remedy(
            "zero-2", N_("ZeRO stage 2"), "training", TRAINING, "sharding", _zero(2),
            N_("no extra traffic"), N_("2·P elements a step, as without (arXiv 1910.02054, section 7); gradients are reduced each micro-batch"),
            N_("With many micro-batches a step: each reduces its gradients."),
            default_on=_MEGATRON_OFF, evidence=("zero-2",),
        ),
        Remedy(
            "zero-3", N_("ZeRO stage 3"), "training", TRAINING, "sharding", _zero(3),
            N_("1.5 times the traffic"), N_("3·P elements a step instead of 2·P (arXiv 1910.02054, section 7)"),
            N_("Over slow links or with small batches: weights are gathered twice for every micro-batch."),
            default_on=_MEGATRON_OFF, evidence=("zero-3",),
        ),
        Remedy(
            "more-gpus", N_("More GPUs, the fewest that hold it"), "training", TRAINING, "split", _more_gpus,
            N_("more GPUs, and traffic between them"), N_("16·P/n bytes of states on each of n GPUs (arXiv 1910.02054, figure 1)"),
            N_("What one sequence needs does not shrink: activations stay on each GPU."),
        ),
        Remedy(
            "other-split", N_("Another split of the same GPUs"), "training", ANY, "split", _other_split,
            N_("other traffic between the GPUs"), N_("the fastest that fits, the simplest within 2% of it, of every split that divides"),
            N_("With one GPU, and where the framework knows no other split."),
        ),
        Remedy(
            "selective", N_("Recompute the attention core"), "training", TRAINING, "recomputation", _run(recompute="selective"),
            N_("one more pass of the core"), N_("1 + core/3 of the work, core = scores and values (arXiv 2205.05198, section 5)"),
            N_("With FlashAttention, which keeps nothing of the core to begin with."),
            default_on=_MEGATRON_ALONE_OFF, evidence=("selective-recomputation", "selective-recomputation-sequence-parallel"),
        ),
        Remedy(
            "full-recompute", N_("Recompute every layer"), "training", TRAINING, "recomputation", _run(recompute="full"),
            N_("a third more work"), N_("4/3 of the work of the layers (arXiv 2104.04473, equation 3; arXiv 1604.06174)"),
            N_("Where model states, not activations, fill the memory."),
            default_on=_MEGATRON_ALONE_OFF, evidence=("rematerialization", "rematerialization-checkmate", "full-recomputation"),
        ),
        Remedy(
            "sequence-parallel", N_("Sequence parallelism"), "training", TRAINING, "sequence", _sequence_parallel,
            N_("no extra traffic"), N_("all-gather and reduce-scatter instead of an all-reduce (arXiv 2205.05198, section 4.2.2)"),
            N_("Without tensor parallelism there is nothing to share."), evidence=("sequence-parallel",),
            default_on=_MEGATRON_ALONE_OFF,
        ),
        Remedy(
            "flash-attention", N_("FlashAttention"), "training", TRAINING, "kernels", _kernels("flash", ("eager",)),
            N_("a little more arithmetic, less time"), N_("32·N²·d²/M elements to and from memory instead of 11·N² and more (arXiv 2205.14135)"),
            N_("Heads wider than on-chip memory holds; masks that no kernel knows."),
            default_on=N_("vLLM chooses an attention kernel that never writes the scores by itself."), evidence=("flash-attention",),
        ),
        Remedy(
            "fused-kernels", N_("Fused kernels"), "training", TRAINING, "kernels", _kernels("fused", ("eager", "flash")),
            N_("other kernels"), N_("norms and activation functions keep one input each (Liger)"),
            N_("Where a model has layers that no fused kernel knows."),
        ),
        Remedy(
            "fused-loss", N_("Fuse the loss with its logits"), "training", TRAINING, "loss", _loss("fused", ("plain",)),
            N_("another loss kernel"), N_("logits and their gradient in one buffer"),
            N_("With small vocabularies there is little to save."),
        ),
        Remedy(
            "chunked-loss", N_("Compute the loss in chunks"), "training", TRAINING, "loss", _run(loss="chunked"),
            N_("another loss kernel"), N_("logits of one chunk at a time"),
            N_("With small vocabularies there is little to save."),
        ),
        Remedy(
            "bf16-pure", N_("Everything in bf16"), "training", TRAINING, "precision", _bf16_pure,
            N_("small updates are lost in rounding"), N_("8 bytes a parameter instead of 16 (arXiv 2403.03507, section 1)"),
            N_("Late in training, when an update is below 2⁻⁸ of its weight: stochastic rounding or a compensated sum has to keep it."), toll=0.5,
        ),
        Remedy(
            "fp8-training", N_("FP8 training"), "training", TRAINING, "precision", _fp8_training,
            N_("scales for every tensor, and care"), N_("twice the 16-bit peak; 8 bytes a parameter here, 6 in FP8-LM (arXiv 2310.18313)"),
            N_("Outliers beyond 448 in E4M3, gradients below 2⁻¹⁶ in E5M2; high learning rates; chips without FP8."),
            toll=0.1, evidence=("fp8-training", "fp8-matmul"),
            default_on=_MEGATRON_ALONE_OFF,
        ),
        Remedy(
            "adam-8bit", N_("8-bit Adam"), "training", TRAINING, "optimizer", _adam_8bit,
            N_("rounded moments"), N_("2 bytes a parameter of moments instead of 8 (arXiv 2110.02861)"),
            N_("Embeddings need 32-bit moments: without them large models become unstable (arXiv 2110.02861, section 2.3)."), toll=0.02,
        ),
        Remedy(
            "offload-optimizer", N_("Optimizer state in host memory"), "training", TRAINING, "offload", _run(offload="optimizer"),
            N_("the step waits for PCIe"), N_("(weights + gradients)·P/n bytes over PCIe (arXiv 2101.06840, section 4)"),
            N_("Small batches on fast GPUs: PCIe, and Adam on the processor, take longer than the step."), evidence=("zero-offload",),
            default_on=N_("Off by default in DeepSpeed."),
        ),
        Remedy(
            "offload-parameters", N_("Optimizer and weights in host memory"), "training", TRAINING, "offload", _run(offload="parameters"),
            N_("the step waits for PCIe, twice for the weights"), N_("(2·weights + gradients)·P/n bytes over PCIe (arXiv 2104.07857)"),
            N_("Every micro-batch reads all weights over PCIe."), evidence=("zero-infinity",),
            default_on=N_("Off by default in DeepSpeed."),
        ),
        Remedy(
            "smaller-batch", N_("One sequence at a time, more accumulation"), "training", TRAINING, "batch", _smaller_batch,
            N_("the GPU is used less well"), N_("as many tokens a step in more passes; weights are read once a pass"),
            N_("Long sequences: one alone may not fit."),
        ),
        Remedy(
            "lora", N_("Train LoRA adapters"), "training", ("finetune",), "adapters", _run(method="lora"),
            N_("trains an adapter, not the model"), N_("gradients and states of r·(in + out) a layer (arXiv 2106.09685)"),
            N_("Far from what the model knows; activations stay."), toll=0.05,
        ),
        Remedy(
            "qlora", N_("Train QLoRA adapters on 4-bit weights"), "training", ("finetune",), "adapters", _run(method="qlora"),
            N_("an adapter on 4-bit weights"), N_("4.127 bits a weight, dequantized for each use (arXiv 2305.14314)"),
            N_("Far from what the model knows; dequantization takes time."), toll=0.06,
        ),
        Remedy(
            "weights-fp8", N_("Weights in FP8"), "serving", SERVING, "weights", _served(weights="fp8"),
            N_("quality close to 16 bits"), N_("half the bytes a token reads"),
            N_("Chips without FP8 convert for each use."), toll=0.005, default_on=N_("Off in vLLM unless the checkpoint is in FP8."),
        ),
        Remedy(
            "weights-int8", N_("Weights in INT8"), "serving", SERVING, "weights", _served(weights="int8"),
            N_("quality close to 16 bits"), N_("half the bytes a token reads (arXiv 2208.07339)"),
            N_("Outlier activations where those are rounded too."), evidence=("weight-quantization|int8",), toll=0.005,
            default_on=_AS_STORED,
        ),
        Remedy(
            "weights-q8", N_("Weights as GGUF Q8_0"), "serving", SERVING, "weights", _served(weights="gguf:Q8_0"),
            N_("quality close to 16 bits"), N_("8.5 bits a weight"),
            N_("Where half of the bytes is not enough."), evidence=("weight-quantization|q8_0",), toll=0.0004,
            default_on=N_("The file decides: llama.cpp reads what it holds."),
        ),
        Remedy(
            "weights-4bit", N_("Weights in 4 bits (AWQ)"), "serving", SERVING, "weights", _served(weights="awq-4"),
            N_("a small loss of quality"), N_("4.16 bits a weight instead of 16: that share of the reading"),
            N_("Large batches: arithmetic stays in 16 bits, so nothing is gained once compute bounds the step; small models lose more."),
            evidence=("weight-quantization|AWQ4",), toll=0.024,
            default_on=_AS_STORED,
        ),
        Remedy(
            "weights-gptq", N_("Weights in 4 bits (GPTQ)"), "serving", SERVING, "weights", _served(weights="gptq-4"),
            N_("a small loss of quality"), N_("4.16 bits a weight instead of 16: that share of the reading"),
            N_("As AWQ, and it follows its calibration text more closely: another domain loses more."),
            evidence=("weight-quantization|GPTQ4",), toll=0.03,
            default_on=_AS_STORED,
        ),
        Remedy(
            "weights-q4km", N_("Weights as GGUF Q4_K_M"), "serving", SERVING, "weights", _served(weights="gguf:Q4_K_M"),
            N_("a small loss of quality"), N_("about 4.9 bits a weight"),
            N_("Llama-3 loses twice what Llama-2 loses at the same bits."), evidence=("weight-quantization|q4_K_M",), toll=0.024,
            default_on=N_("The file decides: llama.cpp reads what it holds."),
        ),
        Remedy(
            "weights-q2k", N_("Weights as GGUF Q2_K"), "serving", SERVING, "weights", _served(weights="gguf:Q2_K"),
            N_("a visible loss of quality"), N_("about 3.2 bits a weight"),
            N_("Perplexity ×1.56 on Llama-3-8B, where Llama-2-7B took ×1.11: well-trained small models have no bits to spare."),
            evidence=("weight-quantization|q2_K",), toll=0.39,
            default_on=N_("The file decides: llama.cpp reads what it holds."),
        ),
        Remedy(
            "pruning-50", N_("Prune half of the weights"), "serving", SERVING, "pruning", _served(sparsity=0.5),
            N_("quality, and no bytes saved without a sparse format"), N_("zeros are stored like any value"),
            N_("By magnitude OPT-175B falls from 70.3 to 31.1%; without a sparse kernel nothing is gained."), evidence=("pruning|50%",), toll=0.28,
        ),
        Remedy(
            "sparsity-2-4", N_("2:4 sparsity"), "serving", SERVING, "pruning", _served(sparsity="2:4"),
            N_("a loss of quality that shrinks with size"), N_("2 of 4 values and 2 bits of position for each: 9/16 of 16-bit weights"),
            N_("Small models: LLaMA-7B's perplexity goes from 5.68 to 11."), evidence=("pruning|2:4",), toll=0.76,
        ),
        Remedy(
            "kv-fp8", N_("KV cache in FP8"), "serving", SERVING, "cache", _served(kv="fp8"),
            N_("quality close to 16 bits"), N_("half the bytes of each cached token"),
            N_("Short contexts and small batches: the cache is not what is read."), toll=0.005,
            default_on=N_("Off by default in vLLM (the cache has the model's own format)."),
        ),
        Remedy(
            "kv-int8", N_("KV cache in INT8"), "serving", SERVING, "cache", _served(kv="int8"),
            N_("quality close to 16 bits"), N_("half the bytes of each cached token, and scales"),
            N_("Keys have outlier channels: scales per token round them badly."), toll=0.01,
        ),
        Remedy(
            "kv-4bit", N_("KV cache in 4 bits"), "serving", SERVING, "cache", _served(kv="q4_0"),
            N_("a loss of quality on long chains of thought"), N_("4.5 bits of each cached value"),
            N_("Reasoning over many steps; models with few KV heads."), toll=0.05,
            default_on=N_("Off by default in llama.cpp (the cache is kept in 16 bits)."),
        ),
        Remedy(
            "kv-2bit", N_("KV cache in 2 bits"), "serving", SERVING, "cache", None,
            N_("quality on reasoning"), N_("as published: 2.6 times less memory with weights (arXiv 2402.02750)"),
            N_("GSM8K with chain of thought falls from 54.2 to 30.2 on Llama-3-8B in a later paper."),
            evidence=("kv-quantization",), toll=0.2, figure="plane",
        ),
        Remedy(
            "gqa-8", N_("Grouped queries (8 KV heads)"), "model", ANY, "attention", _architecture(rebuild.grouped_queries, 8),
            N_("another model: 5% of its training to convert"), N_("KV cache × 8/heads (arXiv 2305.13245)"),
            N_("Models that have it already: most since Llama-3."), retrains=True, evidence=("grouped-query-attention|GQA-8-XXL",),
        ),
        Remedy(
            "mqa", N_("One KV head (MQA)"), "model", ANY, "attention", _architecture(rebuild.grouped_queries, 1),
            N_("another model, a little quality"), N_("KV cache × 1/heads (arXiv 1911.02150)"),
            N_("Tensor parallelism copies the one head to every GPU."), retrains=True, evidence=("grouped-query-attention|MQA-XXL",),
        ),
        Remedy(
            "mla", N_("Latent attention (MLA)"), "model", ANY, "attention", _architecture(rebuild.latent_attention),
            N_("another model, more arithmetic"), N_("4·d + d/2 elements a token and layer instead of 2·g·d (arXiv 2405.04434)"),
            N_("Tensor parallelism copies the latent to every GPU; models with few KV heads gain little."), retrains=True,
            evidence=("multi-head-latent-attention",),
        ),
        Remedy(
            "experts", N_("Mixture of experts, same active size"), "model", ANY, "experts", _architecture(rebuild.routed),
            N_("more memory, a larger critical batch"), N_("E(1 - (1 - k/E)^B) experts are read; critical batch × E/k"),
            N_("It saves FLOP for the same quality, not bytes: memory and critical batch grow."), retrains=True, evidence=("mixture-of-experts",),
        ),
        Remedy(
            "speculative", N_("Speculative decoding"), "serving", SERVING, "drafts", _drafts,
            N_("a draft model beside it"), N_("(1 - a^(g+1))/(1 - a) tokens for g·c + 1 passes (arXiv 2211.17192, theorem 3.8)"),
            N_("Large batches, where checking is bound by compute; drafts that are rarely accepted."),
            default_on=N_("Off by default in vLLM."), evidence=("speculative-decoding",),
        ),
        Remedy(
            "offload-weights", N_("Weights in host memory"), "serving", SERVING, "offload", _host_weights,
            N_("every token waits for PCIe"), N_("all weights over PCIe for each step (arXiv 2303.06865)"),
            N_("Whenever somebody waits for the answer: only large batches hide the transfer over PCIe."),
            default_on=N_("Off by default in vLLM."),
        ),
        Remedy(
            "split", N_("Split over more GPUs"), "serving", SERVING, "split", _more_gpus,
            N_("more GPUs, and traffic between them"), N_("1/t of the weights each, two all-reduces a layer (arXiv 1909.08053)"),
            N_("Over slow links: the starts of the all-reduces add to every token."),
            default_on=N_("Off by default in vLLM: one GPU."),
        ),
        Remedy(
            "half-batch", N_("Half as many sequences at once"), "serving", SERVING, "batch", _half("batch"),
            N_("half the sequences at once"), N_("half the cache; the weights are read for half as many tokens"),
            N_("Where the weights, not the cache, fill the memory."),
        ),
        Remedy(
            "half-context", N_("Half the context"), "serving", SERVING, "context", _half("context"),
            N_("half the context"), N_("half the cache of each sequence"),
            N_("Documents longer than that; where the weights, not the cache, fill the memory."),
        ),
        Remedy(
            "fewer-trials", N_("Fewer trials"), "run", ANY, "search", None,
            N_("early rounds may rank wrongly"), N_("1 + log_η n full runs instead of n (successive halving; a model of ours)"),
            N_("When settings that learn slowly win in the end: schedules, regularization."), figure="search",
        ),
        Remedy(
            "larger-batch", N_("Batches up to the critical one"), "run", TRAINING, "data", None,
            N_("more tokens to the same loss"), N_("steps D/B·(1 + B/C), each moving the states once (arXiv 1812.06162; traffic is a model of ours)"),
            N_("Beyond the critical batch tokens grow as fast as steps shrink."), figure="batch",
        ),
        Remedy(
            "loss-scaling", N_("Loss scaling"), "run", TRAINING, "scaling", None,
            N_("a scale to watch: too large a one overflows"),
            N_("gradients × 2ᵏ before they are rounded, ÷ 2ᵏ after (arXiv 1710.03740, section 3.2)"),
            N_("In FP8 one scale is too few: each tensor needs its own, and outliers beyond 448 are cut off."), figure="formats",
            default_on=N_("On with fp16 in Megatron-LM and in PyTorch's AMP; bf16 needs none."),
        ),
        Remedy(
            "more-bandwidth", N_("Faster memory on the same chip (H100 to H200)"), "hardware", ANY, "hardware",
            _chip(memory=141 / 80, bandwidth=4.8 / 3.35),
            N_("another card"), N_("bandwidth × 4.8/3.35, capacity × 141/80, same compute"),
            N_("Where compute bounds the step."), retrains=True, evidence=("bandwidth-upgrade",),
        ),
        Remedy(
            "less-compute", N_("Compute cut, bandwidth kept (H20)"), "hardware", ANY, "hardware",
            _chip(memory=96 / 80, bandwidth=4.0 / 3.35, flop=148 / 989.4),
            N_("a seventh of the compute"), N_("ridge 37 instead of 295 FLOP/B"),
            N_("Training and long prompts, which compute bounds."), retrains=True, evidence=("compute-cut",),
        ),
        Remedy(
            "hbm4", N_("HBM4 (B200 to Rubin)"), "hardware", ANY, "hardware", _chip(memory=288 / 180, bandwidth=22 / 8, flop=4.0 / 2.25),
            N_("announced, not measured"), N_("bandwidth × 22/8, 16-bit compute × 4/2.25"),
            N_("A vendor's announcement: nobody has measured it."), retrains=True, evidence=("hbm4",),
        ),
        Remedy(
            "in-memory", N_("Compute in memory (HBM-PIM)"), "hardware", SERVING, "hardware", _chip(bandwidth=4.92 / 1.23),
            N_("capacity, and kernels of its own"), N_("in-bank bandwidth 4.92 instead of 1.23 TB/s"),
            N_("Only vector products run in the banks; single source, survey quoting the vendor."), retrains=True,
            evidence=("processing-in-memory-hbm",),
        ),
        Remedy(
            "sram-wafer", N_("SRAM alone (wafer)"), "hardware", SERVING, "hardware",
            _chip(memory=44 / 80, bandwidth=21_000 / 3.35, flop=12.5e15 / 989.4e12),
            N_("capacity: 44 GB on a whole wafer"), N_("21 PB/s instead of 3.35 TB/s"),
            N_("Models that do not fit: hundreds of small SRAM chips for 70B."), retrains=True, evidence=("sram-only",),
        ),
        Remedy(
            "in-network", N_("Reduction in the network (SHARP)"), "hardware", TRAINING, "hardware", _chip(links=473.1 / 365.6),
            N_("switches that add up"), N_("all-reduce at 473 instead of 366 GB/s on 8 H200"),
            N_("One GPU, or traffic that is not a reduction."), retrains=True, evidence=("in-network-reduction", "gradient-bucketing"),
        ),
    )
}  # fmt: skip

#: Short names that people type.
ALIASES = {
    "full": "full-recompute",
    "recompute": "full-recompute",
    "flash": "flash-attention",
    "2:4": "sparsity-2-4",
    "awq": "weights-4bit",
    "moe": "experts",
}
