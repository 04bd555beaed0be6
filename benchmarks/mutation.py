"""Whether the tests notice a wrong engine: python -m benchmarks.mutation --sample 200 --jobs 2

A mutant is the package with one small change in an engine: a comparison inverted, + for -, a number doubled. The tests that run the changed lines
are run against it; one that fails kills it, and a mutant that none kills is a gap in the tests, or a change that changes nothing (`EQUIVALENT`).
Everything happens in copies in a temporary folder: the checkout is read and never written.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import _lru_cache_wrapper
from itertools import accumulate
from math import inf
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/wallviz"
#: The engines by name, each as patterns of its files under the package.
ENGINES = {
    "footprint": ("engine/memory/*.py",),
    "roofline": ("engine/roofline/*.py",),
    "scale-out": ("engine/scaleout/*.py",),
    "advice": ("engine/remedies/*.py", "engine/advice/*.py"),
    "work": ("engine/work.py",),
    "validation": ("validation/*.py",),
}
#: Tests that never come near an engine, need a browser, or start processes of their own.
LEFT_OUT = ("test_probe*", "test_browser*", "test_load*", "test_packaging*", "test_telemetry*")
NOT_COPIED = (".git", ".venv", "build", "dist", ".*_cache", "__pycache__", "*.egg-info")
#: What tests import and no mutant changes: imported once, before every fork.
HEAVY = (
    "numpy", "pandas", "plotly.graph_objects", "scipy.stats", "yaml", "orjson", "typer.testing", "babel.messages.pofile", "streamlit.testing.v1",
    "websockets", "playwright.sync_api",
)  # fmt: skip
#: What may be changed without a mistake: file, the text in which any change is excused, and why nothing could notice.
EQUIVALENT = (
    ("validation/case_study.py", '"n_positions": 4096', "the table of positions is dropped with everything around the layers"),
    ("validation/case_study.py", '"vocab_size": 50257', "so is that of the vocabulary"),
    ("validation/case_study.py", '"vocab_size": 30522, "max_position_embeddings": 4096, "type_vocab_size": 2', "so are BERT's"),
    ("scaleout/record.py", "curve.tokens_per_s, curve.efficiency, strict=True", "they are of one length: strict never speaks"),
    ("scaleout/scaling.py", "self.tokens_per_s.tolist(), strict=True", "so are these"),
    ("roofline/batch.py", "np.where(room > 0, room, 1.0)", "the 1.0 only keeps a division from failing whose result is not taken"),
    ("roofline/serving.py", "high - low > 1:", "64 tries at a time leave of 65,537 first 1,041, then 17, then one: two are never left"),
    ("roofline/decode.py", "flop: float = 0.0", "over an infinite rate any work takes no time"),
    ("scaleout/serving_job.py", "isinstance(mixer, Attention) else 0", "one head is no more than there are ranks, as none is not"),
    ("scaleout/training_job.py", "micro_batch=1, accumulation=1)", "the search has its own of both"),
    ("scaleout/scaling.py", "*(2 ** np.arange(int(most).bit_length()))", "powers of two that a copy divides are among the copies' own"),
    ("validation/scaling_cases.py", '"P_os+g+p": 3', "every form asks for stage 3 or more"),
    ("validation/scaling_cases.py", '"ZeRO-3": 3', "so it does here"),
    *(
        ("memory/jobs.py", f"np.max(run.{name})", "what comes here is one number")
        for name in ("tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel")
    ),
)

# ---------------------------------------------------------------------------------------------------------------- what is changed


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where it stands (bytes `start` to `end` of `file`), what stood there, what stands there now, and the function around it."""

    file: str
    line: int
    start: int
    end: int
    kind: str
    before: str
    after: str
    function: int | None
    """The first line of the innermost function, its decorators included; None in the module's own body."""

    def applied(self, text: bytes) -> bytes:
        """The file with the change in it."""
        return text[: self.start] + f"({self.after})".encode() + text[self.end :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.kind}: {self.before}  →  {self.after}"


COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATED: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
EXTREMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"}


