"""What NVIDIA's driver tells, asked of a stand-in that has every way of not answering; its likeness to the package is checked first."""

from __future__ import annotations

import ctypes
import inspect
import json
import re
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests import fake_nvml
from tests.conftest import PATIENCE_S
from tests.fake_nvml import FakeGpu, on_a_vgpu
from wallviz import catalog
from wallviz.machine.probe import nvml
from wallviz.machine.probe.nvml import Basis, Missing, Sampler, Throttle
from wallviz.machine.reasons import NotMeasured, Reason
from wallviz.machine.record import Device, Record, read

GIB = 2**30


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a stand-in where the package is imported from, and answers with it."""

    def install(*gpus: FakeGpu, **options: Any) -> Any:
        made = fake_nvml.module(*gpus, **options)
        monkeypatch.setitem(sys.modules, "pynvml", made)
        return made

    return install


def described(*gpus: FakeGpu, board: str = "", install: Any, **options: Any) -> list[nvml.Facts]:
    install(*gpus, **options)
    with nvml.opened() as opened:
        return [nvml.described(opened, gpu, board) for gpu in opened.gpus()]


# -------------------------------------------------------------------------------------------------------------- likeness


def test_the_stand_in_is_like_the_package() -> None:
    """Every function, argument, constant, error and structure of the stand-in is one of the installed package."""
    real: Any = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    fake = fake_nvml.module()
    functions = [name for name in dir(fake) if name.startswith("nvml") and callable(getattr(fake, name))]
    assert len(functions) > 25
    for name in functions:
        signatures = [
            [(each.name, each.default is inspect.Parameter.empty) for each in inspect.signature(getattr(module, name)).parameters.values()]
            for module in (real, fake)
        ]
        assert signatures[0] == signatures[1], name
    for name in dir(fake):
        if name.startswith("NVML_") or name == "nvmlMemory_v2":
            assert getattr(real, name) == getattr(fake, name), name
    for kind, (number, text) in fake_nvml.ERRORS.items():
        theirs, ours = (getattr(module, f"NVMLError_{kind}")() for module in (real, fake))
        assert theirs.value == ours.value == number
        assert isinstance(real.NVMLError(number), type(theirs))
        assert isinstance(fake.NVMLError(number), type(ours))
        assert isinstance(theirs, real.NVMLError)
        assert isinstance(ours, fake.NVMLError)
        assert type(ours).__hash__ is type(theirs).__hash__ is None
        if text:
            assert str(theirs) == str(ours) == text
    for name in ("c_nvmlMemory_t", "c_nvmlMemory_v2_t", "c_nvmlUtilization_t"):
        theirs, ours = getattr(real, name), getattr(fake_nvml, name)
        assert [(field, size) for field, size in theirs._fields_] == [(field, size) for field, size in ours._fields_]
        assert ctypes.sizeof(theirs) == ctypes.sizeof(ours)
    assert ctypes.sizeof(real.c_nvmlMemory_v2_t) == real.nvmlMemory_v2 & 0xFFFF


def test_numbers_are_those_of_the_header() -> None:
    """The constants that are written out here are those of the installed package, the throttle reasons bit by bit."""
    real: Any = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    ours = (nvml.CLOCK_GRAPHICS, nvml.CLOCK_MEMORY, nvml.TEMPERATURE_GPU, nvml.PCIE_SENT, nvml.PCIE_RECEIVED, nvml.MEMORY_V2, nvml.MOST_NVLINKS)
    names = (
        "NVML_CLOCK_GRAPHICS NVML_CLOCK_MEM NVML_TEMPERATURE_GPU NVML_PCIE_UTIL_TX_BYTES NVML_PCIE_UTIL_RX_BYTES nvmlMemory_v2 NVML_NVLINK_MAX_LINKS"
    )
    assert ours == tuple(getattr(real, name) for name in names.split())
    named = {
        Throttle.IDLE: "GpuIdle",
        Throttle.SET_CLOCKS: "ApplicationsClocksSetting",
        Throttle.POWER_CAP: "SwPowerCap",
        Throttle.HARDWARE: "HwSlowdown",
        Throttle.SYNC_BOOST: "SyncBoost",
        Throttle.HEAT: "SwThermalSlowdown",
        Throttle.HARDWARE_HEAT: "HwThermalSlowdown",
        Throttle.POWER_BRAKE: "HwPowerBrakeSlowdown",
        Throttle.DISPLAY: "DisplayClockSetting",
        Throttle.BOARD_LIMIT: "BoardLimit",
        Throttle.RELIABILITY: "Reliability",
    }
    assert {each: nvml._THROTTLES[each][0] for each in named} == {
        each: getattr(real, f"nvmlClocksThrottleReason{name}") for each, name in named.items()
    }
    assert {*named, Throttle.OTHER} == set(Throttle)


def test_the_installed_package_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real package on a machine without NVIDIA's driver gives a reason, not an error of its own."""
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    monkeypatch.setattr("pynvml.CDLL", lambda name: (_ for _ in ()).throw(OSError(f"{name}: cannot open shared object file")))
    monkeypatch.setattr("pynvml.nvmlLib", None)
    monkeypatch.setattr("pynvml._nvmlGetFunctionPointer_cache", {})
    with pytest.raises(NotMeasured) as caught:
        nvml.facts()
    assert (caught.value.reason, caught.value.detail) == (Reason.NO_DRIVER, "library_not_found")


