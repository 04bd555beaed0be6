// The visitor's own GPU, measured by WebGPU in this page: a button, progress, cancel. The kernels and every number of the protocol come from
// Python (wallviz/probe/wgsl.py, browser.py), the same text that the local path runs; nothing is fetched, and nothing but the record leaves the page.

class Stopped extends Error {
  constructor(reason, detail = "") { super(detail); this.reason = reason; }
}

const MIB = 2 ** 20;
const least = (values) => Math.min(...values);
const plain = (text) => String(text ?? "").replace(/[<>]|\p{C}/gu, " ").slice(0, 200).trim();

// What ends a measurement early: every wait is a race against it, so that a device that never answers cannot hold the page.
function stopper(signal, limit_s) {
  let stop;
  const stopped = new Promise((_, reject) => { stop = (reason, detail) => reject(new Stopped(reason, detail)); });
  stopped.catch(() => {});
  const hidden = () => { if (document.visibilityState === "hidden") stop("hidden"); };
  const cancelled = () => stop("cancelled");
  document.addEventListener("visibilitychange", hidden);
  signal.addEventListener("abort", cancelled);
  const timer = setTimeout(() => stop("timeout"), limit_s * 1000);
  hidden();
  if (signal.aborted) cancelled();
  return {
    stop,
    until: (promise) => Promise.race([stopped, promise]),
    off() { clearTimeout(timer); document.removeEventListener("visibilitychange", hidden); signal.removeEventListener("abort", cancelled); },
  };
}

function isSoftware(adapter) {
  const info = adapter.info ?? {};
  const named = [info.vendor, info.architecture, info.device, info.description].join(" ");
  return Boolean(info.isFallbackAdapter ?? adapter.isFallbackAdapter) || /swiftshader|llvmpipe|softpipe|basic render|\bwarp\b/i.test(named);
}

function described(adapter) {
  const info = adapter.info ?? {};
  return {
    name: plain(info.description || info.device || [info.vendor, info.architecture].filter(Boolean).join(" ")),
    kind: isSoftware(adapter) ? "software" : "gpu",
    vendor: plain(info.vendor), architecture: plain(info.architecture), backend: "WebGPU", system: plain(navigator.userAgentData?.platform),
  };
}

