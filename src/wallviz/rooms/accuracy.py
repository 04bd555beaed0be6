"""The accuracy page's answers: predicted against measured for every case, and why tools disagree about one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import ceil

from wallviz import catalog, units
from wallviz.catalog import Case
from wallviz.engine.memory import overheads
from wallviz.figures import accuracy as figures
from wallviz.figures.accuracy import CaseDot, CasesRow, ToolEstimate, signed
from wallviz.figures.style import Drawing
from wallviz.i18n import N_, _, bracketed, followed, labelled, language, listing, qualified
from wallviz.rooms import Answer
from wallviz.settings import choice
from wallviz.validation import cases, peers
from wallviz.validation.cases import Prediction

GROUPS = ("all", "peaks", "activations", "parameters", "cache", "weights", "forms", "calibration", "tools")
PEAKS = ("peak_allocated_bytes", "peak_bytes_training_step")
RUNS = tuple(id for id, case in catalog.cases().items() if case.quantity == "peak_allocated_bytes")

SINGLE_ROWS = 24  # more cases than this share rows
MOST_ROWS = 8


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows."""

    group: str = choice("all", GROUPS)
    show: str = choice("errors", ("errors", "scatter"))
    run: str = choice("S-b200-70b-tp2", RUNS)


def group(case: Case) -> str:
    """The group of `GROUPS` that a case belongs to: by what agreement would prove, then by what it is about."""
    if case.kind in ("reference", "peer-output"):
        return "calibration" if case.kind == "reference" else "tools"
    if case.quantity in PEAKS:
        return "peaks"
    if case.quantity == "activation_bytes_end_of_forward":
        return "activations"
    return {"A": "activations", "P": "parameters", "K": "cache", "V": "cache", "H": "weights", "G": "weights", "Q": "weights"}.get(
        case.id[0], "forms"
    )


@lru_cache(maxsize=1)
def _groups() -> dict[str, tuple[Prediction, ...]]:
    found: dict[str, list[Prediction]] = {name: [] for name in GROUPS}
    for prediction in cases.predictions().values():
        name = group(prediction.case)
        found[name].append(prediction)
        if name not in ("calibration", "tools"):
            found["all"].append(prediction)
    return {name: tuple(members) for name, members in found.items()}


def members(name: str) -> tuple[Prediction, ...]:
    """The cases of a group; ``all`` are those by which this project is judged, so neither calibration nor what other tools print."""
    return _groups()[name]


# -- every case --------------------------------------------------------------------------------------------------------------------


def answer(view: View) -> Answer:
    """The answer to `view`, in the language in use."""
    return _answer(view.group, view.show, language())


@lru_cache(maxsize=64)
def _answer(name: str, show: str, _language: str) -> Answer:
    found = members(name)
    predicted = [p for p in found if p.value is not None]
    trust, sure = _sure(name, predicted)
    return Answer(
        name="accuracy",
        sentence=_sentence(name, predicted),
        drawing=_scatter(name, predicted) if show == "scatter" else _errors(name, predicted),
        sure=sure,
        trust=trust,
        caption=_caption(name, show, found),
        rows=partial(table, name),
        sources=tuple(dict.fromkeys(source for p in found for source in p.case.source.split(";"))),
    ).with_spec()


def _largest(found: Sequence[Prediction]) -> str:
    """The largest error of some predictions in percent, rounded up: what they all stay within."""
    worst = max((abs(p.error) for p in found if p.error is not None), default=0.0)
    decimals = 1 if worst > 0.001 else 3
    return f"{ceil(worst * 10 ** (decimals + 2) - 1e-9) / 10**decimals:g}{units.THIN}%"


def _exact(found: Sequence[Prediction]) -> int:
    return sum(p.error is not None and abs(p.error) < 1e-12 for p in found)


