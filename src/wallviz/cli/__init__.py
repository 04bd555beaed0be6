"""The command line: the answers of the pages, as a table or, with ``--json``, as one JSON document.

Exit 0: answered. 2: the input is wrong, and one line on stderr says what, where and what to do. 1: wallviz itself, or its data, is at fault.
What a command does not need it does not import: neither Streamlit nor Plotly nor pandas to answer, and no table layout for JSON.
"""

from __future__ import annotations

from typing import Annotated

import typer

import wallviz
from wallviz.cli import dashboard, fit, footprint, growth, hardware, hierarchy, model, probe, remedies, roofline, scaleout
from wallviz.cli.shell import Commands, Debug, Lang, ask_for_one, say
from wallviz.i18n import N_

__all__ = ["app"]

app = typer.Typer(
    cls=Commands,
    name="wallviz",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, asked: bool) -> None:
    if asked:
        say(f"wallviz {wallviz.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, help=N_("AI's memory wall in numbers that can be checked."))
def _wallviz(
    ctx: typer.Context,
    lang: Lang = None,
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help=N_("Print the version."), callback=lambda value: _version(asked=value))
    ] = False,
) -> None:
    ask_for_one(ctx)


app.command("growth", help=N_("List the published growth claims, or refit one on the points you keep."))(growth.answer)
app.command(
    "run", help=N_("Start the dashboard. What stands after -- goes to streamlit run: wallviz run --port 8600 -- --server.baseUrlPath=wallviz")
)(dashboard.run)
app.command(
    "check-data",
    help=N_("Check the data against their codebook: exit 0 where all is well, 1 with a line for each problem."),
)(dashboard.check_data)
app.command("model", help=N_("List the presets, or say what a model is made of, from its config.json."))(model.answer)
app.add_typer(footprint.group, name="footprint", help=N_("Where the bytes go: training, fine-tuning, serving."))
app.command("fit", help=N_("Whether a job fits an accelerator, how much of it does, and what would make it fit."))(fit.answer)
app.command("roofline", help=N_("What holds a workload back on a chip: arithmetic or memory, operation by operation."))(roofline.answer)
app.command("scaleout", help=N_("How many chips still help: what they send each other, and how long they wait for it."))(scaleout.answer)
app.command("hierarchy", help=N_("The levels of a machine from registers to disk, and how long a size takes at each."))(hierarchy.answer)
app.command(
    "remedies",
    cls=remedies.WithNames,
    help=N_("What can be done when a job does not fit or is too slow: what each remedy saves, costs, and when it fails."),
)(remedies.answer)
app.command("hardware", help=N_("The chips of the catalogue: a list, one of them, or several side by side."))(hardware.answer)
app.add_typer(probe.group, name="probe", help=N_("How fast this machine moves bytes, measured: its CPU and its GPUs."))