// An open device with three arrays; it runs the entry points of the module and says how long they took.
class Gpu {
  constructor(device, module, stops) {
    Object.assign(this, { device, module, until: stops.until, pipelines: {}, bound: {}, arrays: {}, agreed: false });
    this.timestamps = device.features.has("timestamp-query");
    device.lost.then((info) => stops.stop("lost", `${info.reason}: ${info.message}`));
    device.onuncapturederror = (event) => stops.stop("unsupported", event.error.message);
    const { STORAGE, COPY_SRC, COPY_DST, UNIFORM, MAP_READ, QUERY_RESOLVE } = GPUBufferUsage;
    this.usage = STORAGE | COPY_SRC | COPY_DST;
    this.parameters = device.createBuffer({ size: 4 * module.parameters.length, usage: UNIFORM | COPY_DST });
    this.found = device.createBuffer({ size: 16, usage: this.usage });
    this.answer = device.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
    if (this.timestamps) {
      this.queries = device.createQuerySet({ type: "timestamp", count: 2 });
      this.ticks = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC });
    }
    this.layout = device.createBindGroupLayout({
      entries: module.bindings.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
    this.code = device.createShaderModule({ code: module.source });
    this.mostGroups = Math.min(65535, device.limits.maxComputeWorkgroupsPerDimension);
  }

  // Three arrays of `wanted` bytes, or half of them, and again, until they fit; answers with what they got.
  async allot(wanted, smallest) {
    const { device } = this;
    let size = wanted;
    while (size > Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize)) size /= 2;
    for (; size >= smallest; size /= 2) {
      device.pushErrorScope("validation");
      device.pushErrorScope("out-of-memory");
      let made = [];
      let thrown = false;
      try {
        for (const name of "abc") made.push(this.arrays[name] = device.createBuffer({ size, usage: this.usage }));
      } catch { thrown = true; }
      const errors = [await this.until(device.popErrorScope()), await this.until(device.popErrorScope())];
      if (!thrown && !errors.some(Boolean)) {
        for (const name of Object.keys(this.module.seeds)) await this.fill(name);
        return size;
      }
      for (const buffer of made) buffer.destroy();
    }
    throw new Stopped("memory", `3 x ${Math.max(smallest, 2 * size)} bytes`);
  }

  async fill(name) {
    const others = [..."abc"].filter((other) => other !== name).join("");
    const elements = this.arrays[name].size / this.module.vector_bytes;
    const most = (16 * MIB) / this.module.vector_bytes;
    for (let first = 0; first < elements; first += most) {
      const last = Math.min(first + most, elements);
      await this.run("fill", { groups: this.groups(last - first), bind: name + others, first, last, seed: this.module.seeds[name] });
    }
  }

  // Workgroups for so many vectors: never more than have something to do.
  groups(elements, most = 4096) {
    return Math.max(1, Math.min(most, this.mostGroups, Math.floor(elements / this.module.workgroup)));
  }

  async pipeline(entry) {
    this.pipelines[entry] ??= await this.until(this.device.createComputePipelineAsync({
      layout: this.device.createPipelineLayout({ bindGroupLayouts: [this.layout] }), compute: { module: this.code, entryPoint: entry },
    }));
    return this.pipelines[entry];
  }

  group(bind) {
    const buffers = [...[...bind].map((name) => this.arrays[name]), this.parameters, this.found];
    return this.bound[bind] ??= this.device.createBindGroup({ layout: this.layout, entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
  }

  setParameters(values) {
    const block = new DataView(new ArrayBuffer(4 * this.module.parameters.length));
    const given = { s: this.module.scalar, above: this.module.never, ...values };
    this.module.parameters.forEach((name, i) => {
      if (name === "s" || name === "above") block.setFloat32(4 * i, given[name], true); else block.setUint32(4 * i, given[name] ?? 0, true);
    });
    this.device.queue.writeBuffer(this.parameters, 0, block.buffer);
  }

  // Runs `entry` so often in one submission, the arrays of `bind` as its a, b and c: seconds by the wall, and by the device.
  async run(entry, { groups, repeats = 1, bind = "abc", ...values }) {
    const pipeline = await this.pipeline(entry);
    this.setParameters(values);
    const encoder = this.device.createCommandEncoder();
    const stamps = this.timestamps && { timestampWrites: { querySet: this.queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } };
    const pass = encoder.beginComputePass(stamps || {});
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, this.group(bind));
    for (let i = 0; i < repeats; i++) pass.dispatchWorkgroups(groups);
    pass.end();
    if (this.timestamps) encoder.resolveQuerySet(this.queries, 0, 2, this.ticks, 0);
    encoder.copyBufferToBuffer(this.timestamps ? this.ticks : this.found, 0, this.answer, 0, 16);
    const commands = encoder.finish();
    const start = performance.now();
    this.device.queue.submit([commands]);
    await this.until(this.answer.mapAsync(GPUMapMode.READ));
    const wall = Math.max(1e-9, (performance.now() - start) / 1000);
    const [begin, end] = new BigUint64Array(this.answer.getMappedRange().slice(0));
    this.answer.unmap();
    return { wall, gpu: this.timestamps && end > begin ? Number(end - begin) * 1e-9 : null };
  }

  // The time of a run, by the device where its timestamps are trusted.
  async seconds(entry, how) {
    const { wall, gpu } = await this.run(entry, how);
    return this.agreed && gpu !== null ? gpu : wall;
  }

  // Whether the device's timestamps are used: they must agree with the wall on runs that are long against its overhead.
  async trust(entry, how, [low, high]) {
    const shares = [];
    for (let i = 0; i < 3; i++) { const { wall, gpu } = await this.run(entry, how); shares.push(gpu === null ? 0 : gpu / wall); }
    const middle = shares.sort((a, b) => a - b)[1];
    this.agreed = middle > low && middle < high;
  }

  async read(buffer, offset) {
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, this.answer, 0, 4);
    this.device.queue.submit([encoder.finish()]);
    await this.until(this.answer.mapAsync(GPUMapMode.READ));
    const bytes = this.answer.getMappedRange().slice(0, 4);
    this.answer.unmap();
    return bytes;
  }

  async counted(place = 0) { return new Uint32Array(await this.read(this.found, 4 * place))[0]; }

  count(value, place = 0) { this.device.queue.writeBuffer(this.found, 4 * place, new Uint32Array([value])); }

  // Adds `amount` to the f32 at `place` of an array.
  async damage(name, place, amount) {
    const [before] = new Float32Array(await this.read(this.arrays[name], 4 * place));
    this.device.queue.writeBuffer(this.arrays[name], 4 * place, new Float32Array([before + amount]));
  }

  clear(name) {
    const encoder = this.device.createCommandEncoder();
    encoder.clearBuffer(this.arrays[name]);
    this.device.queue.submit([encoder.finish()]);
  }
}

