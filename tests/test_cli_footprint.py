"""`wallviz model`, `footprint` and `fit`: the keys of their JSON, sums that hold, and one line for whatever is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import wallviz
from wallviz import catalog, cli, i18n
from wallviz.cli import options
from wallviz.engine.memory import record, serve
from wallviz.engine.memory.run import FIELDS
from wallviz.engine.remedies.remedy import REMEDIES
from wallviz.engine.transformer import COMPONENTS, architecture

LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip
MIXTRAL = {
    "model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2,
    "tie_word_embeddings": False,
}  # fmt: skip
MAMBA = {"model_type": "mamba", "architectures": ["MambaForCausalLM"], "hidden_size": 768, "num_hidden_layers": 24, "vocab_size": 50280}
CONFIG = json.dumps(LLAMA)
NO_LOCALE = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "", "COLUMNS": ""}

MODEL_KEYS = [
    "name", "family", "parameters", "language_model_parameters", "active_parameters", "router_bias", "components", "layers", "hidden_size",
    "heads", "kv_heads", "head_dim", "vocab", "assumptions",
]  # fmt: skip
TRAINING_KEYS = [
    "peak_allocated_bytes", "peak_reserved_bytes", "peak_total_bytes", "peak_phase", "phases", "parts", "overheads", "host_bytes",
    "checkpoint_bytes", "stage", "error_band", "terms",
]  # fmt: skip
SERVING_KEYS = [
    "weights_bytes", "kv_cache_bytes", "kv_bytes_per_token", "activation_bytes", "overheads", "peak_total_bytes", "max_concurrency", "terms",
]  # fmt: skip
FIT_KEYS = [
    "fits", "headroom_bytes", "largest_micro_batch", "largest_context", "fewest_gpus", "fewest_gpus_as_set", "layout", "fewest_sets",
    "needs_bytes", "error_band", "runs_out_of_memory", "goal", "fixes",
]  # fmt: skip
FIX_KEYS = ["change", "saves_bytes", "price", "fits", "gpus", "time", "quality", "needs_bytes", "remedies", "sets"]


def call(*arguments: str, stdin: str | bytes = CONFIG, **environment: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments), input=stdin, env=NO_LOCALE | environment)


def answer(*arguments: str, stdin: str | bytes = CONFIG) -> Any:
    """The JSON document of a call that succeeds and says nothing else."""

    def fail(constant: str) -> None:
        raise AssertionError(constant)

    result = call(*arguments, "--json", stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout, parse_constant=fail)


def refused(*arguments: str, stdin: str | bytes = CONFIG, **environment: str) -> str:
    """The line of a call that is refused: exit 2, nothing on stdout, one line on stderr."""
    result = call(*arguments, stdin=stdin, **environment)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("\n")
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


# Models


def test_presets_are_listed() -> None:
    """`model` lists every preset with its parameters, as JSON and as a table."""
    listed = answer("model")
    assert [each["id"] for each in listed] == list(catalog.presets())
    assert {"id", "name", "parameters", "active_parameters"} <= listed[0].keys()
    table = call("model").stdout
    assert all(each["id"] in table for each in listed)


@pytest.mark.parametrize("name", ["gpt2-xl", "llama-3.1-8b", "gpt-oss-120b", "deepseek-v3"])
def test_a_preset_is_described_with_the_documented_keys(name: str) -> None:
    """A preset is answered by id and by name, in any case, with the documented keys and the parameters that are listed."""
    found, preset = answer("model", name), catalog.presets()[name]
    assert list(found) == MODEL_KEYS
    assert (found["parameters"], found["active_parameters"]) == (preset.parameters, preset.active_parameters)
    assert answer("model", preset.name.upper()) == found


def test_components_sum_to_the_parameters_of_every_preset() -> None:
    """The components of every preset are all named, and sum to its parameters."""
    for name in catalog.presets():
        found = record.model(wallviz.model(name))
        assert list(found["components"]) == list(COMPONENTS)
        assert sum(found["components"].values()) == found["parameters"] >= found["active_parameters"]
        assert ("reason" in found) == (found["heads"] is None)


def test_a_config_is_read_from_stdin_and_from_a_file(tmp_path: Any) -> None:
    """A config.json on stdin and the same as a file give one answer."""
    path = tmp_path / "config.json"
    path.write_text(CONFIG, encoding="utf-8")
    piped, filed = answer("model", "-"), answer("model", str(path))
    assert piped["parameters"] == filed["parameters"] == 8030261248
    assert (piped["layers"], piped["heads"], piped["kv_heads"], piped["head_dim"]) == (32, 32, 8, 128)
    assert "8,030,261,248" in call("model", "-").stdout


def test_a_model_without_attention_has_no_heads() -> None:
    """A state-space model has null heads and the reason why."""
    found = answer("model", "-", stdin=json.dumps(MAMBA))
    assert list(found) == [*MODEL_KEYS, "reason"]
    assert found["heads"] is found["kv_heads"] is found["head_dim"] is None
    assert found["reason"] == "No layer has attention heads."


# Training and fine-tuning


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "-"],
        ["train", "-", "--precision", "bf16-pure"],
        ["train", "-", "--recompute", "full", "--loss", "fused", "--kernels", "fused", "--optimizer-step", "foreach"],
        ["train", "-", "--data-parallel", "7", "--zero", "3", "--micro-batch", "3", "--sequence", "1023"],
        ["train", "-", "--tensor-parallel", "4", "--sequence-parallel", "--pipeline-parallel", "8", "--accumulation", "16", "--stage", "3"],
        ["train", "-", "--offload", "optimizer", "--optimizer", "adafactor", "--context-parallel", "2"],
        ["finetune", "-"],
        ["finetune", "-", "--method", "qlora", "--rank", "64", "--targets", "qv", "--adapter-dtype", "bf16"],
        ["finetune", "-", "--method", "full"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("config", [LLAMA, MIXTRAL], ids=["dense", "experts"])
def test_the_parts_of_a_run_sum_to_its_peak(arguments: list[str], config: dict[str, Any]) -> None:
    """A run has the documented keys; its bytes are whole numbers; parts sum to allocated, allocated and overheads to reserved and total."""
    found = answer("footprint", *arguments, stdin=json.dumps(config))
    assert list(found) == TRAINING_KEYS
    assert list(found["phases"]) == ["loss_backward", "end_of_backward", "optimizer_step"]
    assert list(found["parts"]) == ["weights", "gradients", "optimizer", "activations", "loss", "workspace"]
    assert list(found["overheads"]) == ["context", "communicators", "fragmentation"]
    assert sum(found["parts"].values()) == found["peak_allocated_bytes"] == max(found["phases"].values()) == found["phases"][found["peak_phase"]]
    assert found["peak_reserved_bytes"] == found["peak_allocated_bytes"] + found["overheads"]["fragmentation"]
    assert found["peak_total_bytes"] == found["peak_reserved_bytes"] + found["overheads"]["context"] + found["overheads"]["communicators"]
    numbers = [found[key] for key in TRAINING_KEYS if key.endswith("_bytes")] + [
        n for key in ("phases", "parts", "overheads") for n in found[key].values()
    ]
    assert all(isinstance(number, int) and number >= 0 for number in numbers)
    assert isinstance(found["stage"], int)
    assert all(list(term) == ["name", "formula", "values", "symbols", "bytes", "source"] for term in found["terms"])
    assert sum(term["bytes"] for term in found["terms"]) == found["peak_total_bytes"]


def test_the_published_peak_of_llama_is_answered() -> None:
    """Llama-3-8B at 4,096 tokens in pure bf16 peaks at 76.4 GiB, which is also what the sequence is where none is given."""
    found = answer("footprint", "train", "-", "--precision", "bf16-pure", "--sequence", "4096")
    assert found["peak_allocated_bytes"] / 2**30 == pytest.approx(76.4, abs=0.05)
    assert found == answer("footprint", "train", "-", "--precision", "bf16-pure")


def test_a_part_of_the_precision_can_be_overridden() -> None:
    """--weights, --gradients, --master and --optimizer-state each replace one part of the preset."""
    preset = answer("footprint", "train", "-", "--precision", "bf16-pure")
    spelled = ("--weights", "bf16", "--gradients", "bf16", "--master", "none", "--optimizer-state", "bf16")
    assert answer("footprint", "train", "-", *spelled)["peak_allocated_bytes"] == preset["peak_allocated_bytes"]


def test_fine_tuning_is_lora_unless_said_otherwise() -> None:
    """`finetune` trains adapters of rank 16 by default, and with --method full it is training."""
    assert answer("footprint", "finetune", "-") == answer("footprint", "finetune", "-", "--method", "lora", "--rank", "16", "--targets", "all")
    assert answer("footprint", "finetune", "-", "--method", "full") == answer("footprint", "train", "-")


@pytest.mark.parametrize("arguments", [["train"], ["finetune"], ["infer", "--hardware", "H100"]], ids=" ".join)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_footprint_is_readable(arguments: list[str], lang: str) -> None:
    """Without --json a footprint is a table in both languages, with GiB beside GB and the formula of every term."""
    job, *rest = arguments
    result = call("footprint", job, "-", *rest, "--lang", lang)
    assert (result.exit_code, result.stderr) == (0, "")
    assert all(text in result.stdout for text in ("GiB", "GB", "·", "arXiv"))


@pytest.mark.parametrize("job", ["train", "finetune"])
@pytest.mark.parametrize(("switches", "said"), [([], "does not fit"), (["--zero", "3", "--recompute", "full"], "fits")], ids=["bare", "sharded"])
def test_a_run_is_held_against_an_accelerator(job: str, switches: list[str], said: str) -> None:
    """With --hardware a run says whether one chip holds it, error band included, as `fit` does of as many; without, nothing changes."""
    asked = ("-", *switches, "--method", "full") if job == "finetune" else ("-", *switches)
    found = answer("footprint", job, *asked, "--chips", "8", "--hardware", "H100")
    assert list(found) == [*TRAINING_KEYS, "fits", "headroom_bytes", "runs_out_of_memory"]
    held = answer("fit", *asked, "--chips", "8", "--hardware", "H100", "--job", job)
    assert {key: found[key] for key in ("fits", "headroom_bytes", "runs_out_of_memory")} == {
        key: held[key] for key in ("fits", "headroom_bytes", "runs_out_of_memory")
    }
    assert found["peak_total_bytes"] == held["needs_bytes"]
    shown = call("footprint", job, *asked, "--chips", "8", "--hardware", "H100").stdout
    assert (said in shown, "H100 SXM5, 74.5" in shown) == (True, True)
    spelled = answer("footprint", job, *asked, "--data-parallel", "8")
    assert spelled == {key: found[key] for key in TRAINING_KEYS} == answer("footprint", job, *asked, "--count", "8")


def test_chips_share_what_is_served() -> None:
    """`footprint infer --chips` splits each layer over what pipeline stages leave, as `fit` does, and says whether the accelerator holds it."""
    found = answer("footprint", "infer", "-", "--chips", "8", "--pipeline-parallel", "2", "--hardware", "H100")
    assert found == answer("footprint", "infer", "-", "--tensor-parallel", "4", "--pipeline-parallel", "2", "--hardware", "H100")
    assert found["peak_total_bytes"] == wallviz.infer(architecture(LLAMA), chips=8, pipeline_parallel=2).peak_total_bytes
    for chip, said in (("H100", "fits"), ("Tesla T4", "may not fit")):
        assert said in call("footprint", "infer", "-", "--hardware", chip).stdout


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (["footprint", "train"], ["--batch, --micro-batch", "--context, --sequence", "--chips, --count"]),
        (["footprint", "infer"], ["--batch", "--context", "--chips, --count"]),
        (["fit"], ["--batch, --micro-batch", "--context, --sequence", "--chips, --count"]),
        (["remedies"], ["--batch, --micro-batch", "--context, --sequence", "--chips, --count"]),
        (["scaleout"], ["--batch, --micro-batch", "--context, --sequence", "--chips, --gpus"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_of_two_names_is_listed_once(command: list[str], names: list[str]) -> None:
    """The names of one option stand together in the help, and none stands elsewhere."""
    listed = [line.strip().split("  ")[0] for line in call(*command, "--help").stdout.splitlines() if line.strip().startswith("--")]
    for shown in names:
        assert f"{shown} N" in listed
        assert all(sum(name in line.replace(",", "").split() for line in listed) == 1 for name in shown.split(", "))


def test_remedies_are_listed_by_the_name_that_is_typed() -> None:
    """Help and table show beside each remedy the name that --apply takes, and an unknown name is answered with all of them."""
    for lang in i18n.LANGUAGES:
        i18n.use(lang)
        names = {id: i18n._(remedy.name) for id, remedy in REMEDIES.items()}
        i18n.use("en")
        listed = [" ".join(line.split()) for line in call("remedies", "--help", "--lang", lang, COLUMNS="200").stdout.splitlines()]
        assert all(f"{id} {name}" in listed for id, name in names.items())
        shown = [" ".join(line.split()) for line in call("remedies", "-", "H100", "--chips", "8", "--lang", lang).stdout.splitlines()]
        assert any(line.startswith(f"zero-3 {names['zero-3']} ") for line in shown)
    assert all(id in refused("remedies", "-", "H100", "--apply", "foo") for id in REMEDIES)


@pytest.mark.parametrize("names", [("--batch", "--micro-batch"), ("--context", "--sequence"), ("--chips", "--count")])
def test_an_option_of_two_names_is_given_by_either_of_them_once(names: tuple[str, str]) -> None:
    """Both names mean the same, and both at once are refused in one line that shows them as they are typed."""
    asked = ("fit", "-", "--hardware", "H100")
    assert answer(*asked, names[0], "2") == answer(*asked, names[1], "2")
    assert f"{names[0]}, {names[1]} are one option" in refused(*asked, names[0], "2", names[1], "2")


def test_the_fewest_gpus_say_what_counts() -> None:
    """Where a row fits fewer GPUs than the fewest, the table says which switches those were counted with."""
    asked = ("fit", "-", "--hardware", "H100")
    found = answer(*asked)
    assert min(fix["gpus"] for fix in found["fixes"] if fix["fits"]) < found["fewest_gpus"] < found["fewest_gpus_as_set"]
    shown = " ".join(call(*asked).stdout.split())
    assert "lose no quality and take at most a third of the time" in shown
    assert "fewest GPUs 2 (tensor parallel 2, sequence parallelism) with switches Fused kernels without switches 4" in shown
    assert "不损失质量" in call(*asked, "--lang", "zh").stdout


# Serving


def test_serving_has_the_documented_keys() -> None:
    """`infer` has the documented keys; without hardware the concurrency is null and says why; the parts sum to the peak."""
    found = answer("footprint", "infer", "-", "--context", "8192")
    assert list(found) == [*SERVING_KEYS, "reason"]
    assert found["max_concurrency"] is None
    assert "hardware" in found["reason"]
    assert (found["kv_cache_bytes"], found["kv_bytes_per_token"]) == (2**30, 2**17)
    held = found["weights_bytes"] + found["kv_cache_bytes"] + found["activation_bytes"] + sum(found["overheads"].values())
    assert found["peak_total_bytes"] == held == sum(term["bytes"] for term in found["terms"])


def test_concurrency_needs_hardware() -> None:
    """With --hardware the concurrency is a number that falls as the share of the memory or the context shrinks or grows."""
    found = answer("footprint", "infer", "-", "--context", "8192", "--hardware", "H100")
    assert list(found) == SERVING_KEYS
    assert (
        found["max_concurrency"]
        > answer("footprint", "infer", "-", "--context", "8192", "--hardware", "H100", "--utilization", "0.5")["max_concurrency"]
    )
    assert found["max_concurrency"] > answer("footprint", "infer", "-", "--context", "16384", "--hardware", "h100-sxm5")["max_concurrency"]


@pytest.mark.parametrize(
    "arguments", [["--weights", "gguf:Q4_K_M"], ["--weights", "nvfp4", "--kv", "q8_0"], ["--sparsity", "2:4"], ["--sparsity", "0.5"]]
)
def test_formats_are_accepted(arguments: list[str]) -> None:
    """Weight and cache formats and sparsity are those of the contract, and no format of fewer bits takes more."""
    assert answer("footprint", "infer", "-", *arguments)["weights_bytes"] <= answer("footprint", "infer", "-")["weights_bytes"]


# What fits


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--count", "8"],
        ["--count", "8", "--zero", "3", "--recompute", "full"],
        ["--job", "finetune", "--method", "qlora"],
        ["--job", "infer", "--weights", "awq-4", "--batch", "4"],
    ],
    ids=" ".join,
)
def test_fit_has_the_documented_keys(arguments: list[str]) -> None:
    """`fit` has the documented keys, headroom below zero exactly where it does not fit, and a reason exactly where something is null."""
    found = answer("fit", "-", "--hardware", "H100", *arguments)
    nulls = [key for key in FIT_KEYS if found[key] is None]
    assert list(found) == ([*FIT_KEYS, "reason"] if nulls else FIT_KEYS)
    assert found["fits"] == (found["headroom_bytes"] >= 0)
    assert isinstance(found["headroom_bytes"], int)
    assert all(list(fix) == FIX_KEYS for fix in found["fixes"])
    assert found["fewest_gpus"] <= found["fewest_gpus_as_set"]
    assert found["fits"] or found["fixes"][0]["gpus"] <= found["fewest_gpus"]
    assert call("fit", "-", "--hardware", "H100", *arguments, "--lang", "zh").exit_code == 0


@pytest.mark.parametrize(("lang", "layout"), [("en", "(tensor parallel 2)"), ("zh", "（张量并行 2）")])
def test_the_layout_is_said_in_the_language(lang: str, layout: str) -> None:
    """How the fewest GPUs share a job is said in words of the language in use, while the JSON keeps the names of the fields."""
    asked = ("fit", "-", "--hardware", "H100", "--job", "infer", "--lang", lang)
    config = json.dumps(MIXTRAL)
    assert layout in call(*asked, stdin=config).stdout
    assert answer(*asked, stdin=config)["layout"] == {"tensor_parallel": 2, "pipeline_parallel": 1}


def test_the_largest_that_fits_is_the_last() -> None:
    """The largest context fits, and one token more does not: the same formulas answer both."""
    asked = ("fit", "-", "--hardware", "H100", "--job", "infer")
    found = answer(*asked)
    assert answer(*asked, "--context", str(found["largest_context"]))["fits"]
    assert not answer(*asked, "--context", str(found["largest_context"] + 1))["fits"]


def test_the_layout_fits() -> None:
    """What the fewest GPUs set, split and switches, fits when it is asked for; so does the layout of the fewest as set without them."""
    found = answer("fit", "-", "--hardware", "H100")
    assert found["fewest_sets"].items() >= {name: n for name, n in found["layout"].items() if n > 1 and name != "data_parallel"}.items()
    given = {**found["layout"], **found["fewest_sets"]}
    switches = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is True]
    values = [text for name, n in given.items() if not isinstance(n, bool) for text in (f"--{name.replace('_', '-')}", str(n))]
    assert answer("fit", "-", "--hardware", "H100", "--count", str(found["fewest_gpus"]), *values, *switches)["fits"]


def test_the_table_says_what_the_json_says() -> None:
    """Every change stands in the table with its price, and the price carries the computed time."""
    asked = ("fit", "-", "--hardware", "H100", "--sequence", "8192")
    shown = " ".join(call(*asked, COLUMNS="400").stdout.split())
    for fix in answer(*asked)["fixes"]:
        assert fix["change"].split(",")[0] in shown
        assert fix["price"] in shown
        assert f"{(fix['time'] - 1) * 100:+.0f}% time".replace("-", "−") in fix["price"]


@pytest.mark.parametrize(("command", "asked"), [("train", options.TRAINING), ("finetune", options.FINETUNING), ("infer", options.SERVING)])
def test_the_default_that_help_names_is_taken(command: str, asked: tuple[options.Option, ...]) -> None:
    """What the help of an option says is taken where nothing is given, is: given by hand, all at once, it changes nothing."""
    typed = [text for option in asked if option.metavar and option.default for text in (option.name, option.default)]
    assert len(typed) > 10
    assert answer("footprint", command, "-", *typed) == answer("footprint", command, "-")
    described = " ".join(call("footprint", command, "--help", COLUMNS="400").stdout.split())
    assert all(f"(default: {default})." in described for default in typed[1::2])


# Wrong input


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["footprint"], "say what to do: train, finetune, infer"),
        (["footprint", "trian", "-"], "no command is called trian: choose from train, finetune, infer"),
        (["footprint", "train"], "SOURCE"),
        (["footprint", "train", "-", "--zer", "3"], "there is no option --zer (--zero"),
        (["footprint", "train", "-", "--method", "lora"], "there is no option --method"),
        (["footprint", "train", "-", "--micro-batch", "0"], "--micro-batch cannot be 0: give a whole number from 1"),
        (["footprint", "train", "-", "--micro-batch", "-1"], "--micro-batch cannot be -1"),
        (["footprint", "train", "-", "--micro-batch", "NaN"], "--micro-batch cannot be nan"),
        (["footprint", "train", "-", "--micro-batch", "inf"], "--micro-batch cannot be inf"),
        (["footprint", "train", "-", "--micro-batch", "1.5"], "--micro-batch cannot be 1.5"),
        (["footprint", "train", "-", "--sequence", "many"], "--sequence cannot be many"),
        (["footprint", "train", "-", "--sequence", "1e300"], "--sequence cannot be 1000"),
        (["footprint", "train", "-", "--sequence", "9" * 5000], "--sequence cannot be inf"),
        (["footprint", "train", "-", "--tensor-parallel", "3"], "num_attention_heads must divide by --tensor-parallel: 32 % 3 = 2; use 1, 2, 4"),
        (["footprint", "train", "-", "--pipeline-parallel", "5"], "num_layers must divide by --pipeline-parallel × --virtual-stages: 32 % 5 = 2"),
        (["footprint", "train", "-", "--context-parallel", "3"], "--sequence must divide by --context-parallel"),
        (["footprint", "train", "-", "--expert-parallel", "2"], "set --expert-parallel to 1"),
        (["footprint", "train", "-", "--stage", "7"], "There is no pipeline stage 7"),
        (["footprint", "train", "-", "--zero", "4"], "--zero cannot be 4: give a whole number from 0 to 3"),
        (["footprint", "train", "-", "--precision", "fp12"], "--precision cannot be “fp12”: choose one of fp32, amp"),
        (["footprint", "train", "-", "--weights", "none"], "--weights cannot be “none”: choose one of fp32"),
        (["footprint", "train", "-", "--optimizer-state", "x"], "--optimizer-state cannot be “x”"),
        (["footprint", "finetune", "-", "--rank", "0"], "--rank cannot be 0"),
        (["footprint", "finetune", "-", "--targets", "none"], "--targets cannot be “none”: choose one of all, attention, qv"),
        (["footprint", "infer", "-", "--batch", "0"], "--batch cannot be 0"),
        (["footprint", "infer", "-", "--context", "-5"], "--context cannot be -5"),
        (["footprint", "infer", "-", "--weights", "q9"], "“q9” is no weight format"),
        (["footprint", "infer", "-", "--kv", "q9"], "“q9” is no KV cache format"),
        (["footprint", "infer", "-", "--hardware", "H1000"], "no chip is called “H1000”"),
        (["footprint", "infer", "-", "--hardware", "H100", "--utilization", "NaN"], "utilization is nan"),
        (["footprint", "infer", "-", "--sparsity", "3:4"], "sparsity is “3:4”"),
        (["fit", "-"], "--hardware"),
        (["fit", "-", "--hardware", "RTX"], "is ambiguous: use one of"),
        (["fit", "-", "--hardware", "H100", "--job", "dance"], "no job is called dance: choose from train, finetune, infer"),
        (["fit", "-", "--hardware", "H100", "--count", "0"], "--count cannot be 0"),
        (["fit", "-", "--hardware", "H100", "--count", "NaN"], "--count cannot be nan"),
        (["fit", "-", "--hardware", "H100", "--tensor-parallel", "x"], "--tensor-parallel cannot be x"),
        (["fit", "-", "--hardware", "H100", "--data-parallel", "inf"], "--data-parallel cannot be inf"),
        (["fit", "-", "--hardware", "H100", "--count", "3", "--tensor-parallel", "2"], "3 GPUs cannot be shared by 2 ranks"),
        (["fit", "-", "--hardware", "H100", "--rank", "8"], "--rank is an option of finetune, not of train"),
        (["fit", "-", "--hardware", "H100", "--job", "infer", "--zero", "3"], "--zero is an option of train, finetune, not of infer"),
        (["model", "nothing-like-it"], "nothing-like-it"),
        (["model", "llama-3.1"], "llama-3.1-8b, llama-3.1-70b, llama-3.1-405b"),
        (["model", "no/such/config.json"], "no/such/config.json"),
        (["footprint", "train", "loss"], "loss"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_wrong_input_is_one_line_and_exit_2(arguments: list[str], expected: str, lang: str) -> None:
    """Wrong input, of whatever kind, is refused with exit 2, nothing on stdout and one line on stderr that says what to do."""
    line = refused(*arguments, LC_ALL=f"{lang}_XX.UTF-8")
    if lang == "en":
        assert expected in line


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"hidden_size": NaN}', '{"model_type": "llama", "hidden_size": -1}', b"\xff\xfe\x00", "[" * 9999]
)
@pytest.mark.parametrize("command", [["model"], ["footprint", "train"], ["footprint", "infer"], ["fit", "--hardware", "H100"]], ids=" ".join)
def test_a_broken_config_is_one_line_and_exit_2(command: list[str], text: str | bytes) -> None:
    """Whatever stands on stdin that is no config.json is refused in one line, by every command."""
    assert refused(*command, "-", stdin=text).startswith("wallviz: ")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("command", [["model"], ["footprint"], ["footprint", "train"], ["footprint", "finetune"], ["footprint", "infer"], ["fit"]])
def test_help_is_there_in_both_languages(command: list[str], lang: str) -> None:
    """Every command and group explains itself and its options, with exit 0."""
    result = call("--lang", lang, *command, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "--lang" in result.stdout


def test_help_of_nested_commands_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of the commands inside of a group are looked up in the catalog too, and so are those of their options."""
    import gettext

    from wallviz import i18n

    class Marked(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return "✓" + message

    monkeypatch.setattr(i18n, "catalog", lambda _language: Marked())
    listed, described = call("footprint", "--help").stdout, call("footprint", "train", "--help").stdout
    assert all(text in listed for text in ("✓Peak memory of a training step", "✓Memory of serving"))
    assert "✓What data-parallel" in described


# The Python API


def test_the_python_api_says_the_same() -> None:
    """train, finetune, infer and fit of the package take presets and architectures and give what the command line prints."""
    arch = architecture(LLAMA)
    assert (
        float(wallviz.train(arch, zero=1, stage=0).peak_allocated_bytes) == answer("footprint", "train", "-", "--zero", "1")["peak_allocated_bytes"]
    )
    assert float(wallviz.finetune(arch).peak_allocated_bytes) == answer("footprint", "finetune", "-")["peak_allocated_bytes"]
    assert wallviz.infer(arch, hardware="H100").max_concurrency == answer("footprint", "infer", "-", "--hardware", "h100")["max_concurrency"]
    assert (
        wallviz.fit(arch, hardware="H100", job="infer").largest_context
        == answer("fit", "-", "--hardware", "H100", "--job", "infer")["largest_context"]
    )
    assert wallviz.train("llama-3.1-8b").arch == wallviz.model("llama-3.1-8b")


def test_a_sweep_is_one_call() -> None:
    """Numbers may be arrays: the peaks of many micro-batches at once are those of each alone."""
    arch, batches = architecture(LLAMA), np.array([1, 2, 4])
    together = wallviz.train(arch, micro_batch=batches).peak_allocated_bytes
    assert list(together) == [float(wallviz.train(arch, micro_batch=int(batch)).peak_allocated_bytes) for batch in batches]


def test_what_cannot_run_is_an_input_error() -> None:
    """The package refuses an option of another job, an unknown job, and a model of the wrong kind, with InputError."""
    arch = architecture(LLAMA)
    for wrong in ({"zero": 3, "job": "infer"}, {"job": "dance"}, {"job": "finetune", "colour": 1}, {"count": "many"}, {"hardware": "nothing"}):
        with pytest.raises(wallviz.InputError):
            wallviz.fit(arch, **{"hardware": "H100"} | wrong)


def test_every_field_of_a_run_has_its_option() -> None:
    """Every field of a run can be given on the command line."""
    assert {option.field for option in options.FINETUNING} == set(FIELDS)


@pytest.mark.parametrize(
    "arguments", [["model"], ["model", "-"], ["footprint", "train", "-"], ["footprint", "infer", "-", "--json"], ["fit", "-", "--hardware", "H100"]]
)
def test_answers_need_no_dashboard(arguments: list[str]) -> None:
    """To answer, the command line imports neither streamlit nor plotly nor pandas, and needs scipy for nothing."""
    code = (
        "import sys; from wallviz.cli import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit as end: assert not end.code\n"
        "print(sorted({'streamlit', 'plotly', 'pandas', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    ran = subprocess.run(
        [sys.executable, "-c", code], input=CONFIG, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert ran.stderr.strip() == "[]"


def test_a_switch_that_is_on_can_be_turned_off() -> None:
    """Without captured graphs serving takes half a GiB less, as the engine's own function says; said or not, they are on."""
    on, said, off = (answer("footprint", "infer", "-", *more)["peak_total_bytes"] for more in ([], ["--graphs"], ["--no-graphs"]))
    assert on == said
    assert on - off == serve.GRAPHS_BYTES
