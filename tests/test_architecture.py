"""The shape of the house, checked: who imports whom, what a page may hold, what no file may name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "wallviz"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "core", "manager", "common", "misc"}
DRIVERS = {"pynvml", "cuda", "cupy", "numba", "torch", "wgpu"}
#: Lines that a file of the package has at most, and those that are longer, each for its reason.
MOST_LINES = 400
LONGER = {
    "catalog/__init__.py": "the only reader of data/, with what it hands out",
    "catalog/rows.py": "the schema: a dataclass for each table",
    "engine/advice/search.py": "one search",
    "engine/advice/splits.py": "one search",
    "engine/memory/quantization.py": "the formats as data, and their sums",
    "engine/memory/serve.py": "one calculation",
    "engine/remedies/remedy.py": "the remedies as data",
    "engine/transformer/families/llama.py": "one reader, whose switches are most of its lines",
    "engine/work.py": "the one count of FLOP and bytes",
    "job.py": "the one description of a job",
    "machine/probe/cpu.py": "one way to measure",
    "machine/probe/cuda.py": "one driver",
    "machine/probe/cuda_device.py": "one driver",
    "machine/probe/nvml.py": "one driver",
    "machine/probe/wgpu.py": "one driver",
    "machine/record.py": "the schema of a record, and its reader, which trusts nothing",
    "validation/cases.py": "one table: from a quantity to its formula",
    "validation/peers.py": "one table: a formula for each tool",
    "validation/roofline_cases.py": "one table: from a quantity to its formula",
}
FILE_CALLS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "read_csv"}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or could be, committed."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return tuple(path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(node: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name.split(".")[0], child) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and not child.level:
            yield (child.module or "").split(".")[0], child


def layer(member: str) -> list[str]:
    """The modules on the line of the layers in pyproject.toml where `member` stands."""
    lines: list[str] = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    return next(names for line in lines if member in (names := re.findall(r"\w+", line)))


def test_imports_respect_the_layers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every import-linter contract of pyproject.toml is kept."""
    from importlinter.cli import lint_imports

    monkeypatch.chdir(ROOT)
    broken = lint_imports(no_cache=True)
    printed = capsys.readouterr()
    assert not broken, printed.out + printed.err


def test_domain_and_figures_open_no_file() -> None:
    """The domain, the figures and the answers get values and never read or write a file."""
    offenders = [
        f"{name(path)}:{node.lineno}"
        for module in ["engine", "job", "figures", "curves", "validation", "rooms"]
        for path in [*PACKAGE.glob(f"{module}.py"), *PACKAGE.glob(f"{module}/**/*.py")]
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in FILE_CALLS
    ]
    assert not offenders


def test_drivers_are_optional() -> None:
    """Driver packages are imported by wallviz.machine.probe alone, and inside functions, so that nothing needs them to start."""
    offenders = []
    for path in [ROOT / "app.py", *python_files("src", "pages")]:
        if not path.exists():
            continue
        module = tree(path)
        top = {id(node) for node in module.body}
        in_probe = path.is_relative_to(PACKAGE / "machine" / "probe")
        offenders += [f"{name(path)}:{node.lineno}" for package, node in imports(module) if package in DRIVERS and (id(node) in top or not in_probe)]
    assert not offenders


def test_modules_have_a_subject() -> None:
    """No module is called utils, helpers, core, manager or common."""
    offenders = [name(path) for path in python_files("src", "pages", "tests", "benchmarks") if EMPTY_NAMES & {path.stem, path.parent.name}]
    assert not offenders


def test_a_long_file_has_a_reason() -> None:
    """A file of more than `MOST_LINES` lines stands in `LONGER` with its reason, and nothing shorter does."""
    long = {str(path.relative_to(PACKAGE)) for path in python_files("src") if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES}
    assert long == {*LONGER}


