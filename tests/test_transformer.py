"""A config.json in, exact parameter counts out: against the classes of transformers, and against anything that a reader may paste."""

from __future__ import annotations

import copy
import csv
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wallviz
from wallviz import catalog
from wallviz.engine.transformer import COMPONENTS, Architecture, Attention, Dense, Experts, LatentAttention, Recurrent, architecture, custom
from wallviz.errors import InputError

HERE = Path(__file__).parent

#: Counts of the classes on torch's meta device, with transformers 5.23 (tied weights once).
COUNTED = list(csv.DictReader((HERE / "parameters.csv").read_text(encoding="utf-8").splitlines()))

#: The same with transformers 5.24, for configs that nobody published: every family, with keys left out, flags turned, sizes changed.
VARIANTS = [json.loads(line) for line in (HERE / "architectures.jsonl").read_text(encoding="utf-8").splitlines()]

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: row["preset"])
def test_counts_are_those_of_the_class(row: dict[str, str]) -> None:
    """All, the language model's, the active ones and the routers' biases, to the last parameter."""
    found = catalog.architecture(row["preset"])
    assert found.parameters == int(row["parameters"])
    assert found.language_model_parameters == int(row["language_model_parameters"])
    assert found.active_parameters == int(row["active_parameters"])
    assert found.router_bias == int(row["router_bias"])


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case["name"])
def test_counts_hold_for_configs_that_nobody_published(case: dict[str, Any]) -> None:
    """A config with other sizes, flags and missing keys counts as its class does."""
    assert architecture(json.dumps(case["config"])).parameters == case["parameters"]


@pytest.mark.parametrize("preset", catalog.presets())
def test_presets_are_what_their_config_says(preset: str) -> None:
    """The row of a preset has the counts of its config, and its components sum to them."""
    row, found = catalog.presets()[preset], catalog.architecture(preset)
    assert (row.parameters, row.active_parameters) == (found.parameters, found.active_parameters)
    assert tuple(found.components) == COMPONENTS
    assert sum(found.components.values()) == found.parameters
    assert found.name == row.name


def test_components_are_told_apart() -> None:
    """DeepSeek-V3: embedding, head, attention, dense and shared layers, experts, router, norms, as counted by name of its tensors."""
    assert {name: size for name, size in catalog.architecture("deepseek-v3").components.items() if size} == {
        "embedding": 926679040,
        "attention": 11413422080,
        "mlp": 3743416320,
        "routed_experts": 653908770816,
        "router": 106430464,
        "norm": 1006592,
        "lm_head": 926679040,
    }


def test_many_presets_and_the_old_ones_among_them() -> None:
    """There are at least 80 presets, smallest first, and links of before still find theirs."""
    presets = catalog.presets()
    assert len(presets) >= 80
    sizes = [preset.parameters for preset in presets.values()]
    assert sizes == sorted(sizes)
    assert {"gpt2-xl", "qwen3-1.7b", "qwen3-4b", "mistral-7b", "llama-3.1-8b", "mixtral-8x7b", "gpt-oss-120b", "gpt-3-175b", "deepseek-v3"} <= set(
        presets
    )


# ------------------------------------------------------------------------------------------------------------------- what layers are


def mixers(preset: str) -> list[Any]:
    return [layer.mixer for layer in catalog.architecture(preset).layers]


def test_windows_are_read_per_layer() -> None:
    """Gemma 3 slides in five layers of six, Gemma 2 in every other, gpt-oss too, Mistral 7B in all, Llama 4 in chunks, Llama 3 nowhere."""
    assert [mixer.window for mixer in mixers("gemma-3-1b")][:7] == [512] * 5 + [None, 512]
    assert [mixer.window for mixer in mixers("gemma-2-9b")][:3] == [4096, None, 4096]
    assert [mixer.window for mixer in mixers("gpt-oss-120b")][:3] == [128, None, 128]
    assert {mixer.window for mixer in mixers("mistral-7b")} == {4096}
    assert [mixer.window for mixer in mixers("llama-4-scout")][:5] == [8192, 8192, 8192, None, 8192]
    assert {mixer.window for mixer in mixers("llama-3.1-8b")} == {None}


