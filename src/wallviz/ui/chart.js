// One chart that updates in place: Plotly.react keeps the node, the zoom and the selection; theme and size come from the page.
// plotly.js is served by this very server from the plotly wheel; when it cannot be loaded, Python is told and falls back.
let loading;

function load(url) {
  loading ??= new Promise((done, failed) => {
    const before = window.Plotly;
    const script = document.createElement("script");
    script.src = new URL(url, document.baseURI).href;
    script.onload = () => { const mine = window.Plotly; if (before) window.Plotly = before; done(mine); };
    script.onerror = () => { loading = undefined; failed(new Error("plotly.js did not load")); };
    document.head.appendChild(script);
  });
  return loading;
}

// Sizes that depend on the reader's screen, not on the data: a phone, a laptop, a projector. To an audience a letter is a fortieth of the
// screen's height and the figure 85 % of it; everything that is measured in pixels grows with the letters.
const LETTER = 14;

function fit(figure, width, present) {
  const { layout } = figure;
  const size = present ? innerHeight / 40 : innerWidth >= 1700 ? 17 : width >= 720 ? LETTER : width >= 480 ? 12.5 : 11.5;
  layout.font = { ...layout.font, size };
  layout.hoverlabel = { ...layout.hoverlabel, font: { ...(layout.hoverlabel?.font ?? {}), size } };
  const narrow = width < 480 * Math.max(1, size / LETTER);
  if (narrow && layout.meta?.narrow) for (const [path, value] of Object.entries(layout.meta.narrow)) set(layout, path, value);
  else if (width < 640 * Math.max(1, size / LETTER) && layout.meta?.narrow?.["xaxis.title.text"]) for (const path of ["xaxis.title.text", "margin.b"]) set(layout, path, layout.meta.narrow[path]); // a column of the story
  if (size > LETTER) grow(figure, size / LETTER);
  // The figure leaves room for its takeaway above and its controls below, on a laptop, on a projector and embedded.
  const pressed = layout.height * (layout.meta?.least ?? 0) * (size / LETTER); // rows of words need their height, as their type does
  layout.height = Math.round(present ? innerHeight * 0.85 : narrow ? Math.min(layout.height, Math.max(400, pressed))
    : Math.min(layout.height * 1.3, Math.max(layout.height * (layout.meta?.least ?? 0.72), layout.height * innerHeight / 900)));
}

const PIXELS = new Set(["size", "xshift", "yshift", "standoff", "thickness", "ticklen", "xgap", "ygap"]); // in data units: width of bars, x, y
const LINES = new Set(["line", "error_x", "error_y"]);

function grow(node, by, inside = "") {
  for (const [key, value] of Object.entries(node)) {
    if (key === "customdata" || key === "meta" || (inside === "layout" && (key === "font" || key === "hoverlabel"))) continue;
    if (typeof value === "number") {
      if (inside.endsWith("font")) node[key] = Math.max(value, LETTER) * by; // what is smaller than the rest on a laptop is not to an audience
      else if (PIXELS.has(key) || inside === "margin" || (key === "width" && LINES.has(inside))) node[key] = value * by;
    } else if (Array.isArray(value)) {
      if (key === "size") node[key] = value.map((one) => one * by);
      else if (typeof value[0] === "object") value.forEach((one) => one && grow(one, by, key));
    } else if (value && typeof value === "object") grow(value, by, key);
  }
}

// Labels at line ends keep their distance in pixels, which only the browser knows: each is moved by the least that frees it.
function spread(layout) {
  const labels = (layout.annotations ?? []).filter((label) => label.name === "end").sort((a, b) => b.y - a.y);
  if (!labels.length) return;
  const [low, high] = layout.yaxis.range;
  const [bottom, top] = layout.yaxis?.domain ?? [0, 1];  // a second figure may stand below
  const height = (layout.height - layout.margin.t - layout.margin.b) * (top - bottom);
  const line = layout.font.size * 1.3;
  const boxes = labels.map((label) => ({ at: ((high - label.y) / (high - low)) * height, half: (label.text.split("<br>").length * line) / 2 }));
  const wanted = boxes.map((box) => box.at);
  for (let pass = 0; pass < 80; pass++) {
    for (let i = 1; i < boxes.length; i++) {
      const overlap = boxes[i - 1].half + boxes[i].half + 2 - (boxes[i].at - boxes[i - 1].at);
      if (overlap > 0.1) { boxes[i - 1].at -= overlap / 2; boxes[i].at += overlap / 2; }
    }
    for (const box of boxes) box.at = Math.min(Math.max(box.at, box.half - layout.margin.t + 4), height + layout.margin.b - box.half - 4);
  }
  labels.forEach((label, i) => { label.yshift = wanted[i] - boxes[i].at; });
}

