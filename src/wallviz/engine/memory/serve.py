"""Serving a model: weights, KV cache, the forward pass and what the runtime keeps, on one GPU; and how many sequences fit.

The engine is vLLM, which fills what is left of its share of the memory with pages of KV cache (arXiv 2309.06180), or transformers'
``generate``, which takes the whole prompt at once. Weights and cache are exact; the forward pass and the overheads are estimates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from wallviz import checks
from wallviz.engine.memory import kv_cache, quantization
from wallviz.engine.memory.overheads import COMMUNICATOR_BYTES, CONTEXT_BYTES
from wallviz.engine.memory.run import divides, whole
from wallviz.engine.memory.terms import Quantity, Symbols, Term, Terms, plain, total
from wallviz.engine.transformer import Architecture, Attention, Dense, Experts, LatentAttention, Layer, Recurrent, Tensor
from wallviz.errors import InputError
from wallviz.i18n import N_

ENGINES = ("vllm", "hf")
#: Tokens that vLLM V1 prefills at once: max_num_batched_tokens of its server on a large GPU.
CHUNK = 8192
#: Captured decode graphs: vLLM logs 0.3 to 1 GiB ("Graph capturing finished in ..., took ... GiB").
GRAPHS_BYTES = 0.5 * 2**30
#: cuBLAS workspace of torch on Hopper and later, 32 MiB.
WORKSPACE_BYTES = 32 * 2**20
#: Of the total, for one GPU at moderate batch; see tests/test_serve.py for the calibration rows and their misses.
ERROR_BAND = 0.15


@dataclass(frozen=True, slots=True)
class Serving:
    """What serving takes on one GPU, in bytes: under pipeline parallelism on the fullest stage."""

    weights_bytes: Quantity
    """Weights in their format."""
    kv_cache_bytes: Quantity
    """KV cache and recurrent states of `batch` sequences of `context` tokens, in whole blocks."""
    kv_bytes_per_token: float
    """What one more token of one sequence adds while every window still fills."""
    activation_bytes: Quantity
    """Peak of the forward pass: an estimate."""
    overheads: Mapping[str, Quantity]
    """``context`` (CUDA), ``graphs`` (captured decode graphs), ``other`` (communicators, workspaces): estimates."""
    max_concurrency: Quantity | None
    """Sequences of `context` tokens that fit into the engine's pool, as vLLM prints it; None without hardware."""
    max_concurrency_reason: str | None
    """Why `max_concurrency` is None or 0, as a sentence; None otherwise."""
    pool_bytes: Quantity | None
    """KV cache that the engine can hold; None without hardware."""
    terms: Terms
    """Every line with its formula; they sum to `peak_total_bytes`."""
    notes: tuple[str, ...] = ()
    """What a reader has to know: assumptions, and what a setting does not do."""
    error_band: float = ERROR_BAND
    """Relative error to expect of `peak_total_bytes`."""

    @property
    def peak_total_bytes(self) -> Quantity:
        """All of it."""
        return self.weights_bytes + self.kv_cache_bytes + self.activation_bytes + sum(self.overheads.values())


