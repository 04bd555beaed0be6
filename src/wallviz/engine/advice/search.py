"""The one search for what would make a job fit, or faster: sets of remedies, splits and counts, the fewest GPUs, in the order of their price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product

from wallviz.engine.advice import price
from wallviz.engine.advice.fits import fit_together, fits, needs
from wallviz.engine.advice.splits import holds_on, on_fewest
from wallviz.engine.memory.capacity import Verdict, verdict
from wallviz.engine.memory.jobs import MOST_GPUS
from wallviz.engine.memory.peak import train
from wallviz.engine.memory.run import FIELDS
from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.engine.remedies.setup import Setup
from wallviz.errors import InputError

#: How many fixes are listed, of those that do not suffice, and of those that another beats.
MOST, MOST_IN_VAIN, ALTERNATIVES = 12, 3, 3
#: Switches that cost no quality may take a third of the time on the fewest GPUs: one part of three, 1.5 times the time without them. A full
#: recomputation takes 4/3 where every weight is trained and, without the gradients of frozen weights, up to 3/2 under adapters.
DEAREST = 3 / 2
#: What takes so many times as long is offered only where nothing else makes it fit.
FAR = 10.0
#: A remedy that saves less than this share of the time makes nothing faster.
FASTER = 0.005
#: Sets of more changes are asked only where none of fewer fits.
MOST_CHANGES = 3
#: Changes of a number, which are asked together: ZeRO stages, batches, contexts.
NUMBERS = ("sharding", "batch", "context")
#: Changes of activations alone; they take no part in what a GPU holds besides.
LIGHT = ("recomputation", "loss", "kernels")
#: Changes of the split, and the last resorts of serving.
SPLIT, LAST = "split", ("half-batch", "half-context")


@dataclass(frozen=True)
class Fix:
    """Changes that together make a job fit, or faster, none of which can be left out; and their price."""

    changes: tuple[str, ...]
    """Ids of remedies in the order in which they are applied, the split last."""
    before: Setup
    setup: Setup
    """With them."""
    time: float | None
    """Time for as many tokens over that before, on all GPUs; None where the chip's rates are not known."""
    quality: float
    """Share of quality lost."""
    judged: bool
    """Of the quality some was judged by us, not published."""

    @property
    def sets(self) -> dict[str, object]:
        """Exactly what changes: fields of `memory.run.Run`; serving: arguments of `memory.serve.infer`, and `host_weights`."""
        return sets(self.before, self.setup)

    @property
    def bytes(self) -> float:
        """What one GPU needs then."""
        return needs(self.setup).bytes

    @property
    def parts(self) -> Mapping[str, float]:
        """The same by part."""
        return needs(self.setup).parts

    @property
    def saves_bytes(self) -> float:
        """Per GPU."""
        return needs(self.before).bytes - self.bytes

    @property
    def gpus(self) -> int:
        """How many GPUs it takes."""
        return self.setup.gpus

    @property
    def fits(self) -> bool:
        """The chip holds it then."""
        return fits(self.setup)

    @property
    def lossless(self) -> bool:
        """No quality is lost, or none to speak of."""
        return self.quality < price.LOSSLESS

    @property
    def far(self) -> bool:
        """It takes so long on the GPUs that are there that nobody would who can do anything else."""
        return self.time is not None and self.time > FAR and self.gpus == self.before.gpus

    @property
    def key(self) -> tuple[float, ...]:
        """Its price, what is better first; what does not fit comes last."""
        found = needs(self.setup)
        return (not self.fits, *price.key(self.gpus, self.time, self.quality, found.bytes), len(self.changes), found.host_bytes > 0, found.bytes)


def sets(old: Setup, new: Setup) -> dict[str, object]:
    """The fields of `Run` that `new` has otherwise than `old`; serving: arguments of `serve.infer`, and `host_weights`."""
    if not old.serves:
        return {name: value for name in FIELDS if (value := getattr(new.run, name)) != getattr(old.run, name)}
    options = {name: value for name, value in new.options if old.option(name) != value}
    return options if new.host_weights == old.host_weights else options | {"host_weights": new.host_weights}


@lru_cache(maxsize=8192)
def changed(setup: Setup, ids: tuple[str, ...]) -> Setup | None:
    """`setup` with remedies one after another; None where one of them does not go, or changes nothing."""
    for id in ids:
        remedy = REMEDIES[id]
        if remedy.change is None or setup.job not in remedy.jobs:
            return None
        try:
            then = remedy.change(setup)
        except InputError:
            return None
        if then == setup:
            return None
        setup = then
    return setup


