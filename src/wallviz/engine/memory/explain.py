"""The footprint of a training run term by term: each formula in the field's notation, with the reader's numbers in it, and its source."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from wallviz.engine.memory import activations
from wallviz.engine.memory.overheads import COMMUNICATOR_BYTES, RESERVED_RATIO
from wallviz.engine.memory.peak import Training
from wallviz.engine.memory.ranks import stage
from wallviz.engine.memory.run import DTYPES, Run
from wallviz.engine.memory.terms import Term
from wallviz.engine.transformer import Attention, Dense, Experts, LatentAttention, Layer, Recurrent
from wallviz.i18n import N_, _

_ZERO = N_("arXiv 1910.02054, section 5")
_MOMENTS = N_("arXiv 1412.6980; arXiv 1910.02054, section 3.1")
_SAVED = N_("tensors that autograd saves; arXiv 2205.05198, section 4")


def terms(answer: Training) -> tuple[Term, ...]:
    """Every term that is alive at the peak, for one run (no arrays); each part's terms sum to the part, but for what is left below a byte.

    A formula holds per GPU; P is the parameters that tensor, pipeline and expert parallelism leave on it.
    """
    run, arch, parts = answer.run, answer.arch, {name: float(value) for name, value in answer.parts.items()}
    found: list[Term] = []
    formats, ranks = run.formats, int(np.max(run.data_parallel) * np.max(run.context_parallel))
    zero = int(np.max(run.zero))
    for part, dtype, from_stage in (("weights", formats.weights, 3), ("gradients", formats.gradients, 2)):
        if not parts[part]:
            continue
        each = DTYPES[dtype]
        share = ranks if zero >= from_stage and ranks > 1 else 1
        held = parts[part] * share / each if each else 0.0
        if run.trains_all:
            formula, values = (
                f"{each:g}·P" + (f"/{_symbol(run)}" if share > 1 else ""),
                f"{each:g}·{_number(held)}" + (f"/{share}" if share > 1 else ""),
            )
        else:
            formula, values = (
                ("P_base + P_adapter", _number(parts[part]))
                if part == "weights"
                else (f"{DTYPES[run.adapter_dtype]:g}·P_adapter", _number(parts[part]))
            )
        found.append(Term(N_("weights") if part == "weights" else N_("gradients"), formula, values, parts[part], _ZERO))
    if parts["optimizer"]:
        found += _optimizer_terms(answer, parts["optimizer"], ranks if zero >= 1 and ranks > 1 else 1)
    found += _activation_terms(answer, parts["activations"])
    if parts["loss"]:
        saved, peak, alive = (float(np.max(n)) for n in activations.logits(arch, run))
        per_token = {"loss_backward": saved + peak}.get(str(answer.peak_phase), alive)
        each = per_token / arch.vocab
        tensor = int(np.max(run.tensor_parallel))
        split = "/t" if tensor > 1 else ""
        found.append(
            Term(
                N_("logits and loss"),
                f"{each:g}·V·T{split}",
                f"{each:g}·{arch.vocab:,}·{_number(float(run.tokens()))}" + (f"/{tensor}" if split else ""),
                parts["loss"],
                N_("autograd of cross-entropy, measured"),
            )
        )
    if parts["workspace"]:
        found.append(
            Term(
                N_("workspace"),
                _workspace(answer),
                _number(parts["workspace"]),
                parts["workspace"],
                N_("Transformer Engine; arXiv 1910.02054, section 5.3"),
            )
        )
    return tuple(found)


def overhead_terms(answer: Training) -> tuple[Term, ...]:
    """What stands on top of the allocated peak, a term each; those that are nothing left out."""
    words = {
        "fragmentation": (
            N_("reserved, not in use"),
            f"{RESERVED_RATIO - 1:.3f}·allocated",
            N_("measured: reserved over allocated, SimuMax on B200"),
        ),
        "context": (N_("CUDA context"), N_("constant"), N_("estimate: about 0.3 GB on every GPU")),
        "communicators": (N_("communicators"), f"{COMMUNICATOR_BYTES / 1e9:g} GB·n", N_("estimate: 0.5 to 0.7 GB per NCCL communicator")),
    }
    amounts = {name: float(value) for name, value in answer.overheads.items() if float(value)}
    return tuple(Term(words[name][0], words[name][1], f"{value:,.0f}", value, words[name][2]) for name, value in amounts.items())


def _optimizer_terms(answer: Training, total: float, share: int) -> list[Term]:
    """The fp32 master copy where there is one, and the moments: K bytes for each parameter."""
    run, formats = answer.run, answer.run.formats
    over = [f"/{_symbol(run)}", f"/{share}"] if share > 1 else ["", ""]
    if not run.trains_all:
        return [Term(N_("optimizer state"), f"K·P_adapter{over[0]}", _number(total * share) + over[1], total, _MOMENTS)]
    sharded_weights = int(np.max(run.zero)) >= 3
    weights = float(answer.phase_parts["optimizer_step"]["weights"])
    ranks = int(np.max(run.data_parallel) * np.max(run.context_parallel))
    held = weights / DTYPES[formats.weights] * (ranks if sharded_weights else 1) if weights else float(answer.arch.parameters)
    found, left, each = [], total, DTYPES[formats.master]
    if each:
        master = min(total, each * held / share)
        found.append(Term(N_("master weights"), f"{each:g}·P{over[0]}", f"{each:g}·{_number(held)}{over[1]}", master, _ZERO))
        left -= master
    if left > 0.5:
        found.append(Term(N_("optimizer state"), f"K·P{over[0]}", f"{left * share / held:.9g}·{_number(held)}{over[1]}", left, _MOMENTS))
    return found


def _symbol(run: Run) -> str:
    return "(N_d·c)" if int(np.max(run.context_parallel)) > 1 else "N_d"


def _workspace(answer: Training) -> str:
    run = answer.run
    names = []
    if run.kernels == "transformer-engine":
        names.append(f"2·Σ {N_('distinct linear weights')}/t")
    if int(np.max(run.zero)) == 3:
        names.append(f"2·w·{N_('largest unit')}")
    if run.formats.autocast:
        names.append("2·P_linear")
    if run.method == "qlora":
        names.append(f"2·{N_('largest linear weight')}")
    if run.optimizer_step == "foreach":
        names.append(N_("one copy of what is updated"))
    return " + ".join(names) or "–"


def _activation_terms(answer: Training, total: float) -> list[Term]:
    """Activations, a line for each kind of layer, and one for what stands outside of the layers."""
    run, arch, phase = answer.run, answer.arch, str(answer.peak_phase)
    if not total:
        return []
    tokens = float(run.tokens())
    if phase != "loss_backward":
        formula = N_("gradient of the embedding's output, or one recomputed layer")
        return [Term(N_("activations still alive"), formula, _number(total), total, _SAVED)]
    chunks = int(np.max(run.virtual_stages))
    current = stage(arch, int(answer.stage), int(np.max(run.pipeline_parallel)), chunks)
    flight = float(current.in_flight(float(np.max(run.accumulation)), chunks))
    found, left = [], total
    for block, count in current.groups:
        pieces = activations.kept(arch, block, run)
        got = flight * count * tokens * float(np.max(activations.per_rank(pieces, run)))
        formula, values = _sum(pieces, int(np.max(run.tensor_parallel)), sequence_parallel=run.sequence_parallel)
        times = f"{flight:g}·" if flight != 1 else ""
        found.append(Term(_kind(block), f"{'m·' if times else ''}L·T·{formula}", f"{times}{count}·{_number(tokens)}·{values}", got, _SAVED))
        left -= got
    if left > 0.5:
        found.append(Term(N_("activations outside the layers"), N_("last norm, positions, token ids"), _number(left), left, _SAVED))
    return found


def _kind(block: Layer) -> str:
    """What a kind of layer is called, in the language in use."""
    names = {
        Attention: N_("attention"),
        LatentAttention: N_("latent attention"),
        Recurrent: N_("state-space"),
        Dense: N_("feed-forward"),
        Experts: N_("experts"),
    }
    layers = " + ".join(_(names[type(each)]) for each in (block.mixer, block.mlp) if each is not None)
    return _("activations: {layers}").format(layers=layers)


def _sum(pieces: Iterable[activations.Piece], tensor: int, *, sequence_parallel: bool) -> tuple[str, str]:
    """``(16h + 4a·d + …)`` with symbols and with numbers; what tensor parallelism splits stands over t."""
    merged: dict[tuple[bool, str, float], float] = {}
    for piece in pieces:
        split = tensor > 1 and (piece.where != "whole" or sequence_parallel)
        key = (split, piece.symbol, float(np.max(piece.size)))
        merged[key] = merged.get(key, 0.0) + piece.coefficient
    sides: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
    for (split, symbol, size), coefficient in merged.items():
        if coefficient:
            sides[split].append(
                (
                    f"{coefficient:g}{symbol}" if len(symbol) < 2 else f"{coefficient:g}·{symbol}",
                    f"{coefficient:g}·{_number(size)}" if symbol else f"{coefficient:g}",
                )
            )
    texts = []
    for index in (0, 1):
        whole, split_part = (" + ".join(pair[index] for pair in sides[side]) for side in (False, True))
        over = "t" if index == 0 else str(tensor)
        texts.append("(" + " + ".join(part for part in (whole, f"({split_part})/{over}" if split_part else "") if part) + ")")
    return texts[0], texts[1]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