def test_qwen_slides_only_where_it_says_so() -> None:
    """Qwen2 names a window and does not use it unless use_sliding_window is true, and then from max_window_layers on."""
    config = {**LLAMA, "model_type": "qwen2", "sliding_window": 4096, "max_window_layers": 30}
    assert {layer.mixer.window for layer in architecture(config).layers if isinstance(layer.mixer, Attention)} == {None}
    used = architecture({**config, "use_sliding_window": True})
    assert [layer.mixer.window for layer in used.layers if isinstance(layer.mixer, Attention)][-3:] == [None, 4096, 4096]


def test_latent_attention_keeps_its_ranks() -> None:
    """DeepSeek-V3 caches 512 + 64 per token and layer; V2-Lite has no latent for queries; V3.2 caches an index key too."""
    of = mixers("deepseek-v3")[0]
    assert of == LatentAttention(128, 1536, 512, 128, 64, 128)
    assert mixers("deepseek-v2-lite")[0].q_rank is None
    assert mixers("deepseek-v3.2")[0].index_dim == 128


def test_recurrent_layers_have_their_state() -> None:
    """Mamba 2.8B keeps 5120 x 16 and a window of 5120 x 4 per layer; Qwen3-Next has three delta layers to one of attention."""
    of = mixers("mamba-2.8b")[0]
    assert (of.kind, of.state_elements, of.conv_elements) == ("mamba", 81920, 20480)
    kinds = [type(mixer) for mixer in mixers("qwen3-next-80b-a3b")][:4]
    assert kinds == [Recurrent, Recurrent, Recurrent, Attention]
    assert mixers("qwen3-next-80b-a3b")[0].state_elements == 32 * 128 * 128


def test_falcon_reads_its_key_heads_from_the_right_key() -> None:
    """Falcon 7B says num_kv_heads 71 and has one; the 40B has the eight that it says."""
    assert mixers("falcon-7b")[0].kv_heads == 1
    assert mixers("falcon-40b")[0].kv_heads == 8


def test_encoders_keep_no_cache() -> None:
    """Layers of BERT and of T5's encoder are marked; T5's decoder looks at the encoder."""
    assert all(layer.encoder for layer in catalog.architecture("bert-base").layers)
    t5 = catalog.architecture("t5-small").layers
    assert [layer.encoder for layer in t5] == [True] * 6 + [False] * 6
    assert [layer.mixer.cross for layer in t5 if isinstance(layer.mixer, Attention)] == [False] * 6 + [True] * 6


def test_last_layers_of_gemma_3n_read_the_cache_of_others() -> None:
    """The last layers, as many as num_kv_shared_layers, have no keys and values of their own."""
    case = next(case for case in VARIANTS if case["config"]["model_type"] == "gemma3n_text")
    found = architecture(case["config"])
    shared = case["config"].get("num_kv_shared_layers", 15)
    assert [layer.mixer.shares_cache for layer in found.layers if isinstance(layer.mixer, Attention)] == [False] * (len(found.layers) - shared) + [
        True
    ] * shared


def test_experts_know_what_one_token_uses() -> None:
    """Mixtral uses two of eight experts; DeepSeek-V3 eight of 256 and one shared one, behind three dense layers."""
    of = catalog.architecture("mixtral-8x7b").layers[0].mlp
    assert of == Experts(8, 2, 14336)
    layers = catalog.architecture("deepseek-v3").layers
    assert [type(layer.mlp) for layer in layers[:4]] == [Dense, Dense, Dense, Experts]
    assert layers[3].mlp == Experts(256, 8, 2048, 2048)


# ------------------------------------------------------------------------------------------------------------------- names, old and new