def _sentence(name: str, found: Sequence[Prediction]) -> str:
    if name in ("all", "peaks"):
        peaks = [p for p in found if p.case.quantity in PEAKS]
        measured = sum(p.case.id in RUNS for p in peaks)
        template = _("Training peaks come out within {error} on {n} runs measured on GPUs and {m} counted by PyTorch; here is every case.")
        return template.format(error=_largest(peaks), n=measured, m=len(peaks) - measured)
    if name == "calibration":
        misses = [p.error for p in found if p.error is not None]
        return _("{n} figures whose origins leave something open come out between {low} and {high}: calibration, never a criterion.").format(
            n=len(misses), low=signed(min(misses), 0), high=signed(max(misses), 0)
        )
    if name == "tools":
        return _("All {n} numbers that other tools print come out of their own formulas, within {error}.").format(n=len(found), error=_largest(found))
    exact = _exact(found)
    if exact == len(found):
        return _("{group}: all {n} cases come out exactly.").format(group=_(WORDS["group"][name]), n=len(found))
    return _("{group}: {exact} of {n} cases come out exactly, the others within {error}.").format(
        group=_(WORDS["group"][name]), exact=exact, n=len(found), error=_largest(found)
    )


def _sure(name: str, found: Sequence[Prediction]) -> tuple[str, str]:
    outside = sum(p.holds is False for p in found)
    if name == "calibration":
        return "gray", _("not a criterion")
    if outside:
        return "orange", _("{n} of {all} outside their tolerance").format(n=outside, all=len(found))
    return "green", _("all {n} within their tolerance").format(n=len(found))


def _caption(name: str, show: str, found: Sequence[Prediction]) -> str:
    parts = [_("filled: measured; open: published, counted or derived")]
    parts.append(_("on the dotted line a prediction is right") if show == "scatter" else _("band: the widest tolerance stated in the row"))
    if show == "scatter":
        parts.append(_("cases in one unit"))
    if missing := sum(p.value is None for p in found):
        parts.append(_("{n} cases have no prediction: the table says why").format(n=missing))
    if name == "all":
        parts.append(_("calibration and other tools' numbers are groups of their own"))
    return " · ".join(parts)


def _errors(name: str, found: Sequence[Prediction]) -> Drawing:
    if name == "all":
        rows = [_row(_(WORDS["group"][one]), [p for p in members(one) if p.value is not None]) for one in GROUPS[1:7]]
    elif len(found) <= SINGLE_ROWS:
        rows = [CasesRow(title(p.case), _short(p.case), "", _tolerance(p.case), (_dot(p),)) for p in found]
    else:
        # one row for each quantity; for each subject where there are many quantities
        by_quantity = len({p.case.quantity for p in found}) <= MOST_ROWS
        subjects: dict[str, list[Prediction]] = {}
        for p in found:
            subjects.setdefault(quantity(p.case.quantity) if by_quantity else _(SUBJECTS[p.case.id[0]]), []).append(p)
        rows = [_row(label, some) for label, some in subjects.items()]
    return figures.errors(rows, name=_("Error of the prediction"), revision=name)


def _row(label: str, found: Sequence[Prediction]) -> CasesRow:
    exact = _exact(found)
    if exact == len(found):
        template = _("all {n} exact") if exact > 1 else _("one case, exact")
    elif len(found) == 1:
        template = _("one case, within {error}")
    else:
        template = _("{n} cases, {exact} exact, within {error}") if exact else _("{n} cases, within {error}")
    remark = template.format(n=len(found), exact=exact, error=_largest(found))
    return CasesRow(label, label, remark, max(_tolerance(p.case) for p in found), tuple(_dot(p) for p in found))


def _scatter(name: str, found: Sequence[Prediction]) -> Drawing:
    """The cases in the commoner of the two units that span decades, bytes and parameters."""
    unit, _n = Counter(p.case.unit for p in found if p.case.unit in ("bytes", "parameters")).most_common(1)[0]
    kind, predicted, expected = {
        "bytes": ("bytes", _("Predicted, bytes (log scale)"), _("Measured or published, bytes")),
        "parameters": ("count", _("Predicted, parameters (log scale)"), _("Counted or published, parameters")),
    }[unit]
    return figures.scatter([_dot(p) for p in found if p.case.unit == unit], kind=kind, name=predicted, across=expected, revision=f"{name}|scatter")


def _dot(p: Prediction) -> CaseDot:
    case, value = p.case, p.value or 0.0
    lines = (
        _("predicted {value}, expected {expected}").format(value=_printed(case, value), expected=_printed(case, case.expected)),
        _("error {error}, tolerance {tolerance}").format(error=signed(p.error or 0.0, 3), tolerance=_tolerance_text(case)),
        f"{quantity(case.quantity)} · {_(KINDS[case.kind])}",
        _origin(case),
    )
    return CaseDot(case.id, title(case), case.expected, value, p.error or 0.0, case.kind == "measured", lines)


