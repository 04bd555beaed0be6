"""Advice in words and as plain dictionaries, the JSON of the command line: bytes as whole numbers, None with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

from wallviz.engine.advice.fit import Fit, split_of
from wallviz.engine.advice.price import FREE_OF_TIME
from wallviz.engine.advice.search import LAST, SPLIT, Fix
from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.i18n import N_, _, bracketed, inside, language, listing

#: What a split sets, by field.
SPLITS = {
    "tensor_parallel": N_("tensor parallel {n}"),
    "sequence_parallel": N_("sequence parallelism"),
    "pipeline_parallel": N_("pipeline parallel {n}"),
    "virtual_stages": N_("virtual stages {n}"),
    "stage": N_("its fullest stage"),
    "context_parallel": N_("context parallel {n}"),
    "expert_parallel": N_("expert parallel {n}"),
    "data_parallel": N_("data parallel {n}"),
    "zero": "ZeRO-{n}",
    "accumulation": N_("accumulation {n}"),
    "replicas": N_("{n} copies"),
}


def split(fix: Fix) -> str:
    """How it is split then, and all that the split sets, in words; ranks of one that were there before are left out."""
    shared = split_of(fix.setup) | ({"replicas": fix.setup.replicas} if fix.setup.serves else {})
    said = {name: n for name, n in shared.items() if n > 1 or (name == "zero" and n)} | fix.sets
    return listing(_(words).format(n=said[name]) for name, words in SPLITS.items() if name in said)


def switches(fix: Fix) -> str:
    """What is changed but the split, in words."""
    said = [_(REMEDIES[id].name) for id in fix.changes if REMEDIES[id].group != SPLIT]
    return listing([*said[:1], *map(inside, said[1:])])


def change(fix: Fix) -> str:
    """What to do, in the language in use: everything that is set (`Fix.sets`) has its word."""
    said = switches(fix)
    if all(REMEDIES[id].group != SPLIT for id in fix.changes):
        return said
    shared = _("Run it on one GPU") if fix.gpus == 1 else _("Share it over {gpus} GPUs").format(gpus=f"{fix.gpus:,}")
    return listing([*([said] if said else []), bracketed(inside(shared) if said else shared, split(fix))])


#: A remedy in few words, where its name has many.
BRIEF = {
    "zero-1": "ZeRO-1",
    "zero-2": "ZeRO-2",
    "zero-3": "ZeRO-3",
    "selective": N_("selective recomputation"),
    "full-recompute": N_("recomputation"),
    "fused-loss": N_("fused loss"),
    "chunked-loss": N_("chunked loss"),
    "bf16-pure": N_("all in bf16"),
    "offload-optimizer": N_("offloaded optimizer"),
    "offload-parameters": N_("offloaded weights and optimizer"),
    "offload-weights": N_("offloaded weights"),
    "smaller-batch": N_("single sequences"),
    "lora": "LoRA",
    "qlora": "QLoRA",
}
#: Words and 汉字 that a change may take in a sentence of 25 words.
BRIEF_WORDS, BRIEF_LETTERS = 6, 20


def briefly(fix: Fix) -> str:
    """The same as it stands in a sentence: its names short, a split as its GPUs; what is still long is counted."""
    said = [brief(id) for id in fix.changes if REMEDIES[id].group != SPLIT]
    if len(said) < len(fix.changes):
        if said and 1 < fix.gpus == fix.before.gpus:
            template = _("another split")
        elif fix.gpus == 1:
            template = _("one GPU")
        else:
            template = _("{gpus} GPUs") if said else _("share it over {gpus} GPUs")
        said.append(template.format(gpus=f"{fix.gpus:,}"))
    return _("{n} changes").format(n=len(fix.changes)) if long(said) and len(said) > 1 else listing(said)


def brief(id: str) -> str:
    """A remedy in few words, as it stands in a sentence."""
    return inside(_(BRIEF.get(id, REMEDIES[id].name)))


def long(said: Sequence[str], words: int = BRIEF_WORDS) -> bool:
    """Whether so many changes are too long for a sentence that has room for so many words."""
    text = listing(said)
    if language() == "zh":
        return sum("一" <= letter <= "鿿" for letter in text) > BRIEF_LETTERS * words // BRIEF_WORDS
    return len(text.split()) > words


def price(fix: Fix) -> str:
    """What it costs, in the language in use: GPUs, time, quality, and how much less is served."""
    said = []
    if fix.gpus != fix.before.gpus:
        template = _("one GPU instead of {before}") if fix.gpus == 1 else _("{gpus} GPUs instead of {before}")
        said.append(template.format(gpus=f"{fix.gpus:,}", before=f"{fix.before.gpus:,}"))
    if fix.time is None:
        said.append(_("time not known"))
    elif abs(fix.time - 1.0) < FREE_OF_TIME:
        said.append(_("no extra time"))
    else:
        said.append(_("{share}% time").format(share=f"{(round(fix.time, 3) - 1.0) * 100.0:+.0f}".replace("-", "−")))  # as JSON rounds it
    if not fix.lossless:
        lost = _("{share}% quality").format(share=f"−{fix.quality * 100.0:.2g}")
        said.append(bracketed(lost, _("judged") if fix.judged else _("as published")))
    said += [_(REMEDIES[id].costs) for id in fix.changes if id in LAST]
    return listing(said)


def fit(answer: Fit) -> dict[str, Any]:
    """Whether a job fits, what would fit, and what would make it fit or faster."""
    found = {
        "fits": answer.fits,
        "headroom_bytes": floor(answer.headroom_bytes),  # below zero as soon as it does not fit
        "largest_micro_batch": answer.largest_micro_batch,
        "largest_context": answer.largest_context,
        "fewest_gpus": answer.fewest_gpus,
        "fewest_gpus_as_set": answer.fewest_gpus_as_set,
        "layout": None if answer.layout is None else dict(answer.layout),
        "fewest_sets": dict(answer.fewest_sets),
        "needs_bytes": round(answer.needs_bytes),
        "error_band": answer.error_band,
        "runs_out_of_memory": answer.runs_out,
        "goal": answer.goal,
        "fixes": [one(each) for each in answer.fixes],
    }
    return found if None not in found.values() else found | {"reason": _(answer.reason)}


def one(fix: Fix) -> dict[str, Any]:
    """One fix."""
    found = {
        "change": change(fix),
        "saves_bytes": round(fix.saves_bytes),
        "price": price(fix),
        "fits": fix.fits,
        "gpus": fix.gpus,
        "time": None if fix.time is None else round(fix.time, 3),
        "quality": round(fix.quality, 6),
        "needs_bytes": round(fix.bytes),
        "remedies": list(fix.changes),
        "sets": fix.sets,
    }
    return found if fix.time is not None else found | {"reason": _(N_("The chip's rates are not known: no time can be computed."))}