def infer(
    arch: Architecture,
    *,
    batch: Quantity = 1,
    context: Quantity,
    weights: str = "bf16",
    kv: str = "bf16",
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    expert_parallel: int = 1,
    hardware_bytes: float | None = None,
    utilization: float = 0.9,
    block: int = 16,
    prefix: Quantity = 0,
    sparsity: str | float | None = None,
    engine: str = "vllm",
    chunk: int = CHUNK,
    prompt: Quantity | None = None,
    encoder_context: Quantity | None = None,
    imatrix: bool = False,
    graphs: bool = True,
) -> Serving:
    """What `arch` takes to serve `batch` sequences of `context` tokens, and how many such sequences the hardware holds.

    weights + KV cache + forward pass + overheads. The pool of an engine is utilization·HBM - weights - forward pass - graphs - other
    (arXiv 2309.06180, section 4; vLLM's profile run), never more than what is left beside the CUDA context. `weights` is a format of
    `quantization`, `kv` one of `kv_cache.FORMATS`; `prefix` tokens are shared by all sequences; `prompt` is how many of the tokens are
    prefilled (all, where not given); `chunk` is how many vLLM prefills at once. Expert parallel groups share the sequences and the experts, and
    each has a copy of the rest: memory is that of the group with the most sequences. `batch`, `context`, `prefix` and `prompt` may be arrays.

    >>> from wallviz.engine.transformer import Tensor
    >>> block8 = Layer(Attention(32, 8, 128, 128), Dense(14336, gated=True), (Tensor("w", (218103808, 1), "mlp", linear=True),))
    >>> llama = Architecture("Llama-3.1-8B", "llama", 4096, 128256, (block8,) * 32, (), tied=False)
    >>> served = infer(llama, batch=1, context=8192)
    >>> served.kv_cache_bytes / 2**30, served.kv_bytes_per_token, served.max_concurrency
    (1.0, 131072.0, None)

    Raises InputError for unknown formats, numbers out of range, and tensor parallelism that does not divide the heads.
    """
    split = {"tensor_parallel": tensor_parallel, "pipeline_parallel": pipeline_parallel, "expert_parallel": expert_parallel}
    for name, value in (*split.items(), ("sparsity", sparsity), ("block", block)):
        checks.single(name, value)
    for name, value in (("imatrix", imatrix), ("graphs", graphs)):
        checks.switch(name, value)
    _check(
        arch, batch, context, tensor_parallel, pipeline_parallel, expert_parallel, hardware_bytes, utilization, prefix, engine, chunk, prompt, weights
    )
    prompt = context if prompt is None else prompt
    batch = plain(np.ceil(np.asarray(batch, float) / expert_parallel))  # of the fullest group
    shape = _shape(batch, context, prefix, prompt)
    paged = block if engine == "vllm" else 1
    shared_prefix = prefix if engine == "vllm" else 0
    cache = {"format": kv, "tensor_parallel": tensor_parallel, "block": paged, "encoder_context": encoder_context}

    stages = _stages(arch, pipeline_parallel)
    held = [_weights(arch, stage, weights, sparsity, tensor_parallel, expert_parallel, imatrix=imatrix) for stage in stages]
    part = [replace(arch, layers=arch.layers[stage.start : stage.stop]) for stage in stages]
    caches = [kv_cache.terms(one, batch=batch, context=context, prefix=shared_prefix, **cache) for one in part]  # type: ignore[arg-type]
    fullest = int(np.argmax([float(np.max(total((*held[i], *lines)))) for i, lines in enumerate(caches)]))
    own, kv_lines = part[fullest], caches[fullest]
    weight_bytes, kv_bytes = float(total(held[fullest])), plain(total(kv_lines) + np.zeros(shape))

    last = fullest == len(stages) - 1
    element = 4.0 if weights.strip().lower() == "fp32" else 2.0
    forward = _forward(own, engine, batch, prompt, chunk, tensor_parallel, kv_bytes, element, head=last and _has_head(arch))
    activations = total(forward)
    on_top = _overheads(engine, (tensor_parallel > 1) + (pipeline_parallel > 1) + (expert_parallel > 1), graphs=graphs)
    overheads = {term.part: term.bytes for term in on_top}
    reason: str | None = N_("Without hardware there is no pool to fill: name an accelerator.")
    concurrency = pool = None
    if hardware_bytes is not None:
        pool, concurrency = _capacity(own, hardware_bytes, utilization, weight_bytes, activations, overheads, context, shared_prefix, cache)
        full = bool(np.all(np.asarray(concurrency) == 0))
        reason = N_("The weights and the forward pass leave no room for a KV cache: more GPUs, fewer bits, or a larger one.") if full else None
    return Serving(
        weight_bytes,
        kv_bytes,
        kv_cache.bytes_per_token(own, format=kv, tensor_parallel=tensor_parallel),
        activations,
        overheads,
        concurrency,
        reason,
        pool,
        tuple(term for term in (*held[fullest], *kv_lines, *forward, *on_top) if np.any(term.bytes)),
        _notes(arch, engine, sparsity, encoder_context, prefix),
    )


