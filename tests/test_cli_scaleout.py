"""`wallviz scaleout` and `wallviz.engine.scaleout`: the keys of the contract, parts that add up, one line for whatever is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import wallviz
from wallviz import cli
from wallviz.engine.scaleout import record
from wallviz.engine.scaleout.serving_job import ServingOnChips
from wallviz.engine.scaleout.training_job import TrainingOnChips
from wallviz.errors import InputError

KEYS = {"step_s", "compute_s", "communication_s", "bubble_s", "efficiency", "bytes_on_wire", "tokens_per_s"}
NO_LOCALE = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "", "COLUMNS": "200"}


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["scaleout", "llama-3.1-8b", *arguments], env=NO_LOCALE)


def answer(*arguments: str) -> Any:
    result = call("H100", *arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_the_document_has_the_keys_of_the_contract() -> None:
    """All keys of the contract are there, bytes are whole numbers, and the parts add up."""
    found = answer("--gpus", "64", "--zero", "3", "--sequence", "8192")
    assert set(found) >= KEYS
    assert all(isinstance(sent, int) for sent in found["bytes_on_wire"].values())
    assert found["step_s"] == pytest.approx(found["compute_s"] + found["communication_s"] + found["bubble_s"])
    assert found["gpus"] == 64
    assert found["layout"]["data_parallel"] == 64
    assert found["bytes_on_wire"]["data_parallel"] == pytest.approx(3 * 2 * 8030261248 * 63 / 64, rel=1e-6)


@pytest.mark.parametrize("overlap", ["partial", "full"])
def test_overlap_hides_and_does_not_send_less(overlap: str) -> None:
    """The wires carry the same for as long; the step is shorter."""
    plain, hidden = answer("--gpus", "64"), answer("--gpus", "64", "--overlap", overlap)
    assert hidden["bytes_on_wire"] == plain["bytes_on_wire"]
    assert hidden["communication_s"] == plain["communication_s"]
    assert hidden["step_s"] < plain["step_s"]


def test_products_run_at_their_share_of_the_peak() -> None:
    """What matrix products reach is the peak times the share that was asked for."""
    rates = answer("--efficiency", "0.5")["rates"]
    assert rates["gemm_flop_per_s"] == rates["peak_flop_per_s"] / 2 == 989.4e12 / 2


def test_what_a_bill_lacks_has_its_reason() -> None:
    """Without a price there is no cost, without a design power no energy, and each says so."""
    bill = answer("--tokens", "1e12")["run"]
    assert bill["energy_j"] is not None
    assert bill["cost"] is None
    assert "no price was given" in bill["reason"]
    assert "design power" not in bill["reason"]
    bare = wallviz.scaleout("llama-3.1-8b", replace(wallviz.chip("h100"), tdp_w=None), gpus=8, tokens=1e12)
    assert "design power" in record.training(bare)["run"]["reason"]


def test_unless_it_is_told_serving_has_4096_tokens_behind_it() -> None:
    """Serving without a context is that of 4,096 tokens."""
    assert answer("--job", "infer") == answer("--job", "infer", "--context", "4096")
    assert answer("--job", "infer")["step_s"] < answer("--job", "infer", "--context", "8192")["step_s"]


def test_a_global_batch_sets_the_accumulation() -> None:
    """256 sequences on 8 GPUs are 32 micro-batches of one, and the curve ends where there is a rank for each sequence."""
    found = answer("--gpus", "8", "--global-batch", "256", "--sequence", "2048")
    assert (found["accumulation"], found["global_batch"], found["tokens_per_step"]) == (32, 256, 256 * 2048)
    assert [row["gpus"] for row in found["strong_scaling"]] == [1, 2, 4, 8, 16, 32]
    assert found["strong_scaling"][0]["efficiency"] == 1


def test_links_are_what_the_reader_says() -> None:
    """Slower links across nodes make a slower step beyond a node, and none within it."""
    fast, slow = (answer("--gpus", "64", "--link-across", rate) for rate in ("50", "1.5625"))
    assert slow["step_s"] > fast["step_s"]
    assert slow["links"]["across_bytes_per_s"] == 1.5625e9
    near = [answer("--gpus", "8", "--link-across", rate)["step_s"] for rate in ("50", "1.5625")]
    assert near[0] == near[1]


def test_a_run_has_a_bill() -> None:
    """Seconds, joules and money for the tokens; null with a reason where nothing was given."""
    bill = answer("--gpus", "64", "--tokens", "1e12", "--price-per-hour", "2")["run"]
    assert bill["cost"] == pytest.approx(2 * bill["gpu_hours"])
    assert bill["energy_j"] == pytest.approx(700 * 64 * bill["seconds"] * 1.2)
    without = answer()["run"]
    assert without["tokens"] is None
    assert "--tokens" in without["reason"]
    assert "--price-per-hour" in answer("--tokens", "1e12")["run"]["reason"]


def test_the_best_layout_is_searched_for() -> None:
    """Layouts that fit, fastest first, and the one to choose."""
    found = answer("--gpus", "64", "--global-batch", "256", "--sequence", "8192", "--search", "--overlap", "partial")["best_layouts"]
    assert found["asked"] > found["fit"] > 0
    steps = [one["step_s"] for one in found["layouts"]]
    assert steps == sorted(steps)
    assert found["chosen"]["step_s"] <= 1.02 * steps[0]
    assert found["chosen"]["context_parallel"] == 1


def test_serving_is_split_over_the_chips() -> None:
    """Decoding has the same keys; eight chips write less than eight times as much."""
    found = answer("--gpus", "8", "--job", "infer", "--context", "2048")
    assert set(found) >= KEYS
    rates = {row["gpus"]: row["tokens_per_s"] for row in found["strong_scaling"]}
    assert rates[1] < rates[8] < 8 * rates[1]
    assert found["tokens_per_s"] == rates[8]
    assert found["bubble_s"] == 0


def test_serving_takes_stages_copies_and_formats() -> None:
    """Pipeline, copies and formats change the layout, the memory and the rate; a step is still the sum of its parts."""
    base = ("--gpus", "8", "--job", "infer", "--context", "2048", "--batch", "4")
    found = answer(*base, "--pipeline-parallel", "2", "--replicas", "2", "--weights", "fp8", "--kv", "fp8", "--tokens", "1e9")
    assert found["layout"] == {"tensor_parallel": 2, "pipeline_parallel": 2, "expert_parallel": 1, "replicas": 2}
    assert found["step_s"] == pytest.approx(found["compute_s"] + found["communication_s"] + found["bubble_s"])
    assert found["run"]["seconds"] == pytest.approx(1e9 / found["tokens_per_s"])
    assert found["tokens_per_s_and_gpu"] == pytest.approx(found["tokens_per_s"] / 8)
    whole = answer(*base, "--pipeline-parallel", "2", "--replicas", "2")
    assert found["peak_total_bytes"] < whole["peak_total_bytes"]
    assert found["reading_s"] < whole["reading_s"]


def test_fine_tuning_trains_adapters() -> None:
    """Without a method LoRA: less compute, hardly any gradients."""
    tuned, trained = (answer("--gpus", "8", "--job", job, "--sequence", "512") for job in ("finetune", "train"))
    assert tuned["compute_s"] < 0.85 * trained["compute_s"]
    assert tuned["bytes_on_wire"]["data_parallel"] < 0.05 * trained["bytes_on_wire"]["data_parallel"]


def test_tables_say_the_same() -> None:
    """Without --json a table with the efficiency, in both languages."""
    plain = call("H100", "--gpus", "64", "--search", "--tokens", "1e12", "--price-per-hour", "2")
    assert plain.exit_code == 0
    assert "efficiency" in plain.stdout
    assert call("H100", "--job", "infer").exit_code == 0
    assert call("H100", "--lang", "zh").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["H100", "--gpus", "many"], "--gpus"),
        (["H100", "--gpus", "9", "--tensor-parallel", "2"], "9 GPUs"),
        (["H100", "--link-across", "-3"], "-3"),
        (["H100", "--overlap", "some"], "partial"),
        (["H100", "--global-batch", "2"], "fewer GPUs"),
        (["H100", "--price-per-hour", "3"], "tokens"),
        (["H100", "--tokens", "0"], "--tokens"),
        (["H100", "--batch", "4", "--micro-batch", "2"], "micro"),
        (["H100", "--job", "infer", "--zero", "1"], "train"),
        (["H100", "--job", "infer", "--half-square"], "--half-square"),
        (["H100", "--job", "infer", "--kernels", "transformer-engine"], "fused"),
        (["H100", "--job", "infer", "--replicas", "3"], "multiple of 3"),
        (["H100", "--job", "infer", "--expert-parallel", "2"], "no experts"),
        (["H100", "--job", "infer", "--kv", "float"], "float"),
        (["H100", "--job", "dance"], "dance"),
        (["H100", "--efficiency", "2"], "--efficiency"),
        (["H1000"], "H1000"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], said: str) -> None:
    """Exit 2, one line, nothing on stdout."""
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


def test_a_notebook_gets_the_objects() -> None:
    """The API gives the objects behind the document, and the same errors."""
    found = wallviz.scaleout("llama-3.1-8b", "H100", gpus=64, sequence=8192, zero=1)
    assert isinstance(found, TrainingOnChips)
    assert float(found.step.step_s) == answer("--gpus", "64", "--sequence", "8192", "--zero", "1")["step_s"]
    assert isinstance(wallviz.scaleout("llama-3.1-8b", "H100", job="infer"), ServingOnChips)
    with pytest.raises(InputError, match="link_across"):
        wallviz.scaleout("llama-3.1-8b", "H100", link_across="fast")  # type: ignore[arg-type]


def test_an_encoder_writes_no_tokens() -> None:
    """A model without a decoder cannot be served token by token, and that is said."""
    with pytest.raises(wallviz.InputError, match="has an encoder alone"):
        wallviz.scaleout("bert-base", "H100", gpus=8, job="infer")
