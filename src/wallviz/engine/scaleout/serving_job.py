"""Decoding split over so many chips, asked whole: how it scales, on how many chips it fits, what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wallviz import checks
from wallviz.engine.hardware import Accelerator
from wallviz.engine.memory import serve
from wallviz.engine.memory.capacity import Verdict, verdict
from wallviz.engine.memory.run import divides, whole
from wallviz.engine.scaleout import scaling
from wallviz.engine.scaleout.budget import PUE, Budget, bill
from wallviz.engine.scaleout.chip import BANDWIDTH_EFFICIENCY, EFFICIENCY
from wallviz.engine.scaleout.decode import Decode, decode
from wallviz.engine.scaleout.fabric import Fabric
from wallviz.engine.scaleout.scaling import MOST_GPUS
from wallviz.engine.transformer import Architecture, Attention, LatentAttention
from wallviz.engine.work import KERNELS
from wallviz.errors import InputError
from wallviz.i18n import N_

#: Fields of serving beside those of the chips.
SERVING = ("batch", "context", "weights", "kv", "kernels", "pipeline_parallel", "expert_parallel", "replicas")
#: What the memory of serving depends on beside these: arguments of `memory.serve.infer`.
ENGINE = ("sparsity", "imatrix", "engine", "block", "chunk", "prompt", "prefix", "encoder_context", "graphs")
#: What the model of decoding leaves out; marked for translation.
NOT_MODELLED_SERVING = (
    N_("reading the prompt"),
    N_("requests of different lengths, and their scheduling"),
    N_("launches of kernels"),
    N_("all-reduces written for small messages"),
    N_("experts used unevenly"),
    N_("congestion by other traffic"),
)
_POWERS = tuple(2**n for n in range(17))


@dataclass(frozen=True)
class ServingOnChips:
    """A decoding step split over so many chips, and over fewer and more tensor parallel ranks."""

    arch: Architecture
    chip: Accelerator
    fabric: Fabric
    batch: int
    """Sequences at once of each copy."""
    context: int
    weights: str
    kv: str
    efficiency: float
    """Share of the peak that arithmetic reaches."""
    bandwidth_efficiency: float
    """Share of the bandwidth that reading reaches."""
    layout: Mapping[str, int]
    """Tensor, pipeline and expert parallel ranks, and copies (`replicas`): their product is the number of chips."""
    step: Decode
    curve: Decode
    """Tensor parallel ranks in powers of two, the rest of the layout as it is: up to 64, or four times those of the layout."""
    peak_bytes: float
    """Memory of one chip (`memory.serve`)."""
    curve_bytes: tuple[float, ...]
    """The same on the curve."""
    error_band: float
    budget: Budget | None

    @property
    def fits(self) -> bool | None:
        """Whether the chip's memory surely holds it (`memory.capacity.holds`); None where its size is not known."""
        return self.runs_out.fits

    @property
    def runs_out(self) -> Verdict:
        """Whether it runs out of memory."""
        return verdict(self.peak_bytes, self.error_band, self.chip.memory_bytes)

    @property
    def holding(self) -> NDArray[np.bool_]:
        """Which chip counts of the curve hold it, the error band included; all where the chip's memory is not known."""
        return np.array([not verdict(need, self.error_band, self.chip.memory_bytes).doubtful for need in self.curve_bytes])

    @property
    def fewest(self) -> int | None:
        """The fewest chips on the curve that hold it; None where none does."""
        at = np.flatnonzero(self.holding)
        return int(np.atleast_1d(self.curve.chips)[at[0]]) if len(at) else None

    @property
    def stops_paying(self) -> int | None:
        """The number of chips, of those that hold it, from which on doubling brings less than 1.5 times the speed; None where it never does."""
        first = int(np.flatnonzero(self.holding)[0]) if self.holding.any() else 0
        return scaling.stop(np.atleast_1d(self.curve.chips)[first:], np.atleast_1d(self.curve.tokens_per_s)[first:])

    @property
    def pays_up_to(self) -> int:
        """The number of chips up to which every doubling pays: where it stops, or the last over which the heads can be shared."""
        return self.stops_paying or int(np.atleast_1d(self.curve.chips)[-1])


