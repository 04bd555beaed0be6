"""The kernels as CUDA C++: one text, made from the table `kernels`, which NVRTC compiles on the machine that it measures (`cuda`).

Every entry point has the same five parameters: `a` to write, `b` and `c` to read, the parameters `p`, and the counters `found`. Elements are
vectors of four floats, and `i` counts vectors. What an entry point computes is used in a way that depends on a parameter, so that no compiler can
leave it out.
"""

from __future__ import annotations

import struct

from wallviz.machine.probe.kernels import KERNELS, SCALAR, SEEDS, TOLERANCE, Kernel

BLOCK = 256
"""Threads of a block: eight of them fill a multiprocessor that holds 2048, six one that holds 1536."""
VECTOR_BYTES = 16
BLOCK_BYTES = BLOCK * VECTOR_BYTES
"""What a block of `walk` reads at a time; working sets are powers of two times this."""
AHEAD = 4
"""Vectors of each array that a thread loads before it uses the first."""
LINE_BYTES = 128
"""Distance of the elements of a chain: a cache line."""
PARAMETER_BYTES = 48
NEVER = 3e38
"""An `above` that no sum reaches."""

_DECLARATIONS = """\
typedef unsigned int u32;
typedef unsigned long long u64;
struct Parameters { u64 n, mask, step, loops; u32 seed; float s, above; };
static_assert(sizeof(Parameters) == PARAMETER_BYTES, "as parameters() packs them");

__device__ __forceinline__ float4 all(float x) { return make_float4(x, x, x, x); }
__device__ __forceinline__ float4 operator+(float4 x, float4 y) { return make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w); }
__device__ __forceinline__ float4 operator*(float4 x, float4 y) { return make_float4(x.x * y.x, x.y * y.y, x.z * y.z, x.w * y.w); }

__device__ __forceinline__ float hashed_word(u64 index, u32 seed) {
  u32 state = (((u32)index ^ (u32)(index >> 32)) ^ (seed * 0x9E3779B9u)) * 747796405u + 2891336453u;
  u32 word = ((state >> ((state >> 28) + 4u)) ^ state) * 277803737u;
  return __uint_as_float((((word >> 22) ^ word) >> 9) | 0x3F800000u);
}
__device__ __forceinline__ float4 hashed(u64 i, u32 seed) {
  return make_float4(hashed_word(4 * i, seed), hashed_word(4 * i + 1, seed), hashed_word(4 * i + 2, seed), hashed_word(4 * i + 3, seed));
}

__device__ __forceinline__ bool near(float value, float expected, float tolerance) { return fabsf(value - expected) <= tolerance; }
__device__ __forceinline__ void check(float4 value, float4 expected, float tolerance, u32* found) {  // what is not a number is not near
  if (!(near(value.x, expected.x, tolerance) && near(value.y, expected.y, tolerance) && near(value.z, expected.z, tolerance)
        && near(value.w, expected.w, tolerance))) atomicAdd(found, 1u);
}
__device__ __forceinline__ bool above(float4 x, float limit) { return x.x > limit || x.y > limit || x.z > limit || x.w > limit; }
"""
_PARAMETERS = "float4* __restrict__ a, const float4* __restrict__ b, const float4* __restrict__ c, const Parameters p, u32* __restrict__ found"
_ENTRY = """
extern "C" __global__ void __launch_bounds__({block}) {name}({parameters}) {{
  const u64 stride = (u64)gridDim.x * {block}, thread = (u64)blockIdx.x * {block} + threadIdx.x;
  u64 i = thread;
{body}}}
"""
_EACH = """\
  for (; i < p.n; i += stride) {{ {each} }}
"""
# So many elements of each thread are loaded before the first is used: the fastest memories need that much under way. What is left over goes
# one by one.
_AHEAD = """\
  for (; i + {ahead} * stride - stride < p.n; i += {ahead} * stride) {{
    {arrays}
    #pragma unroll
    for (int k = 0; k < {ahead}; k++) {{ {loads} }}
    #pragma unroll
    for (int k = 0; k < {ahead}; k++) {{ {each} }}
  }}
"""
# Round k of block g reads place g + k * step of the working set, round and round; `step` is the number of blocks, so that all of them together
# read every place once, in order.
_WALK = """
extern "C" __global__ void __launch_bounds__({block}) {name}({parameters}) {{
  float4 total = all(0.0f);
  u64 block = blockIdx.x;
  #pragma unroll 8
  for (u64 k = 0; k < p.loops; k++) {{
    const float4 value = {value};
    total = total + {read};
    block += p.step;
  }}
  {last}
}}
"""
# The chain is one of addresses: a load, and nothing else, between one load and the next.
_CHASE = """
extern "C" __global__ void chase({parameters}) {{
  u64* const place = (u64*)found + 1;
  u64 at = *place;
  #pragma unroll 16
  for (u64 k = 0; k < p.loops; k++) at = __ldg((const u64*)at);
  *place = at;
}}
"""