@lru_cache(maxsize=4096)
def all_bytes(setup: Setup) -> float:
    """Bytes, of training those of all phases together: what is not at the peak now may be once the rest is gone. Infinite: cannot run."""
    try:
        return needs(setup).bytes if setup.serves else float(sum(train(setup.arch, setup.run).phases.values()))
    except InputError:
        return float("inf")


def ordered(ids: Iterable[str]) -> tuple[str, ...]:
    """Remedies in the order of the catalogue, the split last."""
    chosen = frozenset(ids)
    return tuple(sorted(chosen, key=lambda id: (REMEDIES[id].group == SPLIT, list(REMEDIES).index(id))))


@dataclass(frozen=True)
class Advice:
    """What can be done about `setup`, whose chip has a known memory: asked for piece by piece, each computed once."""

    setup: Setup
    losses: Mapping[str, float]
    """Published loss of quality by remedy (`remedies.published.losses`), as a share."""

    @cached_property
    def fits(self) -> bool:
        """It fits as it is."""
        return fits(self.setup)

    @property
    def verdict(self) -> Verdict:
        """Whether it runs out of memory."""
        found = needs(self.setup)
        return verdict(found.bytes, found.band, self.setup.chip.memory_bytes)

    @property
    def goal(self) -> str:
        """``fit`` where it does not; ``faster`` where it does."""
        return "faster" if self.fits else "fit"

    @cached_property
    def fixes(self) -> tuple[Fix, ...]:
        """What makes it fit, the best first (`price.key`), those that do not suffice last and only where nothing does; where it fits, what makes
        it faster: no GPUs more, without a loss of quality before with one, then by time."""
        if self.fits:
            return tuple(sorted(self._faster(), key=lambda fix: (fix.gpus, not fix.lossless, fix.key)))[:MOST]
        here = self._here()
        found = _sensible([*here, *self._bought(alone=not here)])
        return tuple(sorted(found or self._in_vain(), key=lambda fix: fix.key))[:MOST]

    # ------------------------------------------------------------ the fewest GPUs

    @cached_property
    def fewest_as_set(self) -> Setup | None:
        """On the fewest GPUs that hold it, with the job's own choices as they are; None where none do."""
        found = on_fewest(self.setup, self.setup.gpus if self.fits else MOST_GPUS)
        return self.setup if found is None and self.fits else found

    @property
    def fewest(self) -> Fix | None:
        """The same after switches that cost no quality and take at most a third of the time on those GPUs; None where no GPUs hold it.

        All switches at once are asked first; where they take too long those that do not; and last with states in host memory. What is not
        needed on so few GPUs is left out again, unless it pays for the rest.
        """
        best, ids = self._fewest
        few = self.on_few
        return few if best is None or (few is not None and self._worth(few.setup)) else self._fix(ids, best)

    @cached_property
    def _fewest(self) -> tuple[Setup | None, tuple[str, ...]]:
        """On the fewest GPUs with switches, and all the switches that were asked."""
        best, ids = self.fewest_as_set, tuple[str, ...]()
        for asked in self._switches:
            for tried in asked:
                most = best.gpus - 1 if best else MOST_GPUS
                found = self._on(tried, most) if most else None
                if found is not None:
                    best, ids = found, tried
                    break
        return best, ids

    @cached_property
    def _switches(self) -> tuple[tuple[tuple[str, ...], ...], ...]:
        """Sets of switches that cost no quality: all, or what is left without one that takes time; then with states in host memory, each way."""
        free = [id for group in LIGHT for id in self._strongest(group)]
        free += ["smaller-batch"] if changed(self.setup, ("smaller-batch",)) else []
        every = ordered(free)
        dear = [id for id in every if (self._time(id) or 1.0) > 1.0 + FASTER]
        hosts = self._words.get("offload", ())
        return ((every, *(ordered(set(every) - {id}) for id in dear)), *((ordered((*every, host)),) for host in hosts))

    def _worth(self, found: Setup) -> bool:
        """Whether the switches of `found` take at most a third of the time: 1.5 times that of the job without them on the same split."""
        if found.serves:
            split = {name: found.option(name, 1) for name in ("tensor_parallel", "pipeline_parallel")}
            plain = self.setup.with_options(**split)
        else:
            names = ("tensor_parallel", "pipeline_parallel", "virtual_stages", "context_parallel", "expert_parallel", "data_parallel", "zero")
            split = {name: getattr(found.run, name) for name in (*names, "sequence_parallel", "stage")}
            plain = replace(self.setup, run=replace(self.setup.run, **split))
        taken = price.time(plain, found)
        return taken is None or taken <= DEAREST

    def _on(self, ids: tuple[str, ...], most: int) -> Setup | None:
        """With switches that are worth it, on the fewest GPUs up to `most`."""
        found = changed(self.setup, ids)
        return None if found is None else on_fewest(found, most, self._worth)

    def _needed(self, ids: Sequence[str], gpus: int) -> Fix | None:
        """The fix of those of `ids` without which it does not fit so many GPUs."""
        kept = self._reduced(ids, lambda kept: self._held(kept, gpus))
        found = changed(self.setup, kept)
        setup = None if found is None else on_fewest(found, gpus)
        return None if setup is None else self._fix(kept, setup)

    def _held(self, ids: Iterable[str], gpus: int, *, keep_batch: bool = False) -> bool:
        """Whether some split of so many GPUs holds it with remedies."""
        found = changed(self.setup, ordered(ids))
        return found is not None and holds_on(found, gpus, keep_batch=keep_batch)

    def _reduced(self, ids: Sequence[str], enough: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
        """`ids` without those that are not needed, the dearest left out first."""
        kept = set(ids)
        for id in sorted(ids, key=lambda id: (self._quality((id,)), self._time(id) or 1.0), reverse=True):
            if enough(ordered(kept - {id})):
                kept.remove(id)
        return ordered(kept)

    # ------------------------------------------------------------ on the GPUs that are there

    def _here(self) -> list[Fix]:
        """What makes it fit the same GPUs; a visible loss of quality, half the batch or context, only where nothing else does."""
        numbers = self._numbers(last=False)
        found = self._sets(self._words, numbers) + self._split_sets(self._words)
        if not found:
            found = self._sets(self._words, self._numbers(last=True)) if self.setup.serves else []
        if not found:
            every = {group: self._unbeaten(ids) for group, ids in self._all_words.items()}
            found = self._sets(every, self._numbers(last=True))
        return [fix for ids in found if (fix := self._priced(ids)) is not None]

    def _sets(self, words: Mapping[str, Sequence[str]], numbers: Sequence[tuple[str, ...]]) -> list[frozenset[str]]:
        """Every smallest set of changes of the job as it is split that fits.

        Sets are asked the smaller first; one that holds a set that fits is passed over, and so are those that would not fit with everything
        that saves activations on top.
        """
        found: list[frozenset[str]] = []
        reached: dict[tuple[str, ...], bool] = {}
        top = [id for group in LIGHT if group in words for id in self._strongest(group)]
        for ids in _combined(words):
            if len(ids) > MOST_CHANGES and (found or self.setup.serves):
                break
            heavy = tuple(id for id in ids if REMEDIES[id].group not in LIGHT)
            if heavy not in reached:
                reached[heavy] = bool(self._which_fit((*heavy, *top), numbers))
            if reached[heavy] and not any(fitting <= set(ids) for fitting in found):
                found += [frozenset((*ids, *number)) for number in self._which_fit(ids, numbers)]
        return _smallest(found)

    def _which_fit(self, ids: Iterable[str], numbers: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """The changes of numbers with which `ids` fit."""
        asked = [(number, setup) for number in numbers if (setup := changed(self.setup, ordered((*ids, *number)))) is not None]
        if not asked:
            return []
        try:
            fine = fit_together([setup for _number, setup in asked])
        except InputError:
            return []
        return [number for (number, _setup), one in zip(asked, fine, strict=True) if one]

    def _numbers(self, *, last: bool) -> list[tuple[str, ...]]:
        """Changes of numbers in every combination, none first; half the batch and context only as a `last` resort."""
        groups: dict[str, list[str]] = {}
        for id, remedy in REMEDIES.items():
            if remedy.group in NUMBERS and (last or id not in LAST) and changed(self.setup, (id,)) is not None:
                groups.setdefault(remedy.group, []).append(id)
        return list(_combined(groups))

    def _split_sets(self, words: Mapping[str, Sequence[str]]) -> list[frozenset[str]]:
        """The same with another split of the same GPUs: first with what costs no quality, then, where nothing fits, with everything."""
        if self.setup.gpus == 1:
            return []
        free = {group: self._strongest(group) for group in LIGHT if group in words}
        if changed(self.setup, ("smaller-batch",)):
            free["batch"] = ("smaller-batch",)
        top = [id for ids in free.values() for id in ids]
        found: list[frozenset[str]] = []
        if self._split_fits(top):
            for lighter in _combined(free):
                ids = frozenset(lighter)
                if not any(fitting <= ids for fitting in found) and self._split_fits(ids):
                    found.append(ids)
        else:
            for heavy in _combined({group: ids for group, ids in words.items() if group not in LIGHT}):
                if len(found) == MOST_IN_VAIN or any(fitting <= {*heavy, *top} for fitting in found):
                    continue
                if heavy and self._split_fits(heavy):
                    found.append(frozenset(heavy))
                elif heavy and self._split_fits((*heavy, *top)):
                    found.append(frozenset(self._reduced((*heavy, *top), self._split_fits)))
        return [ids | {"other-split"} for ids in found if not self._which_fit(ids, [()])]

    def _split_fits(self, ids: Iterable[str]) -> bool:
        return self._held(ids, self.setup.gpus, keep_batch=True)

    # ------------------------------------------------------------ on more GPUs

    def _bought(self, *, alone: bool) -> list[Fix]:
        """On the fewest GPUs, with what is needed there; on the fewest as set; where nothing fits the GPUs that are there (`alone`), also on
        fewer with a loss of quality that is not visible."""
        few, as_set, now = self.on_few, self.fewest_as_set, self.setup.gpus
        found: list[Fix] = [few] if few is not None and (few.gpus > now or alone) else []
        if as_set is not None and as_set.gpus > max(now, few.gpus if few else 0):
            found.append(self._fix((), as_set))
        return found + (list(self._fewer_with_loss(few.gpus - 1 if few else MOST_GPUS)) if alone else [])

    @cached_property
    def on_few(self) -> Fix | None:
        """What is needed to fit the fewest GPUs."""
        best, ids = self._fewest
        return None if best is None else self._needed(ids, best.gpus) or self._fix(ids, best)

    def _fewer_with_loss(self, most: int) -> Iterator[Fix]:
        """One change that loses a little quality, and what else is needed with it, on fewer GPUs than without."""
        free = self._switches[0][0]
        lossy = [id for ids in self._words.values() for id in ids if self._quality((id,)) > 0.0]
        for id in lossy:
            with_it = changed(self.setup, ordered((*free, id)))
            found = on_fewest(with_it, most) if with_it is not None and most > self.setup.gpus else None
            if found is None:
                continue
            fix = self._needed((*free, id), found.gpus)
            if fix is not None and id in fix.changes:
                yield fix

    # ------------------------------------------------------------ faster, and in vain

    def _faster(self) -> list[Fix]:
        """Single remedies that make a job faster that fits, and leave it fitting."""
        singles = [id for id, one in REMEDIES.items() if not one.retrains and one.change and id not in LAST and id not in ("more-gpus", "split")]
        found = []
        for id in singles:
            setup = changed(self.setup, (id,))
            taken = None if setup is None else price.time(self.setup, setup)
            if setup is not None and taken is not None and taken < 1.0 - FASTER and fits(setup):
                found.append(self._fix((id,), setup))
        return [fix for fix in found if fix.quality <= price.VISIBLE] or found

    def _in_vain(self) -> list[Fix]:
        """Where nothing fits: the most that one change saves."""
        singles = [*(id for ids in self._all_words.values() for id in ids), *(ids[0] for ids in self._numbers(last=True) if len(ids) == 1)]
        found = [fix for id in singles if (fix := self._priced((id,))) is not None and fix.saves_bytes > 0]
        return sorted(found, key=lambda fix: -fix.saves_bytes)[:MOST_IN_VAIN]

    # ------------------------------------------------------------ remedies of this job

    @cached_property
    def _words(self) -> dict[str, tuple[str, ...]]:
        """By group the remedies that save memory here, those that lose quality visibly and those that another of the group beats left out."""
        found = {group: tuple(id for id in ids if self._quality((id,)) <= price.VISIBLE) for group, ids in self._all_words.items()}
        return {group: self._unbeaten(ids) for group, ids in found.items() if ids}

    @cached_property
    def _all_words(self) -> dict[str, tuple[str, ...]]:
        """By group every remedy that saves memory here, numbers and splits apart."""
        found: dict[str, tuple[str, ...]] = {}
        for id, remedy in REMEDIES.items():
            if remedy.retrains or remedy.group in (*NUMBERS, SPLIT) or changed(self.setup, (id,)) is None:
                continue
            if self._size((id,)) < self._size(()) * (1.0 - 1e-9):
                found[remedy.group] = (*found.get(remedy.group, ()), id)
        return found

    def _size(self, ids: tuple[str, ...]) -> float:
        setup = changed(self.setup, ids)
        return float("inf") if setup is None else all_bytes(setup)

    def _unbeaten(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Remedies of one group without those that another beats in bytes, time and quality."""
        if len(ids) == 1:
            return tuple(ids)
        prices = {id: (self._size((id,)), self._time(id) or 1.0, self._quality((id,))) for id in ids}
        kept: list[str] = []
        for id in sorted(ids, key=lambda id: prices[id]):
            if not any(all(a <= b for a, b in zip(prices[other], prices[id], strict=True)) for other in kept):
                kept.append(id)
        return tuple(id for id in ids if id in kept)

    def _strongest(self, group: str) -> tuple[str, ...]:
        """The remedy of a group that saves most, where there is one."""
        ids = self._words.get(group, ())
        return (min(ids, key=lambda id: self._size((id,))),) if ids else ()

    # ------------------------------------------------------------ prices

    def _time(self, id: str) -> float | None:
        setup = changed(self.setup, (id,))
        return None if setup is None else price.time(self.setup, setup)

    def _quality(self, ids: Sequence[str]) -> float:
        return price.quality(self.setup, ids, self.losses)

    def _priced(self, ids: Iterable[str]) -> Fix | None:
        """The fix that a set of remedies is; None where it cannot run, though the job itself can."""
        setup = changed(self.setup, ordered(ids))
        if setup is None:
            return None
        runs = price.time(self.setup, setup) is not None or price.time(self.setup, self.setup) is None
        return self._fix(ordered(ids), setup) if runs else None

    def _fix(self, ids: tuple[str, ...], setup: Setup) -> Fix:
        """A fix of words whose split may have changed as well."""
        if setup != changed(self.setup, ids):
            ids = (*ids, "other-split" if setup.gpus <= self.setup.gpus else "split" if setup.serves else "more-gpus")
        judged = any(id not in self.losses and REMEDIES[id].toll for id in ids)
        return Fix(ids, self.setup, setup, price.time(self.setup, setup), self._quality(ids), judged)


def _combined(groups: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """At most one of each group, in every combination, the fewest first."""
    every = (tuple(id for id in chosen if id) for chosen in product(*(("", *ids) for ids in groups.values())))
    return iter(sorted(every, key=len))


def _smallest(found: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """The sets that hold no other one."""
    kept: list[frozenset[str]] = []
    for ids in sorted(found, key=len):
        if not any(other <= ids for other in kept):
            kept.append(ids)
    return kept


def _sensible(found: Iterable[Fix]) -> list[Fix]:
    """What somebody might take: each setup once; nothing that another fix beats which takes no more GPUs, time, quality and changes; no visible
    loss of quality where as many GPUs do with less; nothing that takes `FAR` times as long where anything else makes it fit. Up to
    `ALTERNATIVES` are filled up with those beaten that lose no quality."""
    kept, beaten = list[Fix](), list[Fix]()
    for fix in sorted(found, key=lambda fix: (fix.quality > price.VISIBLE, fix.key)):
        if not any(_beats(other, fix) for other in kept):
            kept.append(fix)
        elif fix.lossless and all(fix.setup != other.setup for other in (*kept, *beaten)):
            beaten.append(fix)
    quick = [fix for fix in kept if not fix.far] or kept
    return quick + [fix for fix in beaten if not fix.far][: max(0, ALTERNATIVES - len(quick))]


def _beats(one: Fix, other: Fix) -> bool:
    """Whether nobody would take `other` while there is `one`, which was found to be no worse to begin with."""
    if one.gpus > other.gpus:
        return False
    if other.quality > price.VISIBLE >= one.quality or one.setup == other.setup:
        return True
    slower = one.time is not None and other.time is not None and round(one.time, 3) > round(other.time, 3)
    return not slower and one.quality <= other.quality and len(one.changes) <= len(other.changes)