def _printed(case: Case, value: float) -> str:
    """A value of `case` in the unit that its origin prints; many bytes that need not be exact in GiB."""
    if case.printed_unit == "bytes" and value >= units.GIB and not case.exact:
        return units.binary(value, 5)
    scaled = value * case.printed / case.expected if case.expected else value
    unit = _(UNITS.get(case.printed_unit, case.printed_unit)) if case.printed_unit else ""
    return f"{units.significant(scaled, 5)}{units.THIN}{unit}".rstrip(units.THIN)


def _tolerance(case: Case) -> float:
    """The stated tolerance, relative to what was expected; 0 for an exact case, and where nothing was expected."""
    return case.relative_tolerance or (case.absolute_tolerance / abs(case.expected) if case.expected else 0.0)


def _tolerance_text(case: Case) -> str:
    if case.exact:
        return _("none: exact")
    if case.relative_tolerance:
        return f"±{100 * case.relative_tolerance:g}{units.THIN}%"
    return f"±{_printed(case, case.absolute_tolerance)}" if case.expected else f"±{units.significant(case.absolute_tolerance)}"


def _origin(case: Case) -> str:
    names = "; ".join(catalog.sources()[source].title for source in case.source.split(";"))
    return f"{names}, {case.where}" if case.where else names


def title(case: Case) -> str:
    """A case in words a reader knows where its inputs allow it, else its id without the letter of its group."""
    i = case.inputs
    if case.quantity == "peak_allocated_bytes":
        model = _("{model}, {n} layers").format(model=_model(i["arch"]) if "arch" in i else "Llama 3 70B", n=i.get("layers", i.get("L")))
        return qualified(model, *_ranks(case))
    if case.quantity in ("peak_bytes_training_step", "activation_bytes_end_of_forward"):
        parts = [_model(i["arch"]), f"{i['batch']} × {i['seq']:,}", i["dtype"], *([_("recomputed")] if i["ckpt"] else [])]
        return qualified(*parts)
    return case.id.partition("-")[2]


def _model(id: str) -> str:
    preset = catalog.presets().get(id)
    return preset.name if preset else id


def _ranks(case: Case) -> list[str]:
    """The parallelism of a run in the usual letters, its length and its stage."""
    i = case.inputs
    degrees = " ".join(f"{name.upper()} {i[name]}" for name in ("tp", "pp", "cp", "ep") if i.get(name, 1) > 1)
    tokens = i.get("s", i.get("seq"))
    length = f"{tokens // 1024}k" if tokens > 4096 else ""
    where = {"first": _("first stage"), "last": _("last stage")}.get(i.get("stage", ""), "")
    return [text for text in (degrees, length, where) if text]


def _short(case: Case) -> str:
    """The title for a phone."""
    i = case.inputs
    if case.quantity == "peak_allocated_bytes":
        return ("MoE " if "arch" in i else "70B ") + " ".join(_ranks(case)).replace("TP ", "t").replace("PP ", "p").replace("CP ", "c").replace(
            "EP ", "e"
        )
    if case.quantity == "peak_bytes_training_step":
        return f"{_model(i['arch'])} {i['batch']}×{i['seq']}"[:22]
    return case.id.partition("-")[2][:22]


def quantity(name: str) -> str:
    """A quantity of the cases in words."""
    return _(QUANTITIES[name]) if name in QUANTITIES else name


def table(name: str) -> tuple[Mapping[str, object], ...]:
    """Every case of a group with its inputs, its source and its conditions, predicted or not; ``all`` is the whole file."""
    return tuple(
        {
            _("case"): p.case.id,
            _("group"): _(WORDS["group"][group(p.case)]),
            _("quantity"): quantity(p.case.quantity),
            _("expected"): _printed(p.case, p.case.expected),
            _("predicted"): "–" if p.value is None else _printed(p.case, p.value),
            _("error"): "–" if p.error is None else signed(p.error, 3),
            _("tolerance"): _tolerance_text(p.case),
            _("holds"): "–" if p.holds is None else _("yes") if p.holds else _("no"),
            _("kind"): _(KINDS[p.case.kind]),
            _("inputs"): ", ".join(f"{key} = {value}" for key, value in p.case.inputs.items()),
            _("conditions"): " ".join(filter(None, (_(p.case.note), _(p.reason)))),
            _("source"): _origin(p.case),
        }
        for p in (cases.predictions().values() if name == "all" else members(name))
    )


