"""The command line: what each call prints, where, and with which exit code."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from wallviz import catalog, cli, i18n
from wallviz.__about__ import __version__
from wallviz.cli import dashboard

NO_LOCALE = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "", "COLUMNS": ""}
EXAMPLE = {
    "claim_id": "blog_params",
    "published_multiplier": 240,
    "period_years": 2,
    "refit_multiplier": 240.9,
    "ci95_low": 5.63,
    "ci95_high": 10309,
    "doubling_years": 0.253,
    "n": 10,
    "r_squared": 0.586,
    "first": "2017-12-06",
    "last": "2020-06-30",
    "excluded": [],
    "method": "ols",
}


def call(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments), env=NO_LOCALE | environment)


def answer(*arguments: str, **environment: str) -> Any:
    """The JSON document of a call that succeeds and says nothing else."""
    result = call(*arguments, "--json", **environment)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def refused(*arguments: str, **environment: str) -> str:
    """The line of a call that is refused: exit 2, nothing on stdout, one line on stderr."""
    result = call(*arguments, **environment)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("\n")
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def started(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A call in a process of its own."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = os.environ | NO_LOCALE | {"PYTHONPATH": path} | environment
    return subprocess.run([sys.executable, "-m", "wallviz", *arguments], capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of data/ to break."""
    return Path(shutil.copytree(catalog.DATA, tmp_path / "data"))


# One claim


def test_the_claim_of_240_is_answered_as_documented() -> None:
    """`growth blog_params --json` has the keys and the numbers of the contract, in its order."""
    found = answer("growth", "blog_params")
    assert list(found) == list(EXAMPLE)
    for key, value in EXAMPLE.items():
        assert found[key] == (pytest.approx(value, rel=2e-3) if isinstance(value, int | float) else value), key


def test_points_can_be_left_out() -> None:
    """`--exclude` takes names or ids, in any case and repeated, and the answer lists the ids."""
    found = answer("growth", "blog_params", "--exclude", "albert XXL", "--exclude", "gholami-params-2021/electra-large")
    assert found["refit_multiplier"] == pytest.approx(1004, rel=1e-3)
    assert found["excluded"] == ["gholami-params-2021/albert-xxl", "gholami-params-2021/electra-large"]
    assert found["n"] == 8


def test_the_window_includes_its_days() -> None:
    """`--since` and `--until` keep the points of their own days."""
    found = answer("growth", "blog_params", "--since", "2018-06-11", "--until", "2020-05-28")
    assert (found["first"], found["last"], found["n"]) == ("2018-06-11", "2020-05-28", 8)


@pytest.mark.parametrize(("method", "interval"), [("ols", "t"), ("ols", "bootstrap"), ("theil-sen", "rank")])
def test_every_method_has_its_interval(method: str, interval: str) -> None:
    """Each method answers with its own intervals around its own multiplier."""
    found = answer("growth", "paper_hw_flops", "--method", method, "--interval", interval)
    assert found["method"] == method
    assert found["ci95_low"] < found["refit_multiplier"] < found["ci95_high"]


@pytest.mark.parametrize("typed", ["BLOG_PARAMS", "blog_par", "Blog_Par"])
def test_a_claim_is_found_in_any_case_and_by_a_unique_beginning(typed: str) -> None:
    """Claims match case-insensitively, in full or by a unique prefix."""
    assert answer("growth", typed)["claim_id"] == "blog_params"


def test_a_whole_id_wins_over_a_beginning() -> None:
    """An id that is the beginning of another one means itself."""
    assert answer("growth", "paper_dram_bw")["claim_id"] == "paper_dram_bw"


def test_a_claim_without_points_is_null_with_its_reason() -> None:
    """A claim that ships without points is answered: null for each figure of the refit, and the reason."""
    found = answer("growth", "blog_moore")
    assert found["published_multiplier"] == 2
    assert [key for key, value in found.items() if value is None] == [
        "refit_multiplier", "ci95_low", "ci95_high", "doubling_years", "r_squared", "first", "last", "method",
    ]  # fmt: skip
    assert (found["n"], found["reason"]) == (0, "A drawn reference line has no points.")