# ------------------------------------------------------------------------------------------------------------ chokepoint


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("NotSupported", Missing.NOT_SUPPORTED),
        ("FunctionNotFound", Missing.FUNCTION_NOT_FOUND),
        ("NoPermission", Missing.NO_PERMISSION),
        ("GpuIsLost", Missing.GPU_IS_LOST),
        ("ResetRequired", Missing.GPU_IS_LOST),
        ("Unknown", Missing.UNKNOWN),
        ("Timeout", Missing.UNKNOWN),
        ("Uninitialized", Missing.UNINITIALIZED),
        ("LibraryNotFound", Missing.LIBRARY_NOT_FOUND),
        ("DriverNotLoaded", Missing.DRIVER_NOT_LOADED),
        ("LibRmVersionMismatch", Missing.VERSION_MISMATCH),
    ],
)
def test_every_error_is_an_answer(driver: Any, kind: str, missing: Missing) -> None:
    """Whatever the driver raises, the field is None and says why, and the fields beside it are there."""
    gpu = FakeGpu(errors={"nvmlDeviceGetMemoryBusWidth": kind, "nvmlDeviceGetEnforcedPowerLimit": kind})
    (found,) = described(gpu, install=driver)
    assert (found.bus_bits, found.missing) == (None, {"bus_bits": missing})
    assert (found.name, found.memory_clock_hz) == ("NVIDIA H100 80GB HBM3", 2619e6)
    assert found.theoretical == nvml.Theoretical(None, Basis.NOT_KNOWN)
    with nvml.opened() as opened:
        sample = nvml.sampled(opened.gpus()[0])
    assert (sample.power_limit_w, sample.missing, sample.power_w) == (None, {"power_limit_w": missing}, pytest.approx(512.345))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("LibraryNotFound", Reason.NO_DRIVER),
        ("DriverNotLoaded", Reason.NO_DRIVER),
        ("LibRmVersionMismatch", Reason.NO_DRIVER),
        ("NoPermission", Reason.UNSUPPORTED),
        ("Unknown", Reason.LOST),
    ],
)
def test_a_driver_that_does_not_start(driver: Any, kind: str, reason: Reason) -> None:
    """A driver that is missing, or broken, is one reason for everything, and nothing stays open."""
    made = driver(init=kind)
    for ask in (nvml.facts, Sampler().latest):
        with pytest.raises(NotMeasured) as caught:
            ask()
        assert caught.value.reason is reason
    assert made.calls["nvmlShutdown"] == 0


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the next step names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(NotMeasured, match=re.escape('pip install "wallviz[nvidia]"')) as caught:
        nvml.facts()
    assert caught.value.reason is Reason.NO_PACKAGE


@pytest.mark.parametrize(("gpus", "count", "reason"), [((), None, Reason.NO_DEVICE), ((FakeGpu(),), "Unknown", Reason.LOST)])
def test_no_gpu(driver: Any, gpus: tuple[FakeGpu, ...], count: str | None, reason: Reason) -> None:
    """A driver without a GPU, or one that cannot count them, is a reason, and the library is closed again."""
    made = driver(*gpus, count=count)
    with pytest.raises(NotMeasured) as caught:
        nvml.facts()
    assert caught.value.reason is reason
    assert made.calls["nvmlShutdown"] == made.calls["nvmlInit"] == 1