function set(object, path, value) {
  const keys = path.split(".");
  for (const key of keys.slice(0, -1)) object = object[key] ??= {};
  object[keys.at(-1)] = value;
}

// Point labels never overlap: the first drawn has priority, the ones that would touch an earlier one, a line's label or the edge are hidden.
function declutter(root) {
  const box = root.querySelector(".plot-container")?.getBoundingClientRect();
  if (!box) return;
  const kept = [...root.querySelectorAll(".annotation text, .ytick text, .xtick text")].map((node) => node.getBoundingClientRect());
  const names = [...root.querySelectorAll(".textpoint text")];
  const places = names.map((name) => name.getBoundingClientRect()); // all reads before the first write: one layout, not one a name
  names.forEach((name, i) => {
    const mine = places[i];
    const outside = mine.left < box.left || mine.right > box.right || mine.top < box.top || mine.bottom > box.bottom;
    const hit = kept.some((other) => mine.left < other.right + 3 && other.left < mine.right + 3 && mine.top < other.bottom && other.top < mine.bottom);
    name.style.visibility = outside || hit ? "hidden" : "visible";
    if (!outside && !hit) kept.push(mine);
  });
}

// Once a frame, right before it is painted: the browser lays the page out then anyway, so reading places costs nothing extra.
function settle(me) {
  cancelAnimationFrame(me.settling);
  me.settling = requestAnimationFrame(() => declutter(me.root));
}

const state = new WeakMap();

function draw(me) {
  const { root, Plotly } = me;
  if (!Plotly || !root.isConnected || !root.clientWidth) return;
  const figure = JSON.parse(me.spec);
  const css = getComputedStyle(root);
  const read = (name, otherwise) => css.getPropertyValue(name).trim() || otherwise;
  const ink = read("--st-text-color", css.color);
  figure.layout.font = { ...figure.layout.font, color: ink, family: read("--st-font", "sans-serif") };
  figure.layout.hoverlabel = { ...figure.layout.hoverlabel, bgcolor: read("--st-secondary-background-color", "#fff"), bordercolor: ink, font: { color: ink } };
  figure.layout.paper_bgcolor = figure.layout.plot_bgcolor = "rgba(0,0,0,0)";
  fit(figure, root.clientWidth, me.present);
  spread(figure.layout);
  root.style.minHeight = figure.layout.height + "px";
  figure.layout.width = root.clientWidth; // known here: plotly need not measure the page
  me.drawing = Plotly.react(root, figure.data, figure.layout, {
    displaylogo: false, responsive: false, doubleClick: "reset", scrollZoom: false,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d"]],
  }).then(() => {
    root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
    if (me.listening) return;
    me.listening = true;
    settle(me);
    root.on("plotly_afterplot", () => settle(me));
    root.on("plotly_click", (event) => {
      const id = event.points[0]?.customdata?.[0];
      if (me.clickable && id) me.tell("clicked", id);
    });
  });
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".wallviz-chart");
  let me = state.get(parentElement);
  if (!me) {
    me = { root, width: root.clientWidth };
    state.set(parentElement, me);
    me.observer = new ResizeObserver(() => {
      if (root.clientWidth && root.clientWidth !== me.width) { me.width = root.clientWidth; draw(me); }
    });
    me.observer.observe(root);
    me.shrunk = matchMedia("(min-width: 1700px)");
    me.shrunk.onchange = () => draw(me);
    me.resized = () => { if (me.present) draw(me); };
    addEventListener("resize", me.resized);
  }
  Object.assign(me, { root, spec: data.spec, clickable: data.clickable, present: data.present, tell: setTriggerValue });
  root.setAttribute("aria-label", data.alt);
  root.dataset.chart = data.name;
  data.present ? (root.dataset.present = "") : delete root.dataset.present;
  root.style.minHeight = root.style.minHeight || data.height + "px";
  load(data.plotly).then(
    (Plotly) => { me.Plotly = Plotly; (window.wallvizCharts ??= {})[data.name] = { root, Plotly }; draw(me); },
    () => setStateValue("failed", true),
  );
  return () => { me.observer.disconnect(); me.shrunk.onchange = null; removeEventListener("resize", me.resized); me.Plotly?.purge(root); state.delete(parentElement); };
}