def test_a_claim_is_readable() -> None:
    """Without --json the answer says published, refit and interval, and of each point what it is and the refit without it."""
    lines = call("growth", "blog_params", "--exclude", "GPT-1").stdout.splitlines()
    text = "\n".join(lines)
    assert "240× / 2 y" in text
    assert "Gholami et al., edition 2021" in text
    points = {line.split()[1]: line for line in lines if line.startswith("20")}
    assert len(points) == 10
    assert "left out" in points["GPT-1"]
    assert "175\u202fbn" in points["GPT-3"]


def test_the_influence_shown_is_the_refit_without_the_point() -> None:
    """The figure beside a point is what the multiplier becomes when that point is left out."""
    line = next(line for line in call("growth", "blog_params").stdout.splitlines() if "GShard" in line)
    assert answer("growth", "blog_params", "--exclude", "GShard")["refit_multiplier"] == pytest.approx(83.3, abs=0.05)
    assert "83.3×" in line


def test_points_that_share_a_name_show_their_ids() -> None:
    """A point whose name does not tell it apart is shown with the id that --exclude takes."""
    text = "".join(call("growth", "blog_hw_flops").stdout.split())
    assert "unidentifi" in text
    assert answer("growth", "blog_hw_flops", "--exclude", "gholami-peak-2021/unidentified-nvidia-2009")["n"] == 34


# The list


def test_all_claims_are_listed() -> None:
    """`growth --json` is a list of every claim with what it is, what was published, the refit or the reason."""
    found = answer("growth")
    assert [each["id"] for each in found] == list(catalog.claims())
    keys = {"id", "what", "quantity", "edition", "published_multiplier", "period_years", "refit_multiplier", "ci95_low", "ci95_high", "n", "note"}
    assert all(keys <= each.keys() for each in found)
    assert all((each["refit_multiplier"] is None) == bool(each.get("reason")) for each in found)
    assert next(each for each in found if each["id"] == "blog_params")["refit_multiplier"] == pytest.approx(240.93, rel=1e-4)


def test_the_list_is_readable() -> None:
    """Without --json every claim has a row with the published and the refitted value, and repeated notes stand below."""
    text = call("growth").stdout
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert set(catalog.claims()) <= set(rows)
    assert "90,000× / 20 y" in rows["blog_hw_flops_20y"]
    assert "91,059×" in rows["blog_hw_flops_20y"]
    assert text.count("Its choice of chips cannot be rebuilt") == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("command", [["growth"], *(["growth", name] for name, claim in catalog.claims().items() if claim.points)])
def test_tables_fit_in_100_columns(command: list[str], lang: str) -> None:
    """No line of a table is wider than 100 columns, Chinese characters counted as two."""
    result = call(*command, "--lang", lang)
    assert result.exit_code == 0
    for line in result.stdout.splitlines():
        assert sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line) <= 100, line
        assert line == line.rstrip()