def test_a_class_name_means_one_thing() -> None:
    """No two public classes share a name but the `View` of each room."""
    named = [(node.name, name(path)) for path in python_files("src") for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
    shared = Counter(kind for kind, _file in named if not kind.startswith("_") and kind != "View")
    assert not [(kind, file) for kind, file in named if shared[kind] > 1]


def test_no_name_hides_a_module() -> None:
    """No function, class or import of a package has the name of one of its modules, which could then not be reached."""
    hidden = []
    for path in PACKAGE.rglob("__init__.py"):
        modules = {child.stem for child in path.parent.iterdir() if child.suffix == ".py" or child.is_dir()}
        package = ".".join(path.parent.relative_to(PACKAGE.parent).parts)
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                hidden += [f"{name(path)}: {node.name}"] if node.name in modules else []
            elif isinstance(node, ast.ImportFrom) and node.module != package:
                hidden += [f"{name(path)}: {said}" for alias in node.names if (said := alias.asname or alias.name) in modules]
    assert not hidden


def test_pages_stand_in_sections() -> None:
    """Every page stands in a section folder, because Streamlit runs a file directly in pages/ without app.py on a cold deep link."""
    assert not [name(path) for path in (ROOT / "pages").glob("*.py")]


def test_pages_are_thin() -> None:
    """A page reads from top to bottom: under 120 lines, no class, no loop, no function but its `body` and what its figure's menu adds (`take`)."""
    offenders = []
    for path in python_files("pages"):
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) >= 120:
            offenders.append(f"{name(path)}: {lines} lines")
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.AsyncFor, ast.While)
        found = [node for node in ast.walk(tree(path)) if isinstance(node, kinds) and getattr(node, "name", "") not in ("body", "take")]
        offenders += [f"{name(path)}:{node.lineno}: {type(node).__name__}" for node in found]
    assert not offenders


def test_pages_import_only_streamlit_and_wallviz() -> None:
    """A page needs Streamlit, wallviz and the standard library; drawing and reading happen behind wallviz."""
    allowed = {"streamlit", "wallviz", *sys.stdlib_module_names}
    assert not [f"{name(path)}:{node.lineno}" for path in python_files("pages") for package, node in imports(tree(path)) if package not in allowed]


def test_every_test_states_its_promise() -> None:
    """Every test has a docstring of one line."""
    offenders = [
        f"{name(path)}:{node.lineno}"
        for path in python_files("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and len((ast.get_docstring(node) or "").splitlines()) != 1
    ]
    assert not offenders


def test_no_file_names_a_machine_or_a_package_index() -> None:
    """No committed file holds a path of somebody's machine or the host of a package index."""
    hosts = {
        "org": ("pypi", "files.pythonhosted", "registry.npmjs", "deb.debian", "security.debian"),
        "com": ("archive.ubuntu", "npmjs"),
        "io": ("docker", "ghcr", "quay"),
    }
    named = "|".join(re.escape(f"{host}.{top}") for top, names in hosts.items() for host in names)
    paths = r"(?<![\w.~/-])/(?:root|work|Users|mnt|home/(?!wallviz\b))[/\w-]"
    pattern = re.compile(rf"\b(?:{named})\b|{paths}")
    offenders = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture
            continue
        offenders += [f"{name(path)}:{number}" for number, line in enumerate(text.splitlines(), start=1) if pattern.search(line)]
    assert not offenders


def pins(file: str) -> dict[str, str]:
    lines = [line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    pin = r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.!+]*)(?: ; .+)?"
    pinned = [re.fullmatch(pin, line) for line in lines if line and not line.startswith(("#", "-r "))]
    assert all(pinned), f"{file}: every line is name==version, and where it is for some systems alone, which"
    return {re.sub(r"[-_.]+", "-", pin[1]).lower(): pin[2] for pin in pinned if pin}


def test_every_requirement_is_pinned() -> None:
    """Every line of the requirement files names exactly one version, and no package stands in both."""
    assert not pins("requirements.txt").keys() & pins("requirements-dev.txt").keys()


def test_pins_satisfy_the_ranges() -> None:
    """What the dashboard and its tests need is pinned inside the range of pyproject.toml; what is pinned for another extra is too."""
    versions = pins("requirements.txt") | pins("requirements-dev.txt")
    project = PROJECT["project"]
    needed = {"": project["dependencies"]} | project["optional-dependencies"]
    for extra, text in ((extra, text) for extra, texts in needed.items() for text in texts):
        wanted = Requirement(text)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name != "wallviz" and (extra in ("", "nvidia", "test", "dev") or name in versions):
            assert wanted.specifier.contains(versions[name]), text