// One pass of a kernel over the arrays: in slices that end in time, or repeated in one submission.
function* spans(way) {
  const size = Math.ceil(way.elements / way.slices);
  for (let first = 0; first < way.elements; first += size) yield { first, last: Math.min(first + size, way.elements) };
}

async function timed(gpu, way) {
  let total = 0;
  for (const span of spans(way)) total += await gpu.seconds(way.entry, { groups: gpu.groups(span.last - span.first, way.groups), repeats: way.repeats, ...span });
  return total / way.repeats;
}

// A pass whose dispatches last half of the longest allowed, repeated to fill a sample. Starts small: nothing is known of the device yet.
async function planned(gpu, entry, elements, groups, { dispatch_s, sample_s }) {
  const once = (part) => gpu.seconds(entry, { groups: gpu.groups(part, groups), last: part });
  let part = Math.min(elements, MIB / gpu.module.vector_bytes);
  await gpu.run(entry, { groups: 1, last: 1 }); // compiles
  let seconds = await once(part);
  while (seconds < dispatch_s / 16 && part < elements) { part = Math.min(elements, 4 * part); seconds = await once(part); }
  const slices = Math.ceil(((seconds * elements) / part) / (dispatch_s / 2));
  const way = { entry, elements, slices, groups, repeats: 1 };
  for (let i = 0; i < 2 && slices === 1; i++) { // twice: the first count stands on a time that is mostly overhead
    way.repeats = Math.max(1, Math.min(4096, Math.round(sample_s / await timed(gpu, way))));
  }
  return way;
}

// Whether one pass gives the closed form everywhere, and the check catches one damaged value (the negative control).
async function stands(gpu, kernel, way) {
  const middle = Math.floor((way.elements * 2) / 3);
  const wrong = async (damaged) => {
    gpu.count(0);
    for (const span of spans(way)) {
      const how = { groups: gpu.groups(span.last - span.first, way.groups), ...span };
      await gpu.run(way.entry, { ...how, above: -1 });
      if (damaged && span.first <= middle && middle < span.last) await gpu.damage("a", 4 * middle + 1, gpu.module.damage);
      await gpu.run(`check_${kernel.name}`, how);
    }
    return gpu.counted();
  };
  gpu.clear("a");
  if (await wrong(false)) return false;
  if (!kernel.reduces) return (await wrong(true)) === 1;
  await gpu.damage("b", 4 * middle + 1, gpu.module.read_damage);
  const caught = (await wrong(false)) === 1;
  await gpu.fill("b");
  return caught;
}

// Best without the first, beside the median, the distance of the quartiles and their number; what is not valid has no figure.
function measured(seconds, bytes, valid) {
  if (!valid) return { best_bytes_per_s: null, median_bytes_per_s: null, iqr: null, samples: 0, valid };
  const rates = seconds.slice(1).map((each) => bytes / each).sort((a, b) => a - b);
  const quantile = (share) => {
    const at = share * (rates.length - 1), below = Math.floor(at);
    return rates[below] + (at - below) * ((rates[below + 1] ?? rates[below]) - rates[below]);
  };
  return { best_bytes_per_s: rates.at(-1), median_bytes_per_s: quantile(0.5), iqr: quantile(0.75) - quantile(0.25), samples: rates.length, valid };
}