# -- why tools disagree ------------------------------------------------------------------------------------------------------------


def runs() -> dict[str, str]:
    """The measured runs that the tools are asked about, by id."""
    return {id: title(catalog.cases()[id]) for id in RUNS}


def disagree(run: str) -> Answer:
    """One measured run as every tool estimates it."""
    return _disagree(run, language())


@lru_cache(maxsize=32)
def _disagree(run: str, _language: str) -> Answer:
    found = cases.predictions()[run]
    measured, ours = found.case.expected, found.value or 0.0
    said = cases.of_peers(found.case)
    shares = [parts["total"] / measured - 1 for _peer, parts in said]
    sentence = _("The run took {measured}; other tools miss it by {low} to {high}, wallviz by {ours}.").format(
        measured=units.binary(measured), low=signed(min(shares), 0), high=signed(max(shares), 0), ours=signed(ours / measured - 1, 1)
    )
    bars = [
        ToolEstimate(_("Measured"), measured, "measured", _origin(found.case)),
        ToolEstimate("wallviz", ours, "ours"),
        *(ToolEstimate(_(peer.name), parts["total"], "other", _(peer.producer)) for peer, parts in said),
    ]
    rows = tuple({_("tool"): bar.label, _("bytes"): bar.bytes, _("error"): signed(bar.bytes / measured - 1, 1)} for bar in bars)
    sources = tuple(dict.fromkeys([*found.case.source.split(";"), *(source for peer, _parts in said for source in peer.source.split(";"))]))
    drawing = figures.estimates(bars, name=_("Peak memory of one GPU"))
    return Answer("tools", sentence, drawing, rows=lambda: rows, sources=sources).with_spec()


def tools(run: str) -> str:
    """What each tool says about a run and what it leaves out, as Markdown."""
    found = cases.predictions()[run]
    measured = found.case.expected
    said = cases.of_peers(found.case)
    lines = [
        _tool(peer, _("{total}, {error}.").format(total=units.binary(parts["total"]), error=signed(parts["total"] / measured - 1, 0)))
        for peer, parts in said
    ]
    silent = [peer for peer in peers.PEERS if peer not in [one for one, _parts in said]]
    lines += [_tool(peer, _("no answer for such a job.")) for peer in silent]
    lines.append("")
    lines.append(
        _(
            "Each formula is written anew from its origin and repeats the numbers that the tool prints (the group “Other "
            "tools”). They are asked about "
            "the run as it was; flash attention, for which none of them has an option, is told to them as recomputed attention."
        )
    )
    return "\n".join(lines)


def _tool(peer: peers.Peer, said: str) -> str:
    """One line about a tool: whose it is, what it said, what it leaves out."""
    return "- " + labelled(bracketed(f"**{_(peer.name)}**", _(peer.producer)), followed(said, _(peer.leaves_out)))


# -- what was chosen after seeing residuals ----------------------------------------------------------------------------------------


