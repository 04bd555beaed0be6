"""The kernels as WGSL: one text, made from the table `kernels`, for a local GPU (`wgpu`) and for the visitor's browser (``ui/probe.js``).

Every entry point sees the same five bindings: `a` to write, `b` and `c` to read, the parameters `p`, and the counters `found`. Elements are
vectors of four f32, and `i` counts vectors. What an entry point computes is used in a way that depends on a parameter, so that no compiler can
leave it out.
"""

from __future__ import annotations

import struct
from typing import Any

from wallviz.machine.probe.kernels import KERNELS, SCALAR, SEEDS, TOLERANCE, Kernel
from wallviz.machine.probe.negative_control import DAMAGE, READ_DAMAGE

WORKGROUP = 256
"""Invocations of a workgroup: the most that every WebGPU device offers."""
VECTOR_BYTES = 16
BLOCK_BYTES = WORKGROUP * VECTOR_BYTES
"""What a workgroup of `walk` reads at a time; working sets are powers of two times this."""
CROWD = 8192
"""Workgroups to start at once in order to see how many the device runs at once: more than any GPU holds (MI300X: 304 units, 8 on each)."""
LONGEST_LOOP = 2**15
"""Rounds of a loop: software drivers end it after 65535."""
GROUPS = (512, 2048, 8192, 32768)
"""Numbers of workgroups to try: too few cannot fill a device, too many cost it time. WebGPU allows 65535."""
LINE_BYTES = 128
"""Distance of the elements of a chain: a cache line of the GPUs that have the longest."""
BINDINGS = ("storage", "read-only-storage", "read-only-storage", "uniform", "storage")
"""Buffer types of the bindings 0 to 4."""
_PARAMETERS = ("first", "last", "mask", "step", "loops", "seed", "s", "above")
PARAMETER_BYTES = 4 * len(_PARAMETERS)
NEVER = 3e38
"""An `above` that no sum reaches."""

_DECLARATIONS = """\
struct Parameters {{ first: u32, last: u32, mask: u32, step: u32, loops: u32, seed: u32, s: f32, above: f32 }}
@group(0) @binding(0) var<storage, read_write> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> links: array<u32>;
@group(0) @binding(2) var<storage, read> c: array<vec4<f32>>;
@group(0) @binding(3) var<uniform> p: Parameters;
@group(0) @binding(4) var<storage, read_write> found: array<atomic<u32>, 4>;

fn hashed(i: u32, seed: u32) -> vec4<f32> {{
  let index = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u);
  let state = (index ^ vec4<u32>(seed * 0x9E3779B9u)) * 747796405u + 2891336453u;
  let word = ((state >> ((state >> vec4<u32>(28u)) + 4u)) ^ state) * 277803737u;
  let hash = (word >> vec4<u32>(22u)) ^ word;
  return bitcast<vec4<f32>>((hash >> vec4<u32>(9u)) | vec4<u32>(0x3F800000u));
}}

fn check(value: vec4<f32>, expected: vec4<f32>, tolerance: f32) {{
  let exponent = bitcast<vec4<u32>>(value) & vec4<u32>(0x7F800000u);  // all ones: not a number
  if (any(abs(value - expected) > vec4<f32>(tolerance)) || any(exponent == vec4<u32>(0x7F800000u))) {{ atomicAdd(&found[0], 1u); }}
}}
"""
_ENTRY = """
@compute @workgroup_size({workgroup})
fn {name}(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {{
{before}  for (var i = p.first + id.x; i < p.last; i += groups.x * {workgroup}u) {{ {each} }}
{after}}}
"""
# Round k of workgroup g reads place g + k * step of the working set, round and round; `step` is the number of workgroups, so that all of them
# together read every place once, in order. Meanwhile they count how many of them there are at once: found[2] now, found[3] the most. What a
# workgroup takes away in the end hangs on its sum, or it could be taken away before.
_WALK = """
@compute @workgroup_size({workgroup})
fn walk(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
  if (lane == 0u) {{ atomicMax(&found[3], atomicAdd(&found[2], 1u) + 1u); }}
  var total = vec4<f32>();
  var block = group.x;
  for (var k = 0u; k < p.loops; k++) {{
    let value = b[(block & p.mask) * {workgroup}u + lane];
    total += {read};
    block += p.step;
  }}
  if (any(total > vec4<f32>(p.above))) {{ a[group.x * {workgroup}u + lane] = total; }} else if (lane == 0u) {{ atomicSub(&found[2], 1u); }}
}}

@compute @workgroup_size({workgroup})
fn check_walk(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
  var total = vec4<f32>();
  var block = group.x;
  for (var k = 0u; k < p.loops; k++) {{
    let value = hashed((block & p.mask) * {workgroup}u + lane, {seed}u);
    total += {read};
    block += p.step;
  }}
  check(a[group.x * {workgroup}u + lane], total, {tolerance} * f32(p.loops));
}}
"""
_CHASE = """
@compute @workgroup_size(1)
fn chase() {{
  var at = atomicLoad(&found[1]);
  for (var k = 0u; k < p.loops; k++) {{ at = links[at]; }}
  atomicStore(&found[1], at);
}}
"""