async function kernels(gpu, size, options, until, tell) {
  const { module } = gpu;
  const elements = size / module.vector_bytes;
  const left = () => until - performance.now();
  const first = await planned(gpu, "kernel_copy", elements, 4096, options);
  const [span] = spans(first);
  await gpu.trust(first.entry, { groups: gpu.groups(span.last - span.first), repeats: first.repeats, ...span }, options.timers_agree);
  let best = { seconds: Infinity };
  for (const groups of module.groups.filter((each) => each <= Math.min(gpu.mostGroups, Math.max(module.groups[0], elements / module.workgroup)))) {
    const way = { ...first, groups };
    const seconds = least([await timed(gpu, way), await timed(gpu, way)]);
    if (seconds < best.seconds) best = { seconds, groups };
  }
  const ways = {};
  for (const { name } of module.kernels) { tell(name); ways[name] = await planned(gpu, `kernel_${name}`, elements, best.groups, options); }
  const warm = performance.now() + Math.min(options.warm_up_s * 1000, Math.max(0, left() / 4));
  while (performance.now() < warm) await timed(gpu, ways.copy);
  const seconds = Object.fromEntries(module.kernels.map(({ name }) => [name, []]));
  for (let round = 0; round < options.least_rounds || left() > 0; round++) {
    for (const { name } of module.kernels) { tell(name); seconds[name].push(await timed(gpu, ways[name])); }
  }
  const found = {};
  for (const kernel of module.kernels) {
    tell("check");
    found[kernel.name] = measured(seconds[kernel.name], kernel.words * size, await stands(gpu, kernel, ways[kernel.name]));
  }
  return found;
}

// Workgroups of the walk that the device runs at once. WebGPU does not tell: a crowd of them counts itself.
async function resident(gpu, { crowd_s, dispatch_s }) {
  const { module } = gpu;
  const blocks = gpu.arrays.b.size / (module.workgroup * module.vector_bytes);
  const groups = Math.min(module.crowd, gpu.mostGroups, Math.max(1, Math.floor(blocks / 2)));
  const how = { groups, mask: blocks - 1, step: groups };
  await gpu.run("walk", { ...how, loops: 1 }); // compiles
  gpu.count(0, 3);
  let most = 1;
  for (let loops = 1; loops <= module.longest_loop; loops *= 2) {
    gpu.count(0, 2);
    const seconds = await gpu.seconds("walk", { ...how, loops });
    most = Math.max(1, Math.min(await gpu.counted(3), groups));
    if (seconds > dispatch_s / 4 || (seconds * most) / groups > crowd_s) break;
  }
  return most;
}

// A walk in which so many workgroups read a working set once.
function walking(gpu, bytes, walkers) {
  const blocks = bytes / (gpu.module.workgroup * gpu.module.vector_bytes);
  return { groups: walkers, mask: blocks - 1, step: walkers, loops: Math.ceil(blocks / walkers) };
}

// Whether that reads all of the set: the sums are those of the closed form, and one damaged value is seen by the workgroups that come by it.
async function covers(gpu, bytes, walkers) {
  const { module } = gpu;
  const way = walking(gpu, bytes, walkers);
  const blocks = way.mask + 1, middle = Math.floor((blocks * 2) / 3);
  const wrong = async () => {
    gpu.count(0);
    gpu.clear("a");
    await gpu.run("walk", { ...way, above: -1 });
    await gpu.run("check_walk", way);
    return gpu.counted();
  };
  if (await wrong()) return false;
  await gpu.damage("b", (middle * bytes) / blocks / 4 + 1, Math.max(module.read_damage, 4 * module.tolerance * way.loops));
  const seen = new Set();
  for (let place = middle; place < walkers * way.loops; place += blocks) seen.add(place % walkers);
  const caught = (await wrong()) === seen.size;
  await gpu.fill("b");
  return caught;
}

// The rate at which the whole GPU reads working sets in octaves from 16 KiB: best of the rounds that fit, of two at least.
// All workgroups run at once, or a set would be as small as those that do; their number is odd, or each of them would come to the same few blocks again.
async function staircase(gpu, size, rate, options, until) {
  const { dispatch_s, sample_s, smallest_step_bytes } = options;
  const { module } = gpu;
  const walkers = ((await resident(gpu, options)) - 1) | 1;
  const turn = walkers * module.workgroup * module.vector_bytes;
  const ways = [];
  for (let bytes = smallest_step_bytes; bytes <= size; bytes *= 2) {
    const way = { bytes, best: Infinity, ...walking(gpu, bytes, walkers) };
    const rounds = way.loops;
    if ((rounds * turn) / rate > dispatch_s || rounds > module.longest_loop) continue;
    for (let i = 0; i < 2; i++) {
      const once = (await gpu.seconds("walk", way)) / way.loops;
      way.loops = rounds * Math.max(1, Math.min(Math.floor(module.longest_loop / rounds), Math.round(sample_s / 2 / once / rounds)));
    }
    ways.push(way);
  }
  if (ways.length && !(await covers(gpu, ways.at(-1).bytes, walkers))) throw new Stopped("invalid", `walk over ${ways.at(-1).bytes} bytes`);
  for (let round = 0; ways.length && (round < 2 || performance.now() < until); round++) {
    for (const way of ways) way.best = Math.min(way.best, (await gpu.seconds("walk", way)) / way.loops);
  }
  return ways.map(({ bytes, best }) => ({ bytes, bytes_per_s: turn / best }));
}

