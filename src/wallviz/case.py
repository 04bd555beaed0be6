"""The one case that every explore page shares: which model, doing what, at which batch and context, on how many of which chip."""

from __future__ import annotations

from dataclasses import dataclass

JOBS = ("infer", "train", "finetune")
MAX_BATCH = 65_536
MAX_CONTEXT = 16_777_216
MAX_CHIPS = 1_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """What the reader is asking about.

    `model` and `chip` are ids of the catalog; `job` is one of `JOBS`; `batch` is sequences at once; `context` is tokens per sequence;
    `chips` is how many accelerators share the work.
    """

    model: str = "llama-3.1-8b"
    job: str = "infer"
    batch: int = 1
    context: int = 8192
    chip: str = "h100-sxm5"
    chips: int = 1