def test_an_old_package(driver: Any) -> None:
    """A package that lacks a function, or that gives bytes for text, is asked what it does have."""
    (found,) = described(FakeGpu(), install=driver, without=("nvmlDeviceGetMemoryBusWidth", "nvmlDeviceGetMigMode"), speaks_bytes=True)
    assert (found.name, found.driver, found.cuda) == ("NVIDIA H100 80GB HBM3", "580.95.05", "13.0")
    assert found.missing == {"bus_bits": Missing.PACKAGE_TOO_OLD, "mig": Missing.PACKAGE_TOO_OLD}
    with nvml.opened() as opened:
        assert opened.at("0000:18:00.0").ask("name", "nvmlDeviceGetName") == "NVIDIA H100 80GB HBM3"


def test_the_second_name_of_a_function(driver: Any) -> None:
    """What an older driver, or package, calls by another name is asked by that name."""
    old = FakeGpu(errors={"nvmlDeviceGetCurrentClocksEventReasons": "FunctionNotFound", "nvmlDeviceGetMemoryInfo_v2": "FunctionNotFound"})
    driver(old, without=("nvmlDeviceGetTemperatureV",))
    with nvml.opened() as opened:
        sample = nvml.sampled(opened.gpus()[0])
    assert (sample.throttles, sample.temperature_c, sample.memory_bytes) == ((Throttle.POWER_CAP,), 61.0, 85_520_809_984)
    assert sample.missing == {}