# Input that is refused


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["growth", "paper_dram"], "use one of paper_dram_bw, paper_dram_bw_20y"),
        (["growth", "blog_parms"], "did you mean blog_params"),
        (["growth", "qqqq"], f"{len(catalog.claims())} are known, such as"),
        (["growth", ""], "no claim is called"),
        (["growth", "blog_params", "--exclude", "GPT3"], "did you mean"),
        (["growth", "blog_params", "--exclude", "gpt"], "GPT-2"),
        (["growth", "blog_params", "--exclude", "qqqq"], "choose from gholami-params-2021/transformer"),
        (["growth", "blog_params", "--since", "2030-01-01"], "from 2017-12-06 to 2020-06-30; widen the window"),
        (["growth", "blog_params", "--since", "2020-05-01"], "two points always lie on a line: keep at least 3"),
        (["growth", "blog_params", "--since", "2020-06-30"], "one point has no slope: keep at least 3"),
        (["growth", "blog_params", "--since", "2020-01-01", "--until", "2019-01-01"], "later than until (2019-01-01): swap them"),
        (["growth", "blog_params", "--since", "28.5.2020"], "since must be a date: 28.5.2020 is not; write it as YYYY-MM-DD"),
        (["growth", "blog_params", "--until", "2020-02-30"], "until must be a date: 2020-02-30"),
        (["growth", "blog_params", "--method", "magic"], "unknown method magic: choose from ols, theil-sen"),
        (["growth", "blog_params", "--interval", "magic"], "unknown interval magic: choose from t, bootstrap, rank"),
        (["growth", "blog_params", "--interval", "rank"], "does not go with ols: choose from t, bootstrap"),
        (["growth", "--since", "2020-01-01"], "--since needs a claim"),
        (["growth", "blog_params", "paper_params"], "paper_params"),
        (["growth", "blog_params", "--exlude", "GPT-3"], "there is no option --exlude (--exclude?)"),
        (["growth", "blog_params", "--exclude"], "--exclude"),
        (["growth", "--json=yes"], "--json"),
        (["grwth"], "no command is called grwth: choose from growth, run, check-data"),
        (["--colour"], "there is no option --colour"),
        ([], "say what to do: growth, run, check-data"),
        (["growth", "--lang", "fr"], "no language is called fr: choose from en, zh"),
        (["--lang", "fr", "growth"], "no language is called fr: choose from en, zh"),
        (["run", "--port", "0"], "--port must lie between 1 and 65535: got 0"),
        (["run", "--port", "many"], "--port must lie between 1 and 65535: got many"),
        (["run", "8600"], "8600 is no option"),
        (["check-data", "nowhere-at-all"], "there is no directory nowhere-at-all"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_wrong_input_is_one_line_and_exit_2(arguments: list[str], expected: str, lang: str) -> None:
    """Wrong input, of whatever kind, is refused with exit 2, nothing on stdout and one line on stderr that says what to do."""
    line = refused(*arguments, LC_ALL=f"{lang}_XX.UTF-8")
    if lang == "en":
        assert expected in line


def test_hostile_input_stays_one_plain_line() -> None:
    """Line breaks, terminal codes and markup that were typed come back harmless, as text on the one line."""
    line = refused("growth", "[red]a\nb\x1b[31m\r{0}[/nope]")
    assert "[red]a b" in line
    assert "{0}[/nope]" in line
    assert "\x1b" not in line


def test_markup_in_the_data_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Square brackets and terminal codes in a note are shown as they stand and never obeyed."""
    from dataclasses import replace

    claim = replace(catalog.claims()["blog_params"], note="[bold]loud[/bold] [/broken] \x1b[31mred")
    monkeypatch.setattr(catalog, "claims", lambda: {claim.id: claim})
    for arguments in (["growth"], ["growth", claim.id]):
        text = " ".join(call(*arguments).stdout.split())
        assert "[bold]loud[/bold]" in text
        assert "[/broken]" in text
        assert "\x1b" not in text


# Languages


@pytest.mark.parametrize("arguments", [["--lang", "zh", "growth", "qqqq"], ["growth", "--lang", "zh", "qqqq"], ["growth", "qqqq", "--lang=zh"]])
def test_the_language_is_chosen_before_or_after_the_command(arguments: list[str]) -> None:
    """`--lang zh` works before and after the command, for errors too."""
    assert refused(*arguments) == refused("growth", "qqqq", LANG="zh_CN.UTF-8")
    assert i18n.language() == "en"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW"}, "zh"),
        ({}, "en"),
    ],
)
def test_the_language_comes_from_the_environment(environment: dict[str, str], language: str) -> None:
    """Without --lang the locale decides: LC_ALL before LC_MESSAGES before LANG."""
    assert call("growth", **environment).stdout == call("growth", "--lang", language).stdout


def test_the_option_wins_over_the_environment() -> None:
    """`--lang` decides against the locale, and the last one given decides."""
    assert call("--lang", "zh", "growth", "--lang", "en", LC_ALL="zh_CN.UTF-8").stdout == call("growth").stdout


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("command", [[], ["growth"], ["run"], ["check-data"]])
def test_help_is_there_in_both_languages(command: list[str], lang: str) -> None:
    """Every command explains itself and its options, with exit 0."""
    result = call(*command, "--help", "--lang", lang) if not command else call("--lang", lang, *command, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "--lang" in result.stdout


# JSON


@pytest.mark.parametrize("arguments", [["growth"], ["growth", "blog_params"], ["growth", "epoch_hbm_total"], ["check-data"]])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_json_is_one_document_of_finite_numbers(arguments: list[str], lang: str) -> None:
    """`--json` prints one document and nothing else, without NaN or Infinity, whose numbers do not depend on the language."""

    def fail(constant: str) -> None:
        raise AssertionError(constant)

    result = call(*arguments, "--json", "--lang", lang)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout, parse_constant=fail)

    def numbers(value: Any) -> list[float]:
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [value] if isinstance(value, int | float) else [number for item in items for number in numbers(item)]

    assert numbers(found) == numbers(answer(*arguments))
    assert all(math.isfinite(number) for number in numbers(found))


def test_infinities_are_null(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not a finite number is null: three equal values never double."""
    from dataclasses import replace

    claim = catalog.claims()["blog_params"]
    level = replace(claim, points=tuple(replace(point, value=1.0) for point in claim.points))
    monkeypatch.setattr(catalog, "claims", lambda: {level.id: level})
    assert answer("growth", level.id)["doubling_years"] is None
    assert answer("growth")[0]["doubling_years"] is None
    assert "does not grow" in call("growth", level.id).stdout


# Processes: streams and exit codes


def test_the_version_is_the_package_s() -> None:
    """`--version` prints the version of wallviz.__about__, as a command and as a module."""
    assert call("--version").stdout == f"wallviz {__version__}\n"
    ran = started("--version")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"wallviz {__version__}\n", "")


