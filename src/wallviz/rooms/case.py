"""The case that every explore page shares, as choices of a link: what may stand in each of its fields, and their names."""

from __future__ import annotations

from wallviz import catalog
from wallviz.case import JOBS, MAX_BATCH, MAX_CHIPS, MAX_CONTEXT, Case
from wallviz.i18n import N_, _, labelled
from wallviz.machine import own as own_machine
from wallviz.params import Param, choice, number

_DEFAULT = Case()
JOB_NAMES = {"infer": N_("serve"), "train": N_("train"), "finetune": N_("fine-tune")}


def _chip() -> Param:
    """A chip of the catalogue, or a measured machine that the address holds."""
    listed = choice("chip", catalog.chips(), _DEFAULT.chip)

    def parse(text: str) -> str:
        return own_machine.read(text).id if own_machine.is_own(text) else str(listed.parse(text))

    return Param("chip", _DEFAULT.chip, parse)


PARAMS: tuple[Param, ...] = (
    choice("model", catalog.presets(), _DEFAULT.model),
    choice("job", JOBS, _DEFAULT.job),
    number("batch", _DEFAULT.batch, 1, MAX_BATCH),
    number("context", _DEFAULT.context, 1, MAX_CONTEXT),
    _chip(),
    number("chips", _DEFAULT.chips, 1, MAX_CHIPS),
)


def jobs() -> dict[str, str]:
    """The jobs by id, in the language in use."""
    return {job: _(JOB_NAMES[job]) for job in JOBS}


def job_names() -> dict[str, str]:
    """The same as the options of a control: "Fine-tune"."""
    return {job: f"{name[:1].upper()}{name[1:]}" for job, name in jobs().items()}


def chips(case: Case) -> dict[str, str]:
    """The chips of the catalogue by id, after the reader's own machine where the case has one."""
    mine = {case.chip: chip_name(case)} if own_machine.is_own(case.chip) else {}
    return mine | {id: chip.name for id, chip in catalog.chips().items()}


def chip_name(case: Case) -> str:
    """What the case's chip is called; the reader's own machine is called that."""
    name = catalog.chip(case.chip).name
    return labelled(_("your machine"), name) if own_machine.is_own(case.chip) else name