def source() -> str:
    """The whole text. Entry points: ``fill``, ``walk``, ``check_walk``, ``chase``, and for every kernel ``kernel_<name>`` and ``check_<name>``.

    >>> "void __launch_bounds__(256) kernel_triad(" in source(), "= bs[k] + all(p.s) * cs[k];" in source()
    (True, True)
    """
    kernels = [text for kernel in KERNELS.values() for text in (_kernel(kernel), _check(kernel))]
    place = f"(block & p.mask) * {BLOCK} + threadIdx.x"
    walk = _walk("walk", f"b[{place}]", "if (above(total, p.above)) a[{at}] = total;")
    walk += _walk("check_walk", f"hashed({place}, {SEEDS['b']}u)", f"check(a[{{at}}], total, {TOLERANCE['f32']}f * (float)p.loops, found);")
    declarations = _DECLARATIONS.replace("PARAMETER_BYTES", str(PARAMETER_BYTES))
    return "".join(
        [declarations, _entry("fill", _EACH.format(each="a[i] = hashed(i, p.seed);")), *kernels, walk, _CHASE.format(parameters=_PARAMETERS)]
    )


def entries() -> tuple[str, ...]:
    """The names of the entry points, in the order of the text."""
    return ("fill", *(f"{what}_{name}" for name in KERNELS for what in ("kernel", "check")), "walk", "check_walk", "chase")


def _walk(name: str, value: str, last: str) -> str:
    at = f"(u64)blockIdx.x * {BLOCK} + threadIdx.x"
    read = KERNELS["read"].source(b="value")
    return _WALK.format(name=name, value=value, last=last.format(at=at), read=read, block=BLOCK, parameters=_PARAMETERS)


def _entry(name: str, *body: str) -> str:
    return _ENTRY.format(name=name, body="".join(body), block=BLOCK, parameters=_PARAMETERS)


def _kernel(kernel: Kernel) -> str:
    # p.above keeps the compiler from leaving out loads whose values nobody needs.
    value = kernel.source(b="bs[k]", c="cs[k]", s="all(p.s)")
    each = f"total = total + {value};" if kernel.reduces else f"a[i + k * stride] = {value};"
    loads = " ".join(f"{name}s[k] = {name}[i + k * stride];" for name in kernel.reads)
    loops = [
        _AHEAD.format(ahead=ahead, arrays="".join(f"float4 {name}s[{ahead}]; " for name in kernel.reads), loads=loads, each=each)
        for ahead in (AHEAD, 1)
    ]
    if not kernel.reduces:
        return _entry(f"kernel_{kernel.name}", *loops)
    return _entry(f"kernel_{kernel.name}", "  float4 total = all(0.0f);\n", *loops, "  if (above(total, p.above)) a[thread] = total;\n")


def _check(kernel: Kernel) -> str:
    """The closed form again, from the hash instead of from memory; each sum of a kernel that reduces lies at its thread's place."""
    value = kernel.source(**{name: f"hashed(i, {seed}u)" for name, seed in SEEDS.items()}, s="all(p.s)")
    tolerance = f"{TOLERANCE['f32']}f"
    if not kernel.reduces:
        return _entry(f"check_{kernel.name}", _EACH.format(each=f"check(a[i], {value}, {tolerance}, found);"))
    before = "  float4 total = all(0.0f);\n  float terms = 0.0f;\n"
    each = _EACH.format(each=f"total = total + {value}; terms += 1.0f;")
    return _entry(f"check_{kernel.name}", before, each, f"  check(a[thread], total, {tolerance} * terms, found);\n")


def parameters(*, n: int = 0, mask: int = 0, step: int = 0, loops: int = 0, seed: int = 0, s: float = SCALAR, above: float = NEVER) -> bytes:
    """The parameters of a launch as the kernel reads them: four u64, a u32, two f32, and what fills the structure up."""
    return struct.pack("<4QI2f4x", n, mask, step, loops, seed, s, above)