def changes(node: ast.AST) -> Iterator[tuple[str, ast.expr, ast.expr]]:
    """What may be changed at a node: in words, the expression that is replaced, and the one in its place."""
    match node:
        case ast.Compare(left, [op], [right]) if type(op) in COMPARED:
            yield "comparison inverted", node, ast.Compare(left, [COMPARED[type(op)]()], [right])
        case ast.BinOp(left, op, right) if type(op) in OPERATED and not any(_is_text(side) for side in (left, right)):
            yield "operator swapped", node, ast.BinOp(left, OPERATED[type(op)](), right)
        case ast.Constant(bool(value)):
            yield "flag turned", node, ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            if value:
                yield "doubled", node, ast.Constant(value * 2)
            if value and (isinstance(value, float) or value >= 10):
                yield "a tenth", node, ast.Constant(value / 10 if isinstance(value, float) else value // 10)
            yield "one more", node, ast.Constant(value + 1)
        case ast.Call(ast.Name(name) as called) if name in EXTREMES:
            yield "extreme swapped", called, ast.Name(EXTREMES[name])
        case ast.Call(ast.Attribute(of, name) as called) if name in EXTREMES:
            yield "extreme swapped", called, ast.Attribute(of, EXTREMES[name])
        case ast.Call(ast.Name("sorted") | ast.Attribute(attr="sort") as called, given, keywords):
            old = next((k.value for k in keywords if k.arg == "reverse"), ast.Constant(value=False))
            others = [k for k in keywords if k.arg != "reverse"]
            yield "order reversed", node, ast.Call(called, given, [*others, ast.keyword("reverse", ast.UnaryOp(ast.Not(), old))])
        case ast.BoolOp(op, values):
            yield "and/or swapped", node, ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield "not dropped", node, operand
        case ast.IfExp(_test, body, orelse):
            yield "always the first", node, body
            yield "always the second", node, orelse
        case ast.If(test, body) if isinstance(body[-1], ast.Return):
            yield "never returned", test, ast.Constant(value=False)


def _is_text(node: ast.expr) -> bool:
    """Whether an operand is a text or a list, which minus and division only refuse."""
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


#: Parts of a node that say nothing of what it computes.
_UNREAD = {"annotation", "returns", "decorator_list", "type_params"}


def mutants(file: str, text: bytes) -> list[Mutant]:
    """Every change of a file, in the order of its lines; types, decorators, texts and what is raised are left as they are.

    >>> [str(each) for each in mutants("f.py", b"def f(a, b=2):\\n    return a < b")]
    ['f.py:1  doubled: 2  →  4', 'f.py:1  one more: 2  →  3', 'f.py:2  comparison inverted: a < b  →  a >= b']
    """
    lines = [0]
    for line in text.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    found: list[Mutant] = []

    def visit(node: ast.AST, function: int | None) -> None:
        if isinstance(node, ast.JoinedStr | ast.Raise | ast.Import | ast.ImportFrom):
            return  # places in an f-string are wrong before Python 3.12
        if isinstance(node, ast.FunctionDef):
            function = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        for kind, old, new in changes(node):
            start, end = (lines[at - 1] + column for at, column in ((old.lineno, old.col_offset), (old.end_lineno or 0, old.end_col_offset or 0)))
            found.append(Mutant(file, old.lineno, start, end, kind, ast.unparse(old), ast.unparse(new), function))
        for name, value in ast.iter_fields(node):
            for child in (value if isinstance(value, list) else [value]) if name not in _UNREAD else []:
                if isinstance(child, ast.AST):
                    visit(child, function)

    visit(ast.parse(text), None)
    return sorted(found, key=lambda each: (each.start, each.end))


def sampled(everything: Iterable[Mutant], n: int, seed: int) -> list[Mutant]:
    """`n` mutants, evenly over the files as far as they have so many, the same ones for the same seed."""
    chance = random.Random(seed)
    piles: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in everything:
        piles[mutant.file].append(mutant)
    for pile in piles.values():
        chance.shuffle(pile)
    order = sorted(piles)
    chance.shuffle(order)
    deepest = max(map(len, piles.values()), default=0)
    return [piles[file][depth] for depth in range(deepest) for file in order if depth < len(piles[file])][:n]


def engine_files(root: Path) -> dict[str, str]:
    """The files of the engines, with the engine's name."""
    return {
        path.relative_to(root).as_posix(): engine
        for engine, patterns in ENGINES.items()
        for pattern in patterns
        for path in sorted((root / PACKAGE).glob(pattern))
    }


# ----------------------------------------------------------------------------------------------------- which tests run which lines


class Watch:
    """A plugin for pytest: which functions of the engines each test calls, and how long it takes.

    What is kept between tests is forgotten before each, or a test would be seen to call nothing that an earlier one has called; what importing,
    collecting and fixtures call counts for every test of the file.
    """

    def __init__(self, files: Iterable[str], root: Path) -> None:
        self.root = f"{root}/"
        self.files = frozenset(files)
        self.codes: set[CodeType] = set()
        self.shared: set[str] = set()
        self.calls: dict[str, set[str]] = {}
        self.seconds: dict[str, float] = {}
        self._kept: list[Any] = []
        self._modules = 0
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> None:
        self.codes.add(frame.f_code)

    def _taken(self) -> set[str]:
        """The functions that were called since the last time."""
        codes, self.codes = self.codes, set()
        return {f"{file}:{code.co_firstlineno}" for code in codes if (file := code.co_filename.removeprefix(self.root)) in self.files}

    def _forget(self) -> None:
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            self._kept = [
                each
                for each in gc.get_objects()
                if isinstance(each, _lru_cache_wrapper)
                and (module := str(getattr(each, "__module__", ""))).startswith("wallviz.")
                and not module.startswith(("wallviz.catalog", "wallviz.i18n", "wallviz.glossary"))
            ]
        for each in self._kept:
            each.cache_clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """Fixtures may be shared by all tests of the file."""
        self._forget()
        yield
        self.shared |= self._taken()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """The test itself."""
        sys.settrace(self._trace)  # whoever debugs may have taken it
        started = time.perf_counter()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.perf_counter() - started
            self.calls[item.nodeid] = self._taken()


class Only:
    """A plugin for pytest: runs these tests and no others."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self.wanted = wanted

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Called when all are collected."""
        items[:] = [item for item in items if item.nodeid in self.wanted]


# ----------------------------------------------------------------------------------------------------------- processes and copies


def copied(folder: Path) -> Path:
    """A copy of what tests need, with the times of its files, so that what is compiled stays good."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return folder


def forked(root: Path, work: Callable[[], int]) -> int:
    """A process that works in `root` and ends with what `work` answers; its output goes to the file ``output`` there."""
    if pid := os.fork():
        return pid
    code = 70
    try:
        os.setpgid(0, 0)
        os.chdir(root)
        with Path("output").open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        sys.path[:] = [str(root / "src"), str(root), *(each for each in sys.path if each and Path(each).resolve() not in (ROOT, ROOT / "src"))]
        os.environ["PYTHONPATH"] = f"{root / 'src'}{os.pathsep}{root}"
        for name in [name for name in sys.modules if name.split(".")[0] in ("benchmarks", "wallviz", "tests")]:
            del sys.modules[name]
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def last(root: Path) -> str:
    """The end of what the process of a copy printed."""
    return (root / "output").read_text(encoding="utf-8", errors="replace")[-3000:]


def judged(arguments: Sequence[str], plugin: object) -> int:
    """pytest's exit code, for tests of this folder alone."""
    imported = "ignore::pytest.PytestAssertRewriteWarning"  # what is imported before the fork is no plugin of ours
    code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not browser", "-W", imported, *arguments], plugins=[plugin]))
    package = sys.modules.get("wallviz")
    if package is not None and not Path(str(package.__file__)).is_relative_to(Path.cwd()):
        return 71  # another wallviz was tested
    return code


class Crew:
    """Up to `len(copies)` processes at once, each with a copy of its own."""

    def __init__(self, copies: Sequence[Path]) -> None:
        self.idle = list(copies)
        self.busy: dict[int, tuple[Path, float, Callable[[int | None, Path], None]]] = {}

    def start(self, work: Callable[[Path], int], seconds: float, done: Callable[[int | None, Path], None]) -> None:
        """Runs `work` in a process once there is a copy for it; `done` gets its exit code, None where it took longer than `seconds`."""
        while not self.idle:
            self._wait()
        copy = self.idle.pop()
        self.busy[work(copy)] = copy, time.monotonic() + seconds, done

    def finish(self) -> None:
        """Waits for all."""
        while self.busy:
            self._wait()

    def stop(self) -> None:
        """Ends all."""
        for pid in self.busy:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.busy.clear()

    def _wait(self) -> None:
        for pid, (copy, until, done) in list(self.busy.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            late = not ended and time.monotonic() > until
            if late:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            if ended or late:
                del self.busy[pid]
                self.idle.append(copy)
                done(None if late else os.waitstatus_to_exitcode(status), copy)
                return
        time.sleep(0.02)


# ------------------------------------------------------------------------------------------------------------------------- the run


@dataclass(slots=True)
class Coverage:
    """Which tests call which functions, and how many seconds each takes."""

    calling: dict[str, set[str]]
    seconds: dict[str, float]

    def of(self, mutant: Mutant) -> frozenset[str]:
        """The tests that may notice: those that call the function; outside of one, or for a default, all that call anything in its file or in a
        file that imports it."""
        if mutant.function is not None:
            return frozenset(self.calling.get(f"{mutant.file}:{mutant.function}", ()))
        name = mutant.file.removesuffix(".py").rpartition("/")[2]
        files = {mutant.file, *(file for file in engine_files(ROOT) if f" {name} import" in _text(file) or f".{name} import" in _text(file))}
        return frozenset(test for place, tests in self.calling.items() if place.rpartition(":")[0] in files for test in tests)


def _text(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def watched(crew: Crew, files: Sequence[str]) -> Coverage:
    """Runs every test once, file by file, and keeps what it calls. All must pass."""
    found = Coverage(defaultdict(set), {})
    names = [f"tests/{path.name}" for path in (ROOT / "tests").glob("test_*.py") if not any(fnmatch(path.name, left) for left in LEFT_OUT)]
    doctests: dict[str, list[str]] = defaultdict(list)
    for file in files:
        doctests[file.rpartition("/")[0]].append(file)
    for together in [*([name] for name in names), *doctests.values()]:

        def look(root: Path, together: Sequence[str] = together) -> int:
            def work() -> int:
                watch = Watch(files, root)
                code = judged(together, watch)
                report = {"seconds": watch.seconds, "shared": sorted(watch.shared), "calls": {test: sorted(c) for test, c in watch.calls.items()}}
                Path("watched.json").write_text(json.dumps(report), encoding="utf-8")
                return code

            return forked(root, work)

        def read(code: int | None, root: Path, together: Sequence[str] = together) -> None:
            if code not in (0, 5):
                raise SystemExit(f"{together[0]} does not pass before anything is changed ({code}):\n{last(root)}")
            print(f"{together[0]} passes, and is watched", file=sys.stderr, flush=True)
            report = json.loads((root / "watched.json").read_text(encoding="utf-8"))
            found.seconds |= report["seconds"]
            for test, places in report["calls"].items():
                for place in {*places, *report["shared"]}:
                    found.calling[place].add(test)

        crew.start(look, 1800, read)
    crew.finish()
    return found


def tried(crew: Crew, chosen: Sequence[Mutant], tests: Coverage, most_s: float = inf) -> dict[Mutant, str]:
    """What became of each mutant: ``killed``, ``timed out`` or ``survived``; of those that were tried, where it was interrupted.

    Each is tried with the files that take least, up to `most_s` seconds of tests together, and always with one.
    """
    fate: dict[Mutant, str] = {}
    try:
        _try(crew, chosen, tests, fate, most_s)
    except KeyboardInterrupt:
        crew.stop()
    return fate


def _try(crew: Crew, chosen: Sequence[Mutant], tests: Coverage, fate: dict[Mutant, str], most_s: float) -> None:
    for mutant in chosen:
        wanted = tests.of(mutant)
        if not wanted:
            fate[mutant] = "survived"  # nothing runs it
            continue
        lasting: dict[str, float] = defaultdict(float)
        for test in wanted:
            lasting[test.partition("::")[0]] += tests.seconds[test]
        order = sorted(lasting, key=lambda file: lasting[file])
        so_far = accumulate(lasting[file] for file in order)
        order = [file for file, seconds in zip(order, so_far, strict=True) if seconds <= most_s] or order[:1]
        limit = 60 + round(10 * sum(lasting[file] for file in order))

        def change(root: Path, mutant: Mutant = mutant, wanted: frozenset[str] = wanted, order: Sequence[str] = order, limit_s: int = limit) -> int:
            changed = root / mutant.file
            shutil.copy2(changed, root / "original")
            changed.write_bytes(mutant.applied(changed.read_bytes()))
            sys.dont_write_bytecode = True

            def work() -> int:
                resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5))  # a busy machine is no endless loop
                return next((code for file in order if (code := judged([file], Only(wanted)))), 0)

            return forked(root, work)

        def mend(code: int | None, root: Path, mutant: Mutant = mutant) -> None:
            shutil.copy2(root / "original", root / mutant.file)
            if code in (5, 70, 71):
                raise SystemExit(f"{mutant}: the tests did not run ({code}):\n{last(root)}")
            fate[mutant] = "timed out" if code in (None, -signal.SIGXCPU) else "killed" if code else "survived"
            print(f"{len(fate):5} of {len(chosen)}  {fate[mutant]:9}  {mutant}", file=sys.stderr, flush=True)

        crew.start(change, 20.0 * limit, mend)
    crew.finish()


def excused(mutant: Mutant) -> bool:
    """Whether a mutant stands in `EQUIVALENT`."""
    text = (ROOT / mutant.file).read_bytes()
    for file, part, _why in EQUIVALENT:
        at = text.find(part.encode()) if mutant.file.endswith(file) else -1
        if 0 <= at <= mutant.start and mutant.end <= at + len(part.encode()):
            return True
    return False


def main() -> None:
    """Tries a sample of mutants; prints the score of each engine and what survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=200, help="how many mutants, spread evenly over the files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="+", default=["*"], help="patterns of files, such as '*/roofline/*'")
    parser.add_argument("--tests", type=Path, help="a file that keeps which test runs what, read if it is there: for another sample of the same tree")
    parser.add_argument("--most-seconds", type=float, default=inf, help="of tests that a mutant is tried with; what they miss counts as missed")
    asked = parser.parse_args()
    started = time.monotonic()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    files = engine_files(ROOT)
    wanted = [file for file in files if any(fnmatch(file, only) for only in asked.only)]
    everything = [mutant for file in wanted for mutant in mutants(file, (ROOT / file).read_bytes()) if not excused(mutant)]
    chosen = sampled(everything, asked.sample, asked.seed)
    for name in HEAVY:
        with suppress(ImportError):
            importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="wallviz-mutation-") as folder:
        copies = [copied(Path(folder).resolve() / str(number)) for number in range(asked.jobs)]
        crew = Crew(copies)
        if asked.tests and asked.tests.exists():
            kept = json.loads(asked.tests.read_text(encoding="utf-8"))
            tests = Coverage({place: set(names) for place, names in kept["calling"].items()}, kept["seconds"])
        else:
            tests = watched(crew, list(files))
            if asked.tests:
                kept = {"calling": {place: sorted(names) for place, names in tests.calling.items()}, "seconds": tests.seconds}
                asked.tests.write_text(json.dumps(kept), encoding="utf-8")
        fate = tried(crew, chosen, tests, asked.most_seconds)
    chosen = [mutant for mutant in chosen if mutant in fate]
    print(f"{len(chosen)} of {len(everything)} mutants, seed {asked.seed}, {(time.monotonic() - started) / 60:.0f} minutes\n")
    print("| engine | mutants | killed | score |\n| --- | --- | --- | --- |")
    for engine in ENGINES:
        of_it = [m for m in chosen if files[m.file] == engine]
        killed = sum(fate[m] != "survived" for m in of_it)
        if of_it:
            print(f"| {engine} | {len(of_it)} | {killed} | {100 * killed / len(of_it):.0f} % |")
    print("\nSurvivors:")
    for mutant in sorted((m for m in chosen if fate[m] == "survived"), key=lambda m: (m.file, m.line)):
        print(f"{mutant}  ({len(tests.of(mutant))} tests)")


if __name__ == "__main__":
    main()