def test_old_names_mean_the_same() -> None:
    """n_embd, n_layer and n_head read as hidden_size, num_hidden_layers and num_attention_heads do."""
    old = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
    new = {
        "model_type": "gpt2",
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 1024,
        "vocab_size": 50257,
    }
    assert architecture(old).parameters == architecture(new).parameters == 124439808


@pytest.mark.parametrize("key", ["text_config", "language_config", "llm_config"])
def test_language_model_is_found_inside(key: str) -> None:
    """The language model of a model of several parts is read wherever it stands, and the part that is not counted is named."""
    inner = {**LLAMA}
    found = architecture({"model_type": "somebodys_vlm", key: inner, "vision_config": {"hidden_size": 1024}})
    assert found.parameters == 8030261248
    assert found.family == "llama"
    assert any("vision_config is not counted" in sentence for sentence in found.assumptions)


def test_thinker_is_the_model_that_thinks() -> None:
    """An omni model is counted by its thinker's language model; the talker is named as not counted."""
    thinker = {"text_config": {**LLAMA, "model_type": "qwen3_moe", "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}}
    found = architecture({"model_type": "qwen3_omni_moe", "thinker_config": thinker, "talker_config": {"hidden_size": 8}})
    assert found.family == "qwen3_moe"
    assert any("talker_config" in sentence for sentence in found.assumptions)


def test_tied_heads_are_read_from_the_config_then_from_the_class() -> None:
    """Llama has its own head unless it says otherwise, Gemma none."""
    head = 128256 * 4096
    assert architecture({**LLAMA, "tie_word_embeddings": True}).parameters == 8030261248 - head
    assert architecture(LLAMA).parameters == 8030261248
    assert architecture({**LLAMA, "model_type": "gemma"}).tied


def test_unknown_families_are_read_by_their_keys_and_say_so() -> None:
    """An unknown model_type counts as Llama does, with a sentence for everything assumed."""
    found = architecture({key: value for key, value in LLAMA.items() if key != "num_key_value_heads"} | {"model_type": "from_the_future"})
    assert found.parameters == architecture({**LLAMA, "num_key_value_heads": 32}).parameters
    text = " ".join(found.assumptions)
    for word in ("from_the_future", "num_key_value_heads", "head_dim", "tie_word_embeddings", "attention_bias"):
        assert word in text


def test_further_token_predictors_are_named() -> None:
    """Layers that predict further tokens are not counted, and that is said."""
    assert any("num_nextn_predict_layers = 1" in sentence for sentence in catalog.architecture("deepseek-v3").assumptions)


def test_what_a_config_leaves_out_is_said() -> None:
    """A size taken from the model class is named with its value."""
    found = architecture({key: value for key, value in LLAMA.items() if key != "num_key_value_heads"} | {"model_type": "mistral"})
    assert "num_key_value_heads is not stated; 8, the default of the model class, is taken." in found.assumptions


def test_real_clutter_is_ignored() -> None:
    """Keys that say nothing about the architecture change nothing."""
    clutter = {
        "torch_dtype": "bfloat16",
        "quantization_config": {"bits": 4},
        "auto_map": {"x": "y"},
        "rope_scaling": {"factor": 8.0},
        "eos_token_id": [1, 2],
    }
    assert architecture({**LLAMA, **clutter}) == architecture(LLAMA)


# ------------------------------------------------------------------------------------------------------------------- by numbers, by name


def test_a_model_by_its_numbers() -> None:
    """A dense model by numbers counts like its config; plain layers have two matrices."""
    numbers: dict[str, Any] = {"layers": 32, "hidden_size": 4096, "heads": 32, "kv_heads": 8, "ffn": 14336, "vocab": 128256}
    assert custom(**numbers).parameters == 8030261248
    assert custom(**numbers, gated=False).parameters == 8030261248 - 32 * 4096 * 14336
    assert custom(**numbers, tied=True).parameters == 8030261248 - 128256 * 4096
    with pytest.raises(InputError, match="num_hidden_layers"):
        custom(**{**numbers, "layers": 0})


def test_models_are_found_by_name_path_or_text(tmp_path: Path) -> None:
    """wallviz.model takes a preset's name in any case, a unique beginning, a path, a JSON text or a mapping."""
    path = tmp_path / "config.json"
    path.write_text("\ufeff" + json.dumps(LLAMA), encoding="utf-8")
    for source in ("Llama 3.1 8B", "LLAMA-3.1-8B", str(path), path, json.dumps(LLAMA), LLAMA):
        assert wallviz.model(source).parameters == 8030261248
    for source, sentence in (
        ("llama", "ambiguous"),
        ("no-such-model", "no model is called"),
        (str(tmp_path / "missing.json"), "there is no file"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(InputError, match=sentence):
            wallviz.model(source)
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(InputError, match="not UTF-8"):
        wallviz.model(path)


# ------------------------------------------------------------------------------------------------------------------- the files of the presets


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("gpt2.json", "{", "configs/gpt2.json: this is not valid JSON in line 1, column 2"),
        ("gpt2.json", '{"model_type": "gpt2", "n_embd": 768}', "configs/gpt2.json: "),
        ("gpt2.json", None, "configs/gpt2.json: there is no file"),
        ("left-over.json", "{}", "configs/left-over.json belongs to no row"),
        ("llama-7b.json", json.dumps(LLAMA), "configs/llama-7b.json has 8030261248 parameters"),
    ],
)
def test_check_data_reads_every_config(tmp_path: Path, file: str, text: str | None, sentence: str) -> None:
    """A config that is missing, broken, left over or at odds with its row is named."""
    data = Path(shutil.copytree(catalog.DATA, tmp_path / "data"))
    if text is None:
        (data / "configs" / file).unlink()
    else:
        (data / "configs" / file).write_text(text, encoding="utf-8")
    problems = catalog.check(data)
    assert len(problems) == 1
    assert sentence in problems[0]


def test_configs_of_presets_are_found_by_id() -> None:
    """catalog.config gives the mapping, catalog.architecture the same object each time, and an unknown id is refused."""
    assert catalog.config("llama-3.1-8b")["hidden_size"] == 4096
    assert catalog.architecture("llama-3.1-8b") is catalog.architecture("llama-3.1-8b")
    with pytest.raises(InputError, match="no model has the id nothing"):
        catalog.config("nothing")


# ------------------------------------------------------------------------------------------------------------------- hostile input


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        ('{"hidden_size": 4096,}', "line 1, column 22"),
        ('{\n "a": 1\n "b": 2}', "line 3, column 2"),
        ("[1, 2]", "an object in braces"),
        ('"llama"', "an object in braces"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": ' + "9" * 5000 + "}", "thousands of digits"),
        ("{" + " " * 10_000_000 + "}", "at most 1000000 characters"),
        ("{}", "is missing"),
        ('{"model_type": 7}', "model_type must be a short text"),
    ],
)
def test_what_is_no_config_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    """Malformed, huge, deep or empty JSON is refused after a few steps, with the place where there is one."""

    def refused() -> None:
        with pytest.raises(InputError) as error:
            architecture(text)
        assert sentence in str(error.value)
        assert "\n" not in str(error.value)

    assert calls(refused) < 1000