def source() -> str:
    """The whole module. Entry points: ``fill``, ``walk``, ``check_walk``, ``chase``, and for every kernel ``kernel_<name>`` and ``check_<name>``.

    The prefix is needed: ``read`` and ``write`` are words of WGSL itself.

    >>> "fn kernel_triad(" in source(), "a[i] = b[i] + vec4<f32>(p.s) * c[i];" in source()
    (True, True)
    """
    fill = _entry("fill", "a[i] = hashed(i, p.seed);")
    kernels = [text for kernel in KERNELS.values() for text in (_kernel(kernel), _check(kernel))]
    walk = _WALK.format(workgroup=WORKGROUP, read=KERNELS["read"].source(b="value"), seed=SEEDS["b"], tolerance=TOLERANCE["f32"])
    return "".join([_DECLARATIONS.format(), fill, *kernels, walk, _CHASE.format()])


def _entry(name: str, each: str, before: str = "", after: str = "") -> str:
    return _ENTRY.format(name=name, each=each, before=f"  {before}\n" if before else "", after=f"  {after}\n" if after else "", workgroup=WORKGROUP)


def _kernel(kernel: Kernel) -> str:
    value = kernel.source(s="vec4<f32>(p.s)")
    if not kernel.reduces:
        return _entry(f"kernel_{kernel.name}", f"a[i] = {value};")
    keep = "if (any(total > vec4<f32>(p.above))) { a[id.x] = total; }"
    return _entry(f"kernel_{kernel.name}", f"total += {value};", "var total = vec4<f32>();", keep)


def _check(kernel: Kernel) -> str:
    """The closed form again, from the hash instead of from memory; each sum of a kernel that reduces lies at its invocation's place."""
    operands = {name: f"hashed(i, {seed}u)" for name, seed in SEEDS.items()}
    value = kernel.source(**operands, s="vec4<f32>(p.s)")
    tolerance = TOLERANCE["f32"]
    if not kernel.reduces:
        return _entry(f"check_{kernel.name}", f"check(a[i], {value}, {tolerance});")
    before = "var total = vec4<f32>(); var terms = 0.0;"
    return _entry(f"check_{kernel.name}", f"total += {value}; terms += 1.0;", before, f"check(a[id.x], total, {tolerance} * terms);")


def parameters(
    *, first: int = 0, last: int = 0, mask: int = 0, step: int = 0, loops: int = 0, seed: int = 0, s: float = SCALAR, above: float = NEVER
) -> bytes:
    """The parameters of a dispatch as the device reads them: six u32 and two f32."""
    return struct.pack("<6I2f", first, last, mask, step, loops, seed, s, above)


def module() -> dict[str, Any]:
    """The text and what a program needs to run it, as JSON holds it: for the browser."""
    return {
        "source": source(),
        "workgroup": WORKGROUP,
        "vector_bytes": VECTOR_BYTES,
        "groups": list(GROUPS),
        "crowd": CROWD,
        "longest_loop": LONGEST_LOOP,
        "line_bytes": LINE_BYTES,
        "bindings": list(BINDINGS),
        "parameters": list(_PARAMETERS),
        "scalar": SCALAR,
        "never": NEVER,
        "damage": DAMAGE,
        "read_damage": READ_DAMAGE,
        "tolerance": TOLERANCE["f32"],
        "seeds": dict(SEEDS),
        "kernels": [{"name": kernel.name, "words": kernel.words, "reduces": kernel.reduces} for kernel in KERNELS.values()],
    }
