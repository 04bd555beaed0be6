"""One job on so many chips, asked by its options: a training step (`training_job`) or decoding (`serving_job`)."""

from __future__ import annotations

from typing import Any

from wallviz import checks
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory.run import FIELDS, Run, whole
from wallviz.engine.scaleout.budget import MOST_PUE, PUE
from wallviz.engine.scaleout.chip import EFFICIENCY
from wallviz.engine.scaleout.fabric import ACROSS_BYTES_PER_S, LINK_EFFICIENCY, PER_NODE, Fabric, inside_bytes_per_s
from wallviz.engine.scaleout.scaling import MOST_GPUS
from wallviz.engine.scaleout.serving_job import ENGINE, SERVING, ServingOnChips, serving
from wallviz.engine.scaleout.training_job import TrainingOnChips, copied, training
from wallviz.engine.transformer import Architecture
from wallviz.errors import InputError
from wallviz.i18n import N_

JOBS = ("train", "finetune", "infer")


def on_chips(
    arch: Architecture,
    chip: Accelerator,
    *,
    gpus: Any = 8,
    job: str = "train",
    gpus_per_node: Any = PER_NODE,
    overlap: str = "none",
    inside: float | None = None,
    across: float | None = None,
    link_efficiency: float = LINK_EFFICIENCY,
    efficiency: float | None = None,
    half_square: bool = False,
    global_batch: Any = None,
    tokens: float | None = None,
    price_per_hour: float | None = None,
    pue: float = PUE,
    **fields: Any,
) -> TrainingOnChips | ServingOnChips:
    """What `gpus` of `chip` do with `job` (``train``, ``finetune`` or ``infer``).

    `inside` and `across` are bytes per second of one direction and one GPU (the chip's own links, and an adapter of 400 Gbit/s, where not
    given); `efficiency` is the share of the chip's roof that kernels reach, arithmetic and reading alike (0.70 of the peak and 0.69 of the
    bandwidth, where not given: `scaleout.chip`); `half_square` counts the half of attention over a sequence that a causal mask keeps. `fields` are
    those of `memory.run.Run` (fine-tuning: LoRA adapters where no method is named), serving: those of `SERVING`. Raises InputError, one
    sentence, for what cannot run.
    """
    if str(job) not in JOBS:  # an array is no word
        raise InputError(N_("no job is called {job}: choose from {choices}"), job=checks.said(job), choices=", ".join(JOBS))
    served = (*SERVING, *ENGINE)
    mine, other, other_job = (served, FIELDS, "train") if job == "infer" else (FIELDS, served, "infer")
    for name, value in fields.items():
        if name in mine:
            _one(name, value)
            continue
        if name in other:
            raise InputError(
                N_("{name} is an option of {jobs}, not of {job}: leave it out, or ask about that job"), name=name, jobs=other_job, job=job
            )
        raise InputError(N_("no option is called {name}: choose from {choices}"), name=name[:40], choices=", ".join(mine))
    checks.switch("half_square", half_square)
    for name, value in (("global_batch", global_batch), ("tokens", tokens), ("price_per_hour", price_per_hour), ("pue", pue), ("overlap", overlap)):
        _one(name, value)
    if job == "infer":
        for name, given in (("overlap", overlap != "none"), ("global_batch", global_batch is not None), ("half_square", half_square)):
            if given:
                raise InputError(
                    N_("{name} is an option of {jobs}, not of {job}: leave it out, or ask about that job"), name=name, jobs=other_job, job=job
                )
    for name, value in (("gpus", gpus), ("gpus_per_node", gpus_per_node)):
        _one(name, value)
        whole(name, value, 1, MOST_GPUS)
    rates = [_rate("link_inside", inside), _rate("link_across", across)]
    for name, value in (("link_efficiency", link_efficiency), ("efficiency", EFFICIENCY if efficiency is None else efficiency)):
        _one(name, value)
        checks.share(name, value)
    checks.above_zero("pue", pue, 1.0, MOST_PUE)
    fabric = Fabric(rates[0] or inside_bytes_per_s(chip), rates[1] or ACROSS_BYTES_PER_S, int(gpus_per_node), link_efficiency)
    bill: dict[str, Any] = {"tokens": tokens, "price_per_hour": price_per_hour, "pue": pue}
    if efficiency is not None:
        bill |= {"efficiency": efficiency, "bandwidth_efficiency": efficiency}
    if job == "infer":
        return serving(arch, chip, fabric, int(gpus), **bill, **fields)
    run = copied(Run(**({"method": "lora"} if job == "finetune" else {}) | fields), int(gpus))
    return training(arch, chip, fabric, run, overlap=overlap, half_square=half_square, global_batch=global_batch, **bill)


def _one(name: str, value: Any) -> None:
    """Raises InputError where several values are given, or a switch is neither on nor off: a job is one run."""
    checks.single(name, value)
    if name in ("sequence_parallel", "dropout"):
        checks.switch(name, value)


def _rate(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not checks.is_number(value, 1.0, checks.MOST):
        shown = value / 1e9 if isinstance(value, float) else checks.said(value)
        raise InputError(N_("{name} cannot be {value}: give GB/s of one direction, above 0."), name=name, value=shown)
    return float(value)
