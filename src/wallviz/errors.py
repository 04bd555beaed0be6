"""Every error that wallviz raises on purpose. The message states the rule, the value and what to do, in the language in use."""

from __future__ import annotations

from wallviz.i18n import _


class WallvizError(Exception):
    """The root: catch this to catch everything that wallviz says about its input or its data.

    `template` is an English sentence marked with ``N_``, `values` fill its ``{names}``; translated when it is shown.
    """

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template, values)
        self.template = template
        self.values = values

    def __str__(self) -> str:
        return _(self.template).format(**self.values)


class InputError(WallvizError, ValueError):
    """The reader asked for something that cannot be computed: unknown name, empty selection, reversed window."""


class DataError(WallvizError):
    """A shipped or contributed data file breaks a rule of the codebook (data/README.md)."""