def test_what_the_package_may_raise(driver: Any) -> None:
    """Errors that are not the driver's own are answers too: a library that changes while it is used makes ctypes raise anything."""
    made = driver(FakeGpu())
    for error in (OSError("libnvidia-ml.so.1"), ctypes.ArgumentError("x"), ValueError("x"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x")):
        made.nvmlDeviceGetName = lambda handle, error=error: (_ for _ in ()).throw(error)
        assert nvml.call(made, "nvmlDeviceGetName", None)[0] is None
    for sentinel in (2**32 - 1, 2**64 - 1):
        made.nvmlDeviceGetName = lambda handle, sentinel=sentinel: sentinel
        assert nvml.call(made, "nvmlDeviceGetName", None) == (None, Missing.NOT_SUPPORTED)


def test_nothing_personal_is_asked() -> None:
    """No function that gives serial numbers, UUIDs or processes is named in the module."""
    text = Path(nvml.__file__).read_text(encoding="utf-8")
    assert not re.search(r"nvml\w*(Serial|UUID|Process|Uuid|BoardId|InforomImage|VbiosVersion)", text)


# ------------------------------------------------------------------------------------------------------------------ facts


@pytest.mark.parametrize(
    ("name", "mhz", "bits", "data_sheet"),
    [
        ("NVIDIA H100 80GB HBM3", 2619, 5120, 3.35e12),
        ("NVIDIA H200", 3201, 6144, 4.8e12),
        ("NVIDIA GeForce RTX 2070", 7001, 256, 448e9),
        ("NVIDIA B200", 3996, 7680, 7.7e12),  # Blackwell data sheet, B200 SXM
        ("NVIDIA A100-SXM4-80GB", 1593, 5120, 2.039e12),
        ("NVIDIA A100-SXM4-40GB", 1215, 5120, 1.555e12),
        ("Tesla V100-SXM2-16GB", 877, 4096, 900e9),
        ("Tesla T4", 5001, 256, 320e9),
        ("NVIDIA GeForce RTX 3090", 9751, 384, 936e9),
        ("NVIDIA GeForce RTX 4090", 10501, 384, 1.008e12),
        ("NVIDIA GeForce RTX 5090", 14001, 512, 1.792e12),
    ],
)
def test_theoretical_bandwidth(driver: Any, name: str, mhz: int, bits: int, data_sheet: float) -> None:
    """Two transfers per cycle of the highest clock over the width of the bus is the data sheet's rate, within 3 %, whatever the clock is now."""
    gpu = FakeGpu(name, max_clocks={0: 1, 1: 1, 2: mhz, 3: 1}, clocks={0: 1, 1: 1, 2: 405, 3: 1}, bus_bits=bits)
    (found,) = described(gpu, install=driver)
    assert found.theoretical.bytes_per_s == pytest.approx(data_sheet, rel=0.03)
    assert found.theoretical.basis is Basis.DRIVER


@pytest.mark.parametrize(
    ("name", "mhz", "bits", "chip", "apart"),
    [
        ("NVIDIA H100 80GB HBM3", 2619, 5120, "h100-sxm5", 0.03),
        ("NVIDIA H200", 3201, 6144, "h200-sxm", 0.03),
        ("NVIDIA A100-SXM4-80GB", 1593, 5120, "a100-sxm4-80gb", 0.03),
        ("NVIDIA A100-PCIE-80GB", 1512, 5120, "a100-pcie-80gb", 0.03),
        ("Tesla V100-SXM2-16GB", 877, 4096, "tesla-v100-sxm2-16gb", 0.03),
        ("Tesla T4", 5001, 256, "tesla-t4", 0.03),
        ("NVIDIA GeForce RTX 3090", 9751, 384, "geforce-rtx-3090", 0.03),
        ("NVIDIA GeForce RTX 4090", 10501, 384, "geforce-rtx-4090", 0.03),
        ("NVIDIA GB10", 0, 0, "gb10", 0.0),
        ("NVIDIA B200", 3996, 7680, "b200-sxm", 0.045),  # 8 TB/s was announced, and is what most print; the data sheet's 7.7 is within 3 %
        ("NVIDIA B200", 3996, 8192, "b200-sxm", 0.045),
    ],
)
def test_theoretical_bandwidth_is_the_catalogues(name: str, mhz: int, bits: int, chip: str, apart: float) -> None:
    """What the driver's figures give, corrected where they are wrong, is the bandwidth of the same chip in the catalogue."""
    found = nvml.theoretical(name, mhz * 1e6, bits)
    assert found.bytes_per_s == pytest.approx(catalog.chips()[chip].memory_bytes_per_s, rel=apart)


def test_a_b200_of_an_older_driver(driver: Any) -> None:
    """Drivers that state 8192 bits for a B200 are corrected to 7680, and the answer says so; GB200 and others are left alone."""
    old = FakeGpu("NVIDIA B200", max_clocks={2: 3996}, bus_bits=8192)
    (found,) = described(old, install=driver)
    assert found.theoretical.bytes_per_s == pytest.approx(7.672e12, rel=1e-3)
    assert found.theoretical.basis is Basis.CORRECTED_WIDTH
    assert "7680" in found.theoretical.basis.sentence
    assert nvml.theoretical("NVIDIA GB200", 3996e6, 8192).basis is Basis.DRIVER


@pytest.mark.parametrize(
    ("name", "board", "mhz", "bits", "expected"),
    [
        ("NVIDIA GB10", "", "NotSupported", 0, 273e9),
        ("NVIDIA Thor", "NVIDIA Jetson AGX Thor Developer Kit", 0, 0, 273e9),
        ("Orin (nvgpu)", "NVIDIA Jetson AGX Orin Developer Kit\0", 0, 0, 204.8e9),
        ("Orin (nvgpu)", "NVIDIA Jetson Orin NX Engineering Reference Developer Kit", 1300, 64, 102.4e9),
        ("Xavier", "Jetson-AGX Xavier", 0, 0, 136.5e9),
        ("Orin (nvgpu)", "", 0, 256, None),
        ("Orin (nvgpu)", "NVIDIA Jetson Orin Nano Developer Kit", 1000, 128, None),
    ],
)
def test_boards_that_share_memory(driver: Any, name: str, board: str, mhz: Any, bits: int, expected: float | None) -> None:
    """Where the driver answers 0, nothing, or something that is wrong, the data sheet of the board counts, and no figure where none is known."""
    gpu = FakeGpu(name, bus_bits=bits, max_clocks={2: mhz}, links=(), errors={"nvmlDeviceGetMemoryInfo": "NotSupported"})
    if mhz == "NotSupported":
        gpu.errors["nvmlDeviceGetMaxClockInfo"] = "NotSupported"
    (found,) = described(gpu, board=board, install=driver)
    assert found.theoretical.bytes_per_s == expected
    assert found.theoretical.basis is (Basis.DATA_SHEET if expected else Basis.NOT_KNOWN)
    assert found.memory_bytes is None
    assert found.missing["memory_bytes"] is Missing.NOT_SUPPORTED


def test_zero_is_no_answer(driver: Any) -> None:
    """Clocks, widths and capacities of 0 are no figures, and neither is a bandwidth made of them."""
    gpu = FakeGpu(
        "NVIDIA Something", total=0, reserved=0, used=0, max_clocks={2: 0}, clocks={0: 0, 2: 0}, bus_bits=0, pcie_most=(0, 0), pcie_now=(0, 0)
    )
    (found,) = described(gpu, install=driver)
    assert (found.memory_clock_hz, found.bus_bits, found.memory_bytes, found.theoretical.bytes_per_s) == (None, None, None, None)
    assert {name for name, missing in found.missing.items() if missing is Missing.ZERO} == {
        "memory_clock_hz",
        "bus_bits",
        "memory_bytes",
        "pcie_generation",
        "pcie_width",
    }
    with nvml.opened() as opened:
        sample = nvml.sampled(opened.gpus()[0])
    assert (sample.memory_clock_hz, sample.graphics_clock_hz, sample.pcie_generation) == (None, 0.0, None)


def test_several_gpus_and_one_that_fails(driver: Any) -> None:
    """A GPU that does not answer has its place and its reason; the others have all their facts."""
    broken = FakeGpu(errors={"nvmlDeviceGetHandleByIndex": "GpuIsLost"})
    other = FakeGpu("NVIDIA GeForce RTX 2070", total=8 * GIB, max_clocks={2: 7001}, bus_bits=256, links=(), ecc=None, mig=None, pcie_most=(3, 16))
    first, lost, last = described(FakeGpu(links=(1, 0, 1)), broken, other, install=driver)
    assert (first.index, first.nvlinks, first.nvlinks_active, first.ecc, first.mig) == (0, 3, 2, True, False)
    assert (first.virtualization, first.compute_capability, first.pcie_generation, first.pcie_width) == ("none", (9, 0), 5, 16)
    assert (lost.index, lost.name, lost.memory_bytes, lost.missing) == (1, "", None, {"": Missing.GPU_IS_LOST})
    assert (last.index, last.name, last.ecc, last.mig, last.nvlinks) == (2, "NVIDIA GeForce RTX 2070", None, None, None)
    assert last.missing == dict.fromkeys(("ecc", "mig", "nvlinks"), Missing.NOT_SUPPORTED)


def test_mig_slices(driver: Any) -> None:
    """A slice has its own memory and its eighths of the bandwidth, not the whole GPU's."""
    small = FakeGpu("NVIDIA A100-SXM4-40GB MIG 1g.5gb", total=4864 * 2**20, reserved=0, used=0)
    half = FakeGpu("NVIDIA A100-SXM4-40GB MIG 3g.20gb", total=20096 * 2**20, reserved=0, used=0)
    silent = FakeGpu("MIG", errors={"nvmlDeviceGetMemoryInfo": "NoPermission"})
    whole = FakeGpu("NVIDIA A100-SXM4-40GB", total=40960 * 2**20, max_clocks={2: 1215}, mig=(1, 1), slices=(small, half, silent))
    (found,) = described(whole, install=driver)
    assert found.mig is True
    assert [each.theoretical.bytes_per_s for each in found.slices] == [
        pytest.approx(1.555e12 / 8, rel=1e-3),
        pytest.approx(1.555e12 / 2, rel=1e-3),
        None,
    ]
    assert found.slices[0].theoretical.basis is Basis.MIG_SLICE
    assert found.slices[2].theoretical.basis is Basis.NOT_KNOWN
    assert found.slices[0].memory_bytes == 4864 * 2**20
    off = FakeGpu(mig=(0, 1), slices=(small,))
    assert described(off, install=driver)[0].slices == ()


@pytest.mark.parametrize(
    ("slice_gib", "gpu_gib", "eighths"),
    [(4.75, 40, 1), (9.75, 80, 1), (19.6, 80, 2), (39.5, 80, 4), (79.25, 80, 8), (5.94, 24, 2), (23.8, 24, 8), (17.5, 141, 1), (23, 180, 1)],
)
def test_slices_are_eighths(slice_gib: float, gpu_gib: float, eighths: int) -> None:
    """The shares are those of NVIDIA's table of profiles (fraction of memory), A30 in quarters."""
    assert nvml.slice_share(int(slice_gib * GIB), int(gpu_gib * GIB)) == eighths / 8


def test_a_vgpu(driver: Any) -> None:
    """A part of a GPU in a virtual machine tells little: what it does not tell is not supported, and nothing is made up."""
    (found,) = described(on_a_vgpu(), install=driver)
    assert (found.virtualization, found.memory_bytes, found.theoretical.bytes_per_s) == ("vgpu", 10 * GIB, None)
    assert set(found.missing.values()) == {Missing.NOT_SUPPORTED}
    with nvml.opened() as opened:
        sample = nvml.sampled(opened.gpus()[0])
    assert (sample.power_w, sample.throttles, sample.temperature_c, sample.memory_used_bytes) == (None, None, None, 12 * GIB)
    assert sample.state() == nvml.State()


def test_lost_in_mid_read(driver: Any) -> None:
    """A GPU that goes while it is read keeps what it had said, and says of the rest that it is lost."""
    for answered in range(40):
        (found,) = described(FakeGpu(lost_after=answered), install=driver)
        kept = {name: value for name, value in asdict(found).items() if name in found.missing}
        assert all(value in (None, "") for value in kept.values())
        assert set(found.missing.values()) <= {Missing.GPU_IS_LOST}
    assert found.missing == {}
    (found,) = described(FakeGpu(lost_after=2), install=driver)
    assert (found.name, found.memory_bytes, found.bus_bits) == ("NVIDIA H100 80GB HBM3", 85_520_809_984, None)


def test_names_are_plain(driver: Any) -> None:
    """What a driver calls its GPU is text, never markup."""
    (found,) = described(FakeGpu("<b>GPU</b>\x07"), install=driver)
    assert found.name == "(b)GPU(/b)"


def test_the_board_has_a_name(tmp_path: Path) -> None:
    """The name of a board is read from its device tree, and is empty where there is none."""
    (tmp_path / "model").write_bytes(b"NVIDIA Jetson AGX Orin Developer Kit\0")
    assert nvml.board_name(tmp_path / "model") == "NVIDIA Jetson AGX Orin Developer Kit"
    assert nvml.board_name(tmp_path / "none") == ""


def test_a_gpu_is_found_by_its_place(driver: Any) -> None:
    """CUDA and NVML count in different orders: the place on the bus is what they share."""
    driver(FakeGpu("first"), FakeGpu("second", bus_id="00000000:3B:00.0"))
    with nvml.opened() as opened:
        assert nvml.described(opened, opened.at("0000:3b:00.0")).name == "second"
        assert opened.at("0000:99:00.0").missing == {"": Missing.NOT_SUPPORTED}
        assert nvml.sampled(opened.at("0000:99:00.0")).memory_bytes is None


# -------------------------------------------------------------------------------------------------------------- telemetry


def test_one_sample(driver: Any) -> None:
    """A sample is in base units, and PCIe's generation is the one of this moment."""
    driver(FakeGpu(pcie_now=(4, 8)))
    with nvml.opened() as opened:
        sample = nvml.sampled(opened.gpus()[0])
    assert (sample.graphics_clock_hz, sample.memory_clock_hz) == (1755e6, 2619e6)
    assert (sample.power_w, sample.power_limit_w, sample.temperature_c) == (pytest.approx(512.345), 700.0, 61.0)
    assert (sample.busy, sample.memory_busy) == (0.97, 0.64)
    assert (sample.memory_used_bytes, sample.memory_bytes) == (12 * GIB, 85_520_809_984)
    assert (sample.pcie_sent_bytes_per_s, sample.pcie_received_bytes_per_s) == (1.25e6, 48e9)
    assert (sample.pcie_generation, sample.pcie_width) == (4, 8)
    assert sample.missing == {}


def test_the_slow_question_can_be_left_out(driver: Any) -> None:
    """Rates on PCIe, which take the driver 20 ms each, are not asked where they are not wanted."""
    made = driver(FakeGpu())
    with nvml.opened() as opened:
        assert nvml.sampled(opened.gpus()[0], pcie_rates=False).pcie_sent_bytes_per_s is None
    assert made.calls["nvmlDeviceGetPcieThroughput"] == 0


def test_a_state_stands_in_a_record(driver: Any) -> None:
    """What a record keeps of a sample can be read back from it."""
    driver(FakeGpu(reasons=0x60))
    with nvml.opened() as opened:
        state = nvml.sampled(opened.gpus()[0]).state()
    record = Record("cuda", Device("x", kind="gpu"), before=state, after=state)
    assert read(json.dumps(record.as_dict())).before == state
    assert state.throttle_reasons == ("heat", "hardware_heat")


def test_throttle_reasons_have_words() -> None:
    """Each reason has a sentence of its own; heat and power hold a GPU back, rest and settings do not."""
    assert len({each.sentence for each in Throttle}) == len(Throttle)
    assert {each for each in Throttle if each.holds_back} == {
        Throttle.POWER_CAP,
        Throttle.HARDWARE,
        Throttle.HEAT,
        Throttle.HARDWARE_HEAT,
        Throttle.POWER_BRAKE,
    }
    assert len({each.sentence for each in Missing}) == len(Missing)
    assert all(each.sentence for each in Basis)


def test_the_driver_is_asked_once_a_second(driver: Any) -> None:
    """However many ask, and however often, the driver is asked once in a second, and stays open between."""
    made = driver(FakeGpu(), FakeGpu())
    now = [100.0]
    sampler = Sampler(clock=lambda: now[0])
    for step in range(40):
        now[0] = 100 + step * 0.1
        assert len(sampler.latest()) == 2
    assert made.calls["nvmlDeviceGetPowerUsage"] == 2 * 4
    assert made.calls["nvmlInit"] == 1
    assert [round(moment.seconds, 6) for moment in sampler.history()] == [0, 1, 2, 3]
    sampler.close()
    sampler.close()
    assert made.calls["nvmlShutdown"] == 1


def test_many_ask_at_once(driver: Any) -> None:
    """Threads that ask together get one answer, and those that come while the driver is slow get the one before."""
    made = driver(FakeGpu())
    now = [0.0]
    sampler = Sampler(clock=lambda: now[0])
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(sampler.latest()), daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(found) == 16
    assert made.calls["nvmlDeviceGetCount"] == 1

    entered, leave = threading.Event(), threading.Event()
    quick = made.nvmlDeviceGetCount

    def slow() -> int:
        entered.set()
        leave.wait(PATIENCE_S)
        return int(quick())

    made.nvmlDeviceGetCount = slow
    now[0] = 5.0
    asking = threading.Thread(target=sampler.latest, daemon=True)
    asking.start()
    assert entered.wait(PATIENCE_S)
    assert sampler.latest() == found[0]
    leave.set()
    asking.join(PATIENCE_S)
    assert len(sampler.history()) == 2


def test_the_history_ends(driver: Any) -> None:
    """Old moments go: a page that stays open does not fill the memory."""
    driver(FakeGpu())
    now = [0.0]
    sampler = Sampler(clock=lambda: now[0], keep=5)
    for step in range(9):
        now[0] = float(step)
        sampler.latest()
    assert [moment.seconds for moment in sampler.history()] == [4, 5, 6, 7, 8]


def test_the_sampler_comes_back(driver: Any) -> None:
    """A driver that goes is a reason for as long as it is gone, asked for once a second, and figures again when it is back."""
    made = driver(FakeGpu())
    now = [0.0]
    sampler = Sampler(clock=lambda: now[0])
    sampler.latest()
    made.nvmlShutdown()  # somebody else in this process closed it
    now[0] = 1.0
    with pytest.raises(NotMeasured) as caught:
        sampler.latest()
    assert caught.value.reason is Reason.NO_DRIVER
    with pytest.raises(NotMeasured):
        sampler.latest()
    assert made.calls["nvmlInit"] == 1
    now[0] = 2.0
    assert sampler.latest()[0].power_w == pytest.approx(512.345)
    assert made.calls["nvmlInit"] == 2


def test_a_gpu_lost_while_sampled(driver: Any) -> None:
    """One GPU that goes leaves the other's figures alone."""
    going = FakeGpu(lost_after=3)
    driver(FakeGpu(), going)
    kept, lost = Sampler().latest()
    assert kept.missing == {}
    assert lost.missing["power_w"] is Missing.GPU_IS_LOST
    assert (lost.power_w, lost.throttles) == (None, (Throttle.POWER_CAP,))


def test_commands_that_confirm(driver: Any) -> None:
    """Every figure with a command names a field of the facts or of a sample."""
    fields = {*nvml.Facts.__dataclass_fields__, *nvml.Sample.__dataclass_fields__}
    assert set(nvml.CONFIRMED_BY) <= fields
    assert nvml.confirming("power_w") == "nvidia-smi -i 0 --query-gpu=power.draw,enforced.power.limit --format=csv"