def chosen() -> str:
    """What a reader has to know before believing the errors: what was decided with the residuals in sight, as Markdown."""
    found = [cases.predictions()[id] for id in RUNS]
    dense = [p for p in found if "arch" not in p.case.inputs]
    routed = [p for p in found if "arch" in p.case.inputs]
    ratios = [p.case for p in cases.predictions().values() if p.case.quantity == "reserved_over_allocated"]
    return "\n".join(
        [
            _(
                "- **The measured models are cut.** The runs on B200 are of 12 layers of a 70B shape and of four layers of "
                "DeepSeek-V2, on eight GPUs."
            ),
            _(
                "- **Two terms were included after the residuals had been seen**: the dummy gradient buffers of Transformer Engine, "
                "and the buffer of the "
                "loss. Without the first, the dense errors would run from {low} to {high} instead of {from_low} to {from_high}; without the second, "
                "runs that hold the loss would be off by {loss_low} to {loss_high}."
            ).format(**_without(dense)),
            _(
                "- **The buffer term is left out for mixtures of experts**, whose grouped matrix products keep no such buffer. "
                "With it the two runs would be at {errors}; without it they are at {now}."
            ).format(
                errors=_("{a} and {b}").format(a=signed(cases.error_with_buffers(routed[0]), 1), b=signed(cases.error_with_buffers(routed[1]), 1)),
                now=_("{a} and {b}").format(a=signed(routed[0].error or 0.0, 1), b=signed(routed[1].error or 0.0, 1)),
            ),
            _(
                "- **Recomputing every layer, two moments compete** at the end of the backward pass: that of the embedding and that "
                "of the last layer. "
                "The second was added after the residuals of such runs had been seen."
            ),
            _(
                "- **Reserved over allocated is one constant**, {ratio}, the mean of three published pairs: against each of them it "
                "misses by {misses}."
            ).format(
                ratio=f"{overheads.RESERVED_RATIO:g}",
                misses=listing(signed(overheads.RESERVED_RATIO / case.expected - 1, 1) for case in ratios),
            ),
            _(
                "- **EleutherAI's calculator has no option for flash attention.** Asked without recomputation it would count the "
                "attention matrix in full and "
                "miss by far more."
            ),
            _(
                "- **PyTorch's counts are no GPU.** Eight peaks come from its memory tracker on shapes alone: tensors are exact, "
                "the allocator's blocks, "
                "the CUDA context and communicators are not in them."
            ),
        ]
    )


def _without(dense: Sequence[Prediction]) -> dict[str, str]:
    """The dense errors as they are, without Transformer Engine's buffers, and without the loss where it is alive at the peak."""
    now = [p.error or 0.0 for p in dense]
    buffers, loss = ([error for p in dense if (error := cases.error_without(p, part)) is not None] for part in ("workspace", "loss"))
    return {
        "low": signed(min(buffers), 1),
        "high": signed(max(buffers), 1),
        "from_low": signed(min(now), 1),
        "from_high": signed(max(now), 1),
        "loss_low": signed(min(loss), 1),
        "loss_high": signed(max(loss), 1),
    }


# -- words -------------------------------------------------------------------------------------------------------------------------