def pool_bytes(
    hardware_bytes: float, utilization: float, weights: Quantity, activations: Quantity, graphs: Quantity, other: Quantity, context: Quantity
) -> Quantity:
    """KV pool of an engine: utilization·HBM - weights - activation peak - graphs - other, and not what the CUDA context occupies.

    >>> pool_bytes(80e9, 0.9, 16e9, 1e9, 0.5e9, 0.1e9, 0.3e9) / 1e9
    54.4
    """
    used = weights + activations + graphs + other
    return plain(np.maximum(0.0, np.minimum(utilization * hardware_bytes, hardware_bytes - context) - used))


def _capacity(
    arch: Architecture,
    hardware_bytes: float,
    utilization: float,
    weights: Quantity,
    activations: Quantity,
    overheads: Mapping[str, Quantity],
    context: Quantity,
    prefix: Quantity,
    cache: Mapping[str, object],
) -> tuple[Quantity, Quantity]:
    """The pool and how many sequences it holds: pages of the pool over pages of a sequence; the shared prefix is held once."""
    pool = pool_bytes(hardware_bytes, utilization, weights, activations, overheads["graphs"], overheads["other"], overheads["context"])
    one, two = (kv_cache.kv_cache_bytes(arch, batch=b, context=context, prefix=prefix, **cache) for b in (1, 2))  # type: ignore[arg-type]
    own = np.asarray(two) - one
    shared = one - own
    page = int(cache["block"]) * kv_cache.bytes_per_token(arch, format=str(cache["format"]), tensor_parallel=int(cache["tensor_parallel"]))  # type: ignore[call-overload]
    if not page:  # recurrent states alone: whole sequences; nothing cached at all: any number
        return pool, plain(np.where(own > 0, np.floor(pool / np.maximum(own, 1)), np.inf))
    return pool, plain(np.maximum(0.0, pool // page - np.ceil(shared / page)) / np.ceil(own / page))


def _stages(arch: Architecture, parts: int) -> tuple[range, ...]:
    """Layers of each pipeline stage: as even as they go, the earlier stages one more."""
    each, rest = divmod(len(arch.layers), parts)
    return tuple(range(i * each + min(i, rest), (i + 1) * each + min(i + 1, rest)) for i in range(parts))


@lru_cache(maxsize=512)
def _weights(
    arch: Architecture, stage: range, weights: str, sparsity: str | float | None, tensor_parallel: int, expert_parallel: int, *, imatrix: bool
) -> Terms:
    """The weights of one rank of one stage, a term for each way in which they are stored."""
    first, last = stage.start == 0, stage.stop == len(arch.layers)
    bits: dict[str, float] = {}
    elements: defaultdict[str, float] = defaultdict(float)
    scales: defaultdict[str, float] = defaultdict(float)
    for one in quantization.stored(arch, weights, sparsity=sparsity, imatrix=imatrix):
        if one.layer is None:
            at_end = one.tensor.component in ("lm_head", "norm")
            shared = arch.tied and one.tensor.component == "embedding" and one.tensor.shape[0] == arch.vocab
            if not ((first and not at_end) or (last and (at_end or shared))):
                continue
            layer = None
        elif one.layer in stage:
            layer = arch.layers[one.layer]
        else:
            continue
        mine, kind = share(one.tensor, layer, tensor_parallel), f"P_{one.kind}".replace("-", "_")
        if one.tensor.component == "routed_experts":
            mine /= expert_parallel
        bits[kind] = one.bits
        elements[kind] += one.tensor.size * mine
        scales[kind] += one.scale_bytes * mine
    if len(set(bits.values())) == 1 and not any(scales.values()):  # stored alike, whatever it is
        bits, elements = {"P": next(iter(bits.values()))}, defaultdict(float, P=sum(elements.values()))
    name, part, source = N_("weights"), "weights", quantization.source(weights)
    terms = [
        Term(name, part, f"bits/8·{kind}" + (" + scales" if scales[kind] else ""), {"bits": bits[kind], kind: size, "scales": scales[kind]}, source)
        for kind, size in elements.items()
    ]
    routers = sum(isinstance(arch.layers[i].mlp, Experts) for i in stage) / max(1, sum(isinstance(layer.mlp, Experts) for layer in arch.layers))
    if biases := arch.router_bias * routers:
        terms.append(Term(name, part, "4·P_bias", {"P_bias": biases}, N_("DeepSeek-V3's model card: router biases in fp32")))
    return tuple(terms)


def share(tensor: Tensor, layer: Layer | None, tensor_parallel: int) -> float:
    """How much of a tensor one rank holds (arXiv 1909.08053, section 3): 1/t of linear layers, embedding and head; all of the rest.

    Keys and values keep at least one head a rank; MLA's down-projections, routers and norms are on each.
    """
    t = tensor_parallel
    name = tensor.name.removesuffix(".weight").rsplit(".", 1)[-1]
    split = tensor.linear or (tensor.component in ("embedding", "lm_head") and len(tensor.shape) > 1)
    if t == 1 or not split or tensor.component in ("router", "vision") or name in ("q_a_proj", "kv_a_proj_with_mqa", "attn_kv_a_mqa"):
        return 1.0
    mixer = None if layer is None else layer.mixer
    if isinstance(mixer, Attention) and tensor.component == "attention" and mixer.kv_heads < t:
        if name in ("k_proj", "v_proj"):
            return 1 / mixer.kv_heads
        both = 2 * mixer.kv_heads
        if name in ("qkv_proj", "query_key_value", "c_attn", "Wqkv", "qkv"):
            return (mixer.heads / t + 2) / (mixer.heads + both)
    return 1 / t


# ---------------------------------------------------------------- the forward pass


def _forward(
    arch: Architecture,
    engine: str,
    batch: Quantity,
    prompt: Quantity,
    chunk: int,
    tensor_parallel: int,
    kv_bytes: Quantity,
    element: float,
    *,
    head: bool,
) -> Terms:
    """The live tensors of a forward pass without gradients: those of the widest layer, and the logits. An estimate."""
    paged = engine == "vllm"
    widest = max((layer_elements(layer, arch.hidden_size, tensor_parallel, engine) for layer, _count in arch.groups), default=0)
    sizes = {"chunk": chunk, "elements": widest, "bytes": element, "V": arch.vocab, "KV": kv_bytes, "L": len(arch.layers)}
    symbols: Symbols = {"b": plain(batch), "s": plain(prompt), **sizes}
    lines = [
        Term(
            N_("forward pass, widest layer"),
            "activations",
            "min(b·s, chunk)·elements·bytes" if paged else "b·s·elements·bytes",
            symbols,
            N_("estimate: the tensors of one layer that live at once"),
        )
    ]
    if head:
        # vLLM computes logits where it samples; transformers before 4.45, and a plain forward pass, for every position
        formula = "(bytes + 4)·V·b" if paged else "(bytes + 4)·V·b·s"
        lines.append(Term(N_("logits"), "activations", formula, symbols, N_("estimate: logits and their fp32 copy")))
    if not paged and arch.layers:
        # torch.cat builds the longer cache of one layer beside the one it replaces
        source = N_("transformers, DynamicCache.update: keys are concatenated, then values")
        lines.append(Term(N_("copy of one layer's cache"), "activations", "KV/(2·L)", symbols, source))
    return tuple(lines)


def layer_elements(layer: Layer, hidden: int, tensor_parallel: int = 1, engine: str = "vllm") -> int:
    """Elements per token that live at the peak of one layer: residual stream and input (2h), and the wider of mixer and feed-forward.

    Attention holds q, k, v and its output, (2a + ...)·d; a gated feed-forward the two halves and their product, 3f; experts k·(max(2f, h)
    + f) and their input and output; MLA q, the latent, keys and values of all heads, and its output; a recurrent mixer about four times its
    inner width.

    >>> layer_elements(Layer(Attention(32, 8, 128, 128), Dense(14336, gated=True), ()), 4096)  # Llama-3.1-8B: 2·4,096 + 3·14,336
    51200
    """
    return 2 * hidden + max(_mixer_elements(layer, tensor_parallel, engine), _mlp_elements(layer, hidden, tensor_parallel))


def _mixer_elements(layer: Layer, t: int, engine: str) -> int:
    mixer = layer.mixer
    if isinstance(mixer, Attention):
        heads, kv_heads = -(-mixer.heads // t), -(-mixer.kv_heads // t)
        width = heads * (mixer.head_dim + mixer.value_dim) + kv_heads * (mixer.head_dim + mixer.value_dim)
        # transformers repeats keys and values for each query head where they are shared
        return width + (heads * (mixer.head_dim + mixer.value_dim) if engine == "hf" and kv_heads < heads else 0)
    if isinstance(mixer, LatentAttention):
        heads, query = -(-mixer.heads // t), mixer.nope_dim + mixer.rope_dim
        expanded = heads * (mixer.nope_dim + mixer.value_dim)  # kv_b's output
        return heads * query + mixer.kv_rank + mixer.rope_dim + expanded + heads * query + heads * mixer.value_dim
    if isinstance(mixer, Recurrent):
        return 4 * mixer.inner // t
    return 0


def _mlp_elements(layer: Layer, hidden: int, t: int) -> int:
    mlp = layer.mlp
    if isinstance(mlp, Dense):
        return (3 if mlp.gated else 2) * mlp.width // t
    if isinstance(mlp, Experts):
        halves = (2 if mlp.gated else 1) * mlp.width // t
        routed = mlp.top_k * (max(halves, mlp.input_width or hidden) + mlp.width // t)
        # router logits and weights in fp32, two 16-bit elements each
        return routed + hidden + 3 * mlp.shared_width // t + 2 * mlp.count
    return 0


def _has_head(arch: Architecture) -> bool:
    return arch.tied or any(tensor.component == "lm_head" for tensor in arch.outer)


# ---------------------------------------------------------------- words and checks


def _overheads(engine: str, communicators: int, *, graphs: bool) -> Terms:
    captured = GRAPHS_BYTES if engine == "vllm" and graphs else 0.0
    others = {"workspace": WORKSPACE_BYTES, "n": communicators, "communicator": COMMUNICATOR_BYTES}
    source = N_("estimate: 0.5 to 0.7 GB per communicator, 32 MiB of cuBLAS workspace")
    return (
        Term(N_("CUDA context"), "context", "constant", {"constant": CONTEXT_BYTES}, N_("estimate: about 0.3 GB on every GPU")),
        Term(N_("captured graphs"), "graphs", "constant", {"constant": captured}, N_("estimate: vLLM logs 0.3 to 1 GiB")),
        Term(N_("communicators and workspaces"), "other", "workspace + n·communicator", others, source),
    )


def _notes(arch: Architecture, engine: str, sparsity: str | float | None, encoder_context: Quantity | None, prefix: Quantity) -> tuple[str, ...]:
    notes = [N_("The forward pass and the overheads are estimates; weights and KV cache are exact.")]
    if isinstance(quantization.removed(sparsity), float):
        notes.append(quantization.PRUNING_NOTE)
    if encoder_context is None and any(isinstance(layer.mixer, Attention) and layer.mixer.cross for layer in arch.layers):
        notes.append(N_("The encoder's sequence is taken to be as long as the context."))
    if (
        engine == "vllm"
        and any(isinstance(layer.mixer, Recurrent) for layer in arch.layers)
        and any(isinstance(layer.mixer, Attention | LatentAttention) for layer in arch.layers)
    ):
        notes.append(N_("Engines pad the pages of hybrid models to one size, which takes up to a few percent more."))
    if engine == "hf" and np.any(np.asarray(prefix) > 0):
        notes.append(N_("transformers keeps a shared prefix once per sequence: sharing needs an engine with pages."))
    return tuple(notes)


def _check(
    arch: Architecture,
    batch: Quantity,
    context: Quantity,
    tensor_parallel: int,
    pipeline_parallel: int,
    expert_parallel: int,
    hardware_bytes: object,
    utilization: object,
    prefix: Quantity,
    engine: str,
    chunk: int,
    prompt: Quantity | None,
    weights: str,
) -> None:
    kv_cache.counted("batch", batch)
    kv_cache.counted("context", context)
    whole("tensor_parallel", tensor_parallel, 1, 65_536)
    whole("pipeline_parallel", pipeline_parallel, 1, max(1, len(arch.layers)))
    whole("expert_parallel", expert_parallel, 1, 65_536)
    shared_by(arch, expert_parallel)
    kv_cache.counted("chunk", chunk)
    kv_cache.counted("prefix", prefix, 0)
    if prompt is not None:
        kv_cache.counted("prompt", prompt)
        if np.any(np.asarray(prompt) > np.asarray(context)):
            raise InputError(N_("The prompt of {prompt} tokens is longer than the context of {context}: shorten it."), prompt=prompt, context=context)
    if np.any(np.asarray(prefix) >= np.asarray(context)):
        raise InputError(
            N_("The shared prefix of {prefix} tokens leaves nothing of the context of {context}: shorten it."), prefix=prefix, context=context
        )
    if not isinstance(utilization, int | float) or not 0 < utilization <= 1:
        raise InputError(
            N_("utilization is {value}: give the share of the memory that the engine may fill, above 0 and at most 1."), value=str(utilization)[:40]
        )
    if hardware_bytes is not None and not (isinstance(hardware_bytes, int | float) and 0 < hardware_bytes < 1e18):
        raise InputError(N_("hardware_bytes is {value}: give the bytes of memory of one GPU."), value=str(hardware_bytes)[:40])
    if str(engine) not in ENGINES:  # an array is no word
        raise InputError(N_("“{engine}” is no engine known here: choose one of {known}."), engine=str(engine)[:40], known=", ".join(ENGINES))
    quantization.source(weights)
    for layer, _count in arch.groups:
        if isinstance(layer.mixer, Attention | LatentAttention):
            divides("num_attention_heads", layer.mixer.heads, "tensor_parallel", tensor_parallel)
        if isinstance(layer.mixer, Attention) and layer.mixer.kv_heads > tensor_parallel:
            divides("num_key_value_heads", layer.mixer.kv_heads, "tensor_parallel", tensor_parallel)


def shared_by(arch: Architecture, expert_parallel: int) -> None:
    """Raises InputError unless so many groups can share the experts."""
    experts = min((layer.mlp.count for layer, _n in arch.groups if isinstance(layer.mlp, Experts)), default=0)
    if expert_parallel > 1 and not experts:
        raise InputError(N_("This model has no experts to share: set expert_parallel to 1."))
    if expert_parallel > 1:
        divides("num_experts", experts, "expert_parallel", expert_parallel)


def _shape(*numbers: Quantity) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(np.shape(number) for number in numbers))
    except ValueError:
        raise InputError(N_("These arrays do not fit together: give them one shape, or shapes that broadcast.")) from None
