"""The case that every explore page shares, as choices of a link: what may stand in each of its fields, and their names."""

from __future__ import annotations

from wallviz import catalog
from wallviz.case import JOBS, MAX_BATCH, MAX_CHIPS, MAX_CONTEXT, Case
from wallviz.i18n import N_, _
from wallviz.params import Param, choice, number

_DEFAULT = Case()
JOB_NAMES = {"infer": N_("serve"), "train": N_("train"), "finetune": N_("fine-tune")}
PARAMS: tuple[Param, ...] = (
    choice("model", catalog.presets(), _DEFAULT.model),
    choice("job", JOBS, _DEFAULT.job),
    number("batch", _DEFAULT.batch, 1, MAX_BATCH),
    number("context", _DEFAULT.context, 1, MAX_CONTEXT),
    choice("chip", catalog.chips(), _DEFAULT.chip),
    number("chips", _DEFAULT.chips, 1, MAX_CHIPS),
)


def jobs() -> dict[str, str]:
    """The jobs by id, in the language in use."""
    return {job: _(JOB_NAMES[job]) for job in JOBS}


def job_names() -> dict[str, str]:
    """The same as the options of a control: "Fine-tune"."""
    return {job: f"{name[:1].upper()}{name[1:]}" for job, name in jobs().items()}