WORDS: dict[str, dict[str, str]] = {
    "group": {
        "all": N_("All criteria"),
        "peaks": N_("Training peaks"),
        "activations": N_("Activations"),
        "parameters": N_("Parameters"),
        "cache": N_("KV cache"),
        "weights": N_("Weights and files"),
        "forms": N_("Closed forms"),
        "calibration": N_("Calibration"),
        "tools": N_("Other tools"),
    },
    "show": {"errors": N_("Errors"), "scatter": N_("Predicted against expected")},
}
KINDS = {
    "published": N_("published"),
    "measured": N_("measured"),
    "computed": N_("counted from the model's class"),
    "derived": N_("derived by definition"),
    "published-unverified": N_("published, not read again"),
    "reference": N_("calibration"),
    "peer-output": N_("printed by another tool"),
}
#: Units that are words; the others are written alike in every language.
UNITS = {
    "bytes": N_("bytes"),
    "bytes/token": N_("bytes/token"),
    "bytes/parameter": N_("bytes/parameter"),
    "bits/parameter": N_("bits/parameter"),
    "elements/parameter": N_("elements/parameter"),
    "parameters": N_("parameters"),
    "billion parameters": N_("billion parameters"),
    "tokens": N_("tokens"),
}
#: What the cases of a letter are about.
SUBJECTS = {
    "C": N_("Communication"),
    "F": N_("Chips"),
    "G": N_("GGUF files"),
    "H": N_("Weights as they are loaded"),
    "K": N_("KV cache"),
    "L": N_("Optimizers and adapters"),
    "P": N_("Parameters"),
    "Q": N_("Quantized formats"),
    "R": N_("Activation recomputation"),
    "S": N_("Reserved over allocated, as arithmetic"),
    "V": N_("Logs of engines"),
    "Z": N_("ZeRO and ZeRO-Infinity"),
}
QUANTITIES = {
    "parameter_count": N_("Parameters"),
    "active_parameter_count": N_("Active parameters"),
    "active_parameter_count_without_input_embedding": N_("Active parameters without the input embedding"),
    "parameter_count_with_router_bias": N_("Parameters with the router's bias"),
    "lora_parameter_count": N_("LoRA adapters"),
    "kv_bytes_per_token": N_("KV cache per token"),
    "kv_cache_bytes": N_("KV cache"),
    "recurrent_state_bytes": N_("Recurrent state"),
    "kv_bytes_per_token_per_gpu": N_("KV cache per token on one GPU"),
    "max_concurrency": N_("Sequences at once"),
    "kv_tokens": N_("Tokens of a pool"),
    "model_bytes": N_("Weights"),
    "training_over_weights": N_("Training over weights"),
    "bits_per_weight": N_("Bits per weight"),
    "effective_bits_per_weight": N_("Bits per weight of a whole file"),
    "gguf_file_bytes": N_("GGUF files"),
    "gguf_tensor_bytes": N_("Tensors of GGUF files"),
    "checkpoint_bytes": N_("Files of quantized weights"),
    "loaded_bytes": N_("Weights as loaded"),
    "packed_parameter_count": N_("Packed parameters"),
    "double_quantization_saving": N_("Saving of double quantization"),
    "model_state_bytes": N_("Model states"),
    "model_state_bytes_per_gpu": N_("Model states on one GPU"),
    "largest_parameter_count": N_("Largest model that fits"),
    "model_state_working_bytes": N_("Working memory of model states"),
    "optimizer_bytes_per_parameter": N_("Optimizer per parameter"),
    "optimizer_state_bytes": N_("Optimizer of one matrix"),
    "shard_state_bytes": N_("Model states of one shard"),
    "activation_bytes": N_("Activations of a model"),
    "activation_working_bytes": N_("Working memory of activations"),
    "attention_term": N_("Attention term"),
    "activation_share": N_("Activations against tensor parallelism alone"),
    "activation_bytes_per_gpu": N_("Activations on one GPU"),
    "activation_bytes_per_layer": N_("Activations of a layer"),
    "selective_recompute_saving": N_("Saving of selective recomputation"),
    "selective_recompute_overhead": N_("Work of selective recomputation"),
    "activation_bytes_per_token_per_layer": N_("Activations per token and layer"),
    "autocast_copy_bytes_per_parameter": N_("Copies that autocast makes"),
    "logit_bytes_per_token_per_entry": N_("Logits that the loss keeps"),
    "activation_bytes_end_of_forward": N_("Activations at the end of the forward pass"),
    "saved_activation_bytes": N_("Activations of a vision network"),
    "peak_bytes_training_step": N_("Peak of a training step"),
    "peak_allocated_bytes": N_("Peak on a GPU"),
    "peak_measured_bytes": N_("Peak as printed"),
    "reserved_over_allocated": N_("Reserved over allocated"),
    "communication_elements_per_parameter": N_("Communication per parameter"),
    "ring_all_reduce_s": N_("Ring all-reduce"),
    "tensor_parallel_bytes_per_layer": N_("Traffic of tensor parallelism"),
    "data_parallel_bytes_per_gpu": N_("Traffic of data parallelism"),
    "zero3_bytes_per_gpu": N_("Traffic of ZeRO-3"),
    "pipeline_bubble_fraction": N_("Pipeline bubble"),
    "ridge_flop_per_byte": N_("Ridge point"),
    "decode_step_s": N_("A decoding step"),
    "decode_attention_intensity": N_("Arithmetic intensity of attention"),
    "training_bytes": N_("Training memory as the authors count it"),
    "nccl_buffer_bytes": N_("A communicator"),
    "eleuther_estimate": "EleutherAI, calc_transformer_mem.py",
    "deepspeed_estimate": "DeepSpeed, estimate_zero_model_states_mem_needs",
    "megatron_estimate": "Megatron-LM, theoretical_memory_usage.py",
    "accelerate_estimate": "accelerate estimate-memory",
}


def words(param: str) -> dict[str, str]:
    """The options of choice `param`, by id, in the language in use."""
    return {option: _(text) for option, text in WORDS[param].items()}


def described(name: str) -> str:
    """What the table of a group holds, for who cannot see it."""
    return labelled(_(WORDS["group"][name]), _("every case with its inputs, its source and its error"))