def serving(
    arch: Architecture,
    chip: Accelerator,
    fabric: Fabric,
    gpus: int,
    *,
    batch: Any = 1,
    context: Any = 4096,
    weights: str = "bf16",
    kv: str = "bf16",
    pipeline_parallel: Any = 1,
    expert_parallel: Any = 1,
    replicas: Any = None,
    kernels: str = "flash",
    efficiency: float = EFFICIENCY,
    bandwidth_efficiency: float = BANDWIDTH_EFFICIENCY,
    tokens: float | None = None,
    price_per_hour: float | None = None,
    pue: float = PUE,
    beyond: bool = True,
    **engine: Any,
) -> ServingOnChips:
    """Decoding on `gpus` chips: what pipeline, experts and copies leave over are tensor parallel ranks, as on the footprint page.

    Where no `replicas` are named there is one copy, or the fewest that leave ranks which can share the heads. Each copy serves `batch`
    sequences of its own. Without `beyond` the curve is that one number of chips. `engine` are those of `ENGINE`.
    """
    if arch.layers and all(layer.encoder for layer in arch.layers):
        raise InputError(
            N_("{model} has an encoder alone and generates no tokens: ask about training, or choose a model that has a decoder."), model=arch.name
        )
    checks.one_of("kernels", kernels, KERNELS)
    whole("batch", batch, 1, MOST_GPUS)
    whole("context", context, 1, 100_000_000)
    for name, value in (("pipeline_parallel", pipeline_parallel), ("expert_parallel", expert_parallel), ("replicas", replicas or 1)):
        whole(name, value, 1, MOST_GPUS)
    layout = split(arch, gpus, int(pipeline_parallel), int(expert_parallel), None if replicas is None else int(replicas))
    t, apart = layout["tensor_parallel"], {name: n for name, n in layout.items() if name != "tensor_parallel"}
    counts = np.array([n for n in sorted({*_POWERS, t} if beyond else {t}) if n <= max(4 * t, 64) and (n == t or _shares_heads(arch, n))])
    stored = {"weights": str(weights), "kv": str(kv)}
    options: dict[str, Any] = (
        apart
        | stored
        | {
            "batch": batch,
            "context": context,
            "kernels": kernels,
            "efficiency": efficiency,
            "bandwidth_efficiency": bandwidth_efficiency,
        }
        | {name: engine[name] for name in ("sparsity", "imatrix", "encoder_context") if name in engine}
    )
    curve = decode(arch, chip, fabric, tensor_parallel=counts, **options)
    one = curve.at(int(np.flatnonzero(counts == t)[0]))
    shared = (layout["pipeline_parallel"], layout["expert_parallel"], int(batch), int(context))
    needs = {n: _serving_bytes(arch, n, *shared, **stored, **engine) for n in counts.tolist()}
    return ServingOnChips(
        arch,
        chip,
        fabric,
        int(batch),
        int(context),
        weights,
        kv,
        efficiency,
        bandwidth_efficiency,
        layout,
        one,
        curve,
        needs[t],
        tuple(needs[n] for n in counts.tolist()),
        serve.ERROR_BAND,
        bill(chip, float(one.tokens_per_s), gpus, tokens, price_per_hour, pue),
    )


def _shares_heads(arch: Architecture, ranks: int) -> bool:
    """Whether so many tensor parallel ranks can share every layer's heads, and each key and value head goes to whole ranks."""
    for mixer in _attention(arch):
        cached = mixer.kv_heads if isinstance(mixer, Attention) else 0
        if mixer.heads % ranks or (cached > ranks and cached % ranks):
            return False
    return True


def _attention(arch: Architecture) -> list[Attention | LatentAttention]:
    return [layer.mixer for layer, _count in arch.groups if isinstance(layer.mixer, Attention | LatentAttention)]