// A closed chain through every line of `bytes`: element i holds the index of the one to load next; and the indices in that order.
function ring(bytes, line_bytes) {
  const visited = new Uint32Array(bytes / line_bytes).map((_, i) => i * (line_bytes / 4));
  for (let i = visited.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [visited[i], visited[j]] = [visited[j], visited[i]];
  }
  const links = new Uint32Array(bytes / 4);
  visited.forEach((at, i) => { links[at] = visited[(i + 1) % visited.length]; });
  return { links, visited };
}

// The time of one dependent load of one invocation; null where a load takes longer than can be waited for.
// The difference of two lengths leaves out what a dispatch costs.
async function latency(gpu, bytes, { dispatch_s, sample_s, longest_chase, shortest_load_s }) {
  const { links, visited } = ring(bytes, gpu.module.line_bytes);
  gpu.device.queue.writeBuffer(gpu.arrays.c, 0, links);
  gpu.count(visited[0], 1);
  let done = 0;
  const seconds = (steps, repeats) => { done += steps * repeats; return gpu.seconds("chase", { groups: 1, bind: "acb", loops: steps, repeats }); };
  await seconds(1024, 1);
  const once = least([await seconds(1024, 1), await seconds(1024, 1)]);
  let steps = 1024;
  while (steps < longest_chase && once * (2 * steps / 1024) < dispatch_s / 4) steps *= 2;
  if (once * (2 * steps / 1024) > dispatch_s) return null;
  const repeats = Math.max(1, Math.min(1024, Math.round(sample_s / 2 / least([await seconds(steps, 1), await seconds(steps, 1)]))));
  const short = [], long = [];
  for (let i = 0; i < 3; i++) { short.push(await seconds(steps, repeats)); long.push(await seconds(2 * steps, repeats)); }
  if ((await gpu.counted(1)) !== visited[done % visited.length]) throw new Stopped("invalid", `chain over ${bytes} bytes`);
  const each = (least(long) - least(short)) / (steps * repeats);
  return each > shortest_load_s ? each : null;
}

async function latencies(gpu, size, options, until) {
  const found = [];
  for (let bytes = options.smallest_step_bytes; bytes <= Math.min(size, options.largest_chain_bytes); bytes *= 4) {
    if (found.length && performance.now() > until) return { found, cut: true };
    const seconds = await latency(gpu, bytes, options);
    if (seconds !== null) found.push({ bytes, seconds, order: "random" });
  }
  return { found, cut: false };
}