def test_streams_and_exit_codes_of_a_process() -> None:
    """A process answers on stdout with 0, and refuses on stderr with 2."""
    good, bad = started("growth", "blog_params", "--json"), started("growth", "nothing-like-it", "--json")
    assert (good.returncode, good.stderr, json.loads(good.stdout)["n"]) == (0, "", 10)
    assert (bad.returncode, bad.stdout, len(bad.stderr.splitlines())) == (2, "", 1)


def test_a_terminal_without_unicode_is_no_failure() -> None:
    """Where stdout is ASCII a table loses its signs and JSON keeps them escaped."""
    table = started("growth", "blog_params", "--lang", "zh", PYTHONIOENCODING="ascii")
    document = started("growth", "--lang", "zh", "--json", PYTHONIOENCODING="ascii")
    assert (table.returncode, table.stderr, document.returncode, document.stderr) == (0, "", 0, "")
    assert document.stdout.isascii()
    assert json.loads(document.stdout) == answer("growth", "--lang", "zh")


@pytest.mark.skipif(os.name != "posix", reason="pipes break differently elsewhere")
def test_a_reader_who_leaves_early_is_no_failure() -> None:
    """When the reader closes the pipe, wallviz stops without a word and with exit 0."""
    reading, writing = os.pipe()
    os.close(reading)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    command = [sys.executable, "-m", "wallviz", "growth", "--json"]
    try:
        ran = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, env=os.environ | {"PYTHONPATH": path})
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_failure_of_wallviz_is_one_line_and_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen error is one line on stderr with exit 1; --debug adds the traceback, before or after the command."""

    def fail() -> None:
        raise RuntimeError("out\nof order")

    monkeypatch.setattr(catalog, "claims", fail)
    result = call("growth")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "wallviz: failed unexpectedly (RuntimeError: out of order): run it again with --debug to see where\n"
    for arguments in (["--debug", "growth"], ["growth", "--debug"]):
        assert "Traceback" in call(*arguments).stderr


@pytest.mark.parametrize("arguments", [["growth", "blog_params", "--json"], ["growth"], ["check-data"]])
def test_answers_need_no_dashboard(arguments: list[str]) -> None:
    """To answer, the command line imports neither streamlit nor plotly nor pandas."""
    code = (
        "import sys; from wallviz.cli import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        "print(sorted({'streamlit', 'plotly', 'pandas', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path})
    assert ran.stderr.strip() == "[]"


# The dashboard


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `wallviz run` would become."""
    seen: list[str] = []
    monkeypatch.setattr(dashboard, "become", seen.extend)
    return seen