def split(arch: Architecture, gpus: int, pipeline_parallel: int = 1, expert_parallel: int = 1, replicas: int | None = None) -> dict[str, int]:
    """How serving shares `gpus`: what pipeline, experts and copies leave over are tensor parallel ranks; raises InputError where it does not divide.

    >>> from wallviz.engine.transformer import architecture
    >>> gpt2 = architecture({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257})
    >>> split(gpt2, 8)
    {'tensor_parallel': 4, 'pipeline_parallel': 1, 'expert_parallel': 1, 'replicas': 2}
    """
    serve.shared_by(arch, expert_parallel)
    world = pipeline_parallel * expert_parallel * (replicas or 1)
    if gpus % world:
        raise InputError(
            N_("{count} GPUs cannot be shared by {world} ranks: give a multiple of {world}, or change the parallelism."),
            count=f"{gpus:,}",
            world=f"{world:,}",
        )
    left = gpus // world
    copies = replicas or next(n for n in range(1, left + 1) if left % n == 0 and _shares_heads(arch, left // n))
    t = left if replicas else left // copies
    for mixer in _attention(arch):
        divides("num_attention_heads", mixer.heads, "tensor_parallel", t)
    return {"tensor_parallel": t, "pipeline_parallel": pipeline_parallel, "expert_parallel": expert_parallel, "replicas": copies}


def shared(
    arch: Architecture, gpus: int, tensor_parallel: int = 1, pipeline_parallel: int = 1, expert_parallel: int = 1, replicas: int = 0
) -> dict[str, int]:
    """How serving shares `gpus` where tensor parallelism or copies may be named: ranks and copies, whose product is the number of GPUs.

    Tensor parallelism that is not named (1) takes all that pipeline, experts and copies leave and that can share the heads; where it is named,
    what is left over are copies. A split that takes more GPUs than there are stands for itself, as in training.
    """
    t, p, e = tensor_parallel, pipeline_parallel, expert_parallel
    if t == 1:
        return split(arch, max(gpus, p * e * max(1, replicas)), p, e, replicas or None)
    apart = t * p * e
    if not replicas and gpus > apart and gpus % apart:
        raise InputError(
            N_("{count} GPUs cannot be shared by {world} ranks: give a multiple of {world}, or change the parallelism."),
            count=f"{gpus:,}",
            world=f"{apart:,}",
        )
    return {"tensor_parallel": t, "pipeline_parallel": p, "expert_parallel": e, "replicas": replicas or max(1, gpus // apart)}


def on_gpus(arch: Architecture, options: Mapping[str, Any], gpus: int) -> tuple[dict[str, Any], int]:
    """Options of serving (`memory.serve.infer`, and `replicas`) as they are on `gpus`, and the copies; on one GPU they are as they were given."""
    found = dict(options)
    copies = found.pop("replicas", 0)
    names = ("tensor_parallel", "pipeline_parallel", "expert_parallel")
    ranks = [found.get(name, 1) for name in names]
    for name, value in zip((*names, "replicas"), (*ranks, copies or 1), strict=True):
        whole(name, value, 1, MOST_GPUS)
    if gpus == 1 and not copies:
        return found, 1
    t, p, e = (int(n) for n in ranks)
    # copies that nobody named are no answer to GPUs that cannot share the heads; more stages, experts or copies than GPUs are a mistake
    layout = split(arch, gpus, p, e, int(copies) or 1) if t == 1 < gpus else shared(arch, gpus, t, p, e, int(copies))
    copies = layout.pop("replicas")
    return found | {name: n for name, n in layout.items() if n != found.get(name, 1)}, copies


@lru_cache(maxsize=4096)
def _serving_bytes(arch: Architecture, t: int, p: int, e: int, batch: int, context: int, **options: Any) -> float:
    """Memory of one chip."""
    needs = serve.infer(arch, batch=batch, context=context, tensor_parallel=t, pipeline_parallel=p, expert_parallel=e, **options)
    return float(np.max(needs.peak_total_bytes))