// The whole measurement. Answers with a record, whatever happens: what was not measured is a reason in it.
async function measure({ module, options, schema }, signal, tell) {
  const record = { schema, path: "browser", device: { name: "", kind: "gpu", backend: "WebGPU" }, flags: [], errors: [] };
  const start = performance.now();
  const stops = stopper(signal, options.limit_s);
  const { until } = stops;
  let asked;
  try {
    if (!isSecureContext) throw new Stopped("insecure", location.origin);
    if (!navigator.gpu) throw new Stopped("unsupported", "navigator.gpu");
    const adapter = await until(navigator.gpu.requestAdapter({ powerPreference: "high-performance" }));
    if (!adapter) throw new Stopped("no_adapter");
    record.device = described(adapter);
    const software = record.device.kind === "software";
    if (software && !options.allow_software) throw new Stopped("software", record.device.name);
    if (software) record.flags.push("software");
    // Browsers grant 128 MiB a binding and 256 MiB a buffer unless asked for more. A phone, or a machine that says it has little memory, is asked for less.
    const shy = navigator.userAgentData?.mobile || (navigator.maxTouchPoints > 1 && screen.width < 800) ? 64 * MIB : ((navigator.deviceMemory ?? 8) * 1024 * MIB) / 16;
    let wanted = options.array_bytes;
    while (wanted > shy) wanted /= 2;
    const limit = (name, floor) => Math.min(adapter.limits[name], Math.max(wanted, floor));
    asked = adapter.requestDevice({
      requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
      requiredLimits: { maxBufferSize: limit("maxBufferSize", 256 * MIB), maxStorageBufferBindingSize: limit("maxStorageBufferBindingSize", 128 * MIB) },
    });
    const gpu = new Gpu(await until(asked), module, stops);
    const budget = options.budget_s * 1000;
    let begun = performance.now();
    const share = () => Math.min(1, (performance.now() - begun) / budget);
    tell(0, "memory");
    const size = await gpu.allot(wanted, Math.min(wanted, options.smallest_array_bytes));
    Object.assign(record, { array_bytes: size, memory_limit_bytes: 3 * wanted });
    if (size < options.array_bytes) record.flags.push("halved");
    begun = performance.now();
    const found = await kernels(gpu, size, options, begun + 0.55 * budget, (part) => tell(Math.min(0.55, share()), part));
    record.kernels = found;
    record.runs = [{ engine: "wgsl", threads: null, array_bytes: size, kernels: found }];
    record.timer = gpu.agreed ? "timestamp-query" : "performance.now";
    if (gpu.timestamps && !gpu.agreed) record.flags.push("timer");
    for (const [name, { valid }] of Object.entries(found)) if (!valid) record.errors.push({ reason: "invalid", detail: name });
    const rate = found.read.best_bytes_per_s ?? found.copy.best_bytes_per_s;
    if (rate && options.sweep) {
      tell(0.55, "sweep");
      try {
        record.sweep = await staircase(gpu, size, rate, options, begun + 0.75 * budget);
      } catch (error) {
        if (error.reason !== "invalid") throw error;
        record.errors.push({ reason: error.reason, detail: plain(error.message), part: "sweep" });
      }
      tell(0.75, "latency");
      const chased = await latencies(gpu, size, options, begun + budget);
      record.latency = chased.found;
      if (chased.cut) record.flags.push("cut_short");
    }
  } catch (error) {
    // A device that is lost fails whatever is under way first, and says that it is lost a moment later.
    const late = error instanceof Stopped ? error : await until(new Promise((done) => setTimeout(done, 250))).then(() => error, (stopped) => stopped);
    record.errors.push({ reason: late.reason ?? "unsupported", detail: plain(late.message) });
  } finally {
    stops.off();
    asked?.then((device) => device.destroy(), () => {}); // with every buffer of it, and even if it comes too late
  }
  record.seconds = (performance.now() - start) / 1000;
  return record;
}

// ------------------------------------------------------------------------------------------------------------- on the page

const state = new WeakMap();

function node(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function idle(me, said = "") {
  const { texts } = me.data;
  me.running = null;
  me.root.replaceChildren(
    node("p", { className: "wallviz-probe-consent", textContent: texts.consent }),
    node("button", { type: "button", textContent: me.ran ? texts.again : texts.start, onclick: () => start(me) }),
    node("p", { role: "status", textContent: said }),
  );
}

async function start(me) {
  const { texts } = me.data;
  const running = me.running = new AbortController();
  const bar = node("progress", { max: 1, value: 0, ariaLabel: texts.progress });
  const part = node("p", { className: "wallviz-probe-part" }); // it changes several times a second: nothing to read aloud
  const cancel = node("button", { type: "button", textContent: texts.cancel, onclick: () => running.abort() });
  me.root.replaceChildren(node("div", { className: "wallviz-probe-running" }, bar, cancel), part);
  me.root.dataset.state = "running";
  cancel.focus();
  const record = await measure(me.data, running.signal, (share, name) => { bar.value = share; part.textContent = texts.parts[name] ?? name; });
  if (me.gone) return;
  const failed = !record.kernels && record.errors[0];
  me.ran = true;
  me.root.dataset.state = failed ? failed.reason : "done";
  idle(me, failed ? texts.reasons[failed.reason] : texts.done);
  me.root.querySelector("button").focus();
  me.tell("record", record);
}

export default function ({ data, parentElement, setStateValue }) {
  let me = state.get(parentElement);
  if (!me) {
    me = { root: parentElement.querySelector(".wallviz-probe") };
    state.set(parentElement, me);
  }
  const changed = me.texts !== JSON.stringify(data.texts);
  Object.assign(me, { data, tell: setStateValue, texts: JSON.stringify(data.texts) });
  if (!me.running && changed) { me.ran = false; delete me.root.dataset.state; idle(me); }
  return () => { me.gone = true; me.running?.abort(); state.delete(parentElement); };
}