def test_run_starts_streamlit_on_the_dashboard(command: list[str]) -> None:
    """`run` starts streamlit with this Python on the app.py beside .streamlit/config.toml."""
    assert call("run").exit_code == 0
    assert command[0] == sys.executable
    assert command[-4:-1] == ["-m", "streamlit", "run"]
    assert Path(command[-1]).name == "app.py"
    assert (Path(command[-1]).parent / ".streamlit" / "config.toml").is_file()


def test_run_hands_its_options_on(command: list[str]) -> None:
    """Port, host and headless become Streamlit's options, and what stands after -- follows as it is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert call("run", "--port", str(port), "--host", "127.0.0.1", "--headless", "--", "--server.baseUrlPath=wallviz").exit_code == 0
    assert command[-4:] == [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true", "--server.baseUrlPath=wallviz"]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("host", ["203.0.113.7", "x" * 300, "a..b"])
def test_run_on_no_address_of_this_machine_is_refused(command: list[str], host: str, lang: str) -> None:
    """A host that does not exist or is another machine's is told before Streamlit starts."""
    assert "--host" in refused("run", "--host", host, "--lang", lang)
    assert not command


def test_run_on_a_busy_port_is_refused(command: list[str]) -> None:
    """A port that something else listens on is told before Streamlit starts."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert f"port {port} cannot be used" in refused("run", "--host", "127.0.0.1", "--port", str(port))
    assert not command


def test_run_says_when_there_is_no_dashboard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without app.py says so, with exit 1 and one line."""
    (tmp_path / "site" / "wallviz").mkdir(parents=True)
    monkeypatch.setattr("wallviz.__file__", str(tmp_path / "site" / "wallviz" / "__init__.py"))
    result = call("run")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "has no dashboard" in result.stderr


def test_an_installed_dashboard_comes_first(command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The app.py inside an installed package is the one that starts."""
    app = tmp_path / "site" / "wallviz" / "_app" / "app.py"
    (app.parent / "pages").mkdir(parents=True)
    app.touch()
    monkeypatch.setattr("wallviz.__file__", str(app.parents[1] / "__init__.py"))
    assert call("run").exit_code == 0
    assert command[-1] == str(app)


# The data


def test_shipped_data_pass() -> None:
    """`check-data` on what ships prints how much there is, with exit 0."""
    found = answer("check-data")
    assert (found["ok"], found["problems"], found["tables"]) == (True, [], len(catalog.ROWS))
    result = call("check-data")
    assert result.exit_code == 0
    assert result.stdout == f"ok: {found['tables']} tables, {found['rows']} rows, {len(catalog.sources())} sources\n"


def test_problems_of_data_are_listed(copy: Path) -> None:
    """Each problem is a line with file and line number, and the exit code is 1; in JSON they are a list."""
    claims = copy / "claims.csv"
    claims.write_text(claims.read_text(encoding="utf-8").replace(",240,2,", ",many,2,"), encoding="utf-8")
    result = call("check-data", str(copy))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "claims.csv:4: multiplier must be a plain number, not many"
    assert result.stderr == ""
    as_json = call("check-data", str(copy), "--json")
    assert as_json.exit_code == 1
    extent = {key: answer("check-data")[key] for key in ("tables", "rows")}
    assert json.loads(as_json.stdout) == {"ok": False, "problems": result.stdout.splitlines(), **extent}


def test_checksums_can_be_written(copy: Path) -> None:
    """`--write-checksums` accepts a deliberate change, names the file, and then the data pass."""
    presets = copy / "presets.csv"
    presets.write_text(presets.read_text(encoding="utf-8").replace("Llama 3.1 8B", "Llama 3.1 8 B"), encoding="utf-8")
    assert call("check-data", str(copy)).exit_code == 1
    result = call("check-data", "--write-checksums", str(copy))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "written: presets.csv"
    assert answer("check-data", "--write-checksums", str(copy))["written"] == []


def test_a_directory_without_sources_is_a_problem(tmp_path: Path) -> None:
    """A directory that holds no sources.yml is reported with exit 1, also when checksums are asked for."""
    for arguments in (["check-data", str(tmp_path)], ["check-data", "--write-checksums", str(tmp_path)]):
        result = call(*arguments, "--json")
        assert result.exit_code == 1
        found = json.loads(result.stdout)
        assert "sources.yml is missing" in found["problems"][0]
        assert found["tables"] is found["rows"] is None