def test_a_text_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten million characters are refused by their number, before anything looks for JSON in them."""
    monkeypatch.setattr(json, "loads", lambda *_given, **_how: pytest.fail("it was read"))
    with pytest.raises(InputError, match="at most 1000000 characters"):
        architecture("{" + " " * 10_000_000 + "}")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hidden_size": "4096"}, 'hidden_size must be a whole number, not "4096"'),
        ({"hidden_size": True}, "hidden_size must be a whole number, not true"),
        ({"hidden_size": 4096.5}, "hidden_size must be a whole number, not 4096.5"),
        ({"hidden_size": 0}, "hidden_size must lie between 1 and 10000000, not 0"),
        ({"hidden_size": -1}, "hidden_size must lie between 1 and 10000000, not -1"),
        ({"hidden_size": 10**30}, "hidden_size must lie between"),
        ({"hidden_size": float("inf")}, "hidden_size must be a whole number"),
        ({"hidden_size": [4096]}, "hidden_size must be a whole number, not [4096]"),
        ({"num_hidden_layers": 10_001}, "num_hidden_layers must lie between 1 and 10000"),
        ({"num_attention_heads": 33}, "is no multiple of num_attention_heads 33"),
        ({"num_key_value_heads": 5}, "num_key_value_heads 5 must divide num_attention_heads 32"),
        ({"hidden_size": None}, "hidden_size / n_embd / d_model is missing"),
        ({"vocab_size": None}, "vocab_size"),
        ({"intermediate_size": None}, "intermediate_size"),
        ({"num_attention_heads": None}, "num_attention_heads"),
        ({"tie_word_embeddings": "no"}, 'tie_word_embeddings must be true or false, not "no"'),
        ({"layer_types": ["full_attention"] * 3}, "layer_types has 3 entries, the model 32 layers"),
        ({"layer_types": "full_attention"}, "layer_types must be a list in brackets"),
        ({"layer_types": [1] * 32}, "layer_types must list words"),
        ({"attention_dropout": 2}, "attention_dropout must be a number from 0 to 1, not 2"),
        ({"model_type": "mixtral", "num_local_experts": 10**6}, "num_local_experts must lie between 1 and 100000"),
        ({"model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 9}, "num_experts_per_tok must lie between 1 and 8"),
    ],
)
def test_wrong_values_are_named_with_their_rule(change: dict[str, Any], sentence: str) -> None:
    """A refusal names the field, its value and the rule."""
    with pytest.raises(InputError) as error:
        architecture({**LLAMA, **change})
    assert sentence in str(error.value)


def calls(work: Callable[[], object]) -> int:
    """Functions that are called while `work` is done: how much it is, on any machine."""
    n = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal n
        n += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return n


def test_ten_thousand_layers_are_little_work() -> None:
    """The deepest config that is read takes twenty calls a layer at most, counts included."""
    kinds = ["full_attention", "sliding_attention"] * 5000
    text = json.dumps({**LLAMA, "num_hidden_layers": 10_000, "layer_types": kinds, "sliding_window": 64})
    found: list[Architecture] = []

    def read() -> None:
        found.append(architecture(text))
        assert found[0].parameters > 10**12

    assert calls(read) < 20 * 10_000
    assert len(found[0].groups) == 2


def keys(config: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in config.items():
        yield (*before, key)
        if isinstance(value, dict):
            yield from keys(value, (*before, key))


NONSENSE: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 7, 64, 10**9, 10**30, 1.5, 1e300, float("nan"), float("inf"), "4096", "", "x" * 50, "auto", "\ud800"),
    *(True, False, None, [], [1, 2], [[]], {}, {"a": 1}, [None] * 5, ["full_attention"] * 200, [10**9] * 100),
)


def test_any_damage_is_refused_or_read() -> None:
    """Real configs with keys lost, swapped or replaced by nonsense give an Architecture or an InputError."""
    chance = random.Random(20)
    whole = [dict(catalog.config(preset)) for preset in catalog.presets()] + [case["config"] for case in VARIANTS]
    for _round in range(1500):
        config: dict[str, Any] = copy.deepcopy(chance.choice(whole))
        for _damage in range(chance.choice((1, 1, 2, 3))):
            *path, key = chance.choice(list(keys(config)) or [("model_type",)])
            inside = config
            for step in path:
                inside = inside[step]
            if chance.random() < 0.2:
                inside.pop(key, None)
            else:
                inside[key] = copy.deepcopy(chance.choice(NONSENSE))
        try:
            found = architecture(config)
        except InputError:
            continue
        else:
            assert isinstance(found, Architecture)
            assert 0 <= found.active_parameters <= found.parameters
            assert isinstance(found.assumptions, tuple)
