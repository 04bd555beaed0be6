// The path's line of progress, and its keys: the neighbours are links of the page, which these keys press.
const BUSY = "input, textarea, select, [contenteditable=true], [role=slider], [role=radiogroup], [role=tablist], [role=listbox], [role=menu], [role=dialog], .js-plotly-plot";
const me = (window.wallvizPath ??= {});

function press(name) {
  document.querySelector(`.st-key-path_${name} a`)?.click();
}

// A step that asks is shown before it is left: a clicker has one key.
const asking = () => document.querySelector("[class*='st-key-story_'][class*=_skip] button");
// After the last step stands what one can say now: it is read before one goes on.
const unread = () => { const end = document.querySelector(".st-key-story_closing"); return end && end.getBoundingClientRect().bottom > innerHeight ? end : undefined; };
const onward = () => { const end = asking() ? undefined : unread(); end ? end.scrollIntoView({ block: "center" }) : (asking() ?? document.querySelector(".st-key-path_next a"))?.click(); };

// Page Down reads on to the end of a page before it turns to the next one; on a projector it always turns.
function turn(name) {
  const main = document.querySelector("[data-testid=stMain]");
  const rest = name === "next" ? main.scrollHeight - main.clientHeight - main.scrollTop : main.scrollTop;
  if (name === "next" && (asking() || unread())) onward();
  else if (!me.present() && rest > 8) main.scrollBy({ top: (name === "next" ? 0.85 : -0.85) * main.clientHeight });
  else press(name);
}

me.present = () => new URL(location.href).searchParams.get("present") === "true";

function show(present) {
  const url = new URL(location.href);
  present ? url.searchParams.set("present", "true") : url.searchParams.set("present", "false");
  location.assign(url);
}

// The lecturer's window: one that stays open and follows; what it shows is set as text, never as markup.
function notes(open) {
  if (open) me.window = window.open("", "wallviz-notes", "width=560,height=640");
  const other = me.window;
  if (!other || other.closed) return;
  const page = other.document;
  page.documentElement.lang = document.documentElement.lang;
  page.title = "wallviz";
  const add = (tag, text) => { const node = page.createElement(tag); node.textContent = text; return node; };
  page.body.replaceChildren(...(me.data.notes ? [add("h1", me.data.notes.title), ...me.data.notes.parts.flatMap(([head, text]) => [add("h2", head), add("p", text)])] : [add("p", me.data.none)]));
  page.body.style = "font: 20px/1.45 sans-serif; margin: 24px; max-width: 60ch; color-scheme: light dark";
}

me.keyed ??= (document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const busy = event.target.closest?.(BUSY);
  const act = { PageDown: () => turn("next"), PageUp: () => turn("previous") }[event.key]
    ?? (busy ? undefined : { ArrowRight: onward, ArrowLeft: () => press("previous"), p: () => show(!me.present()), Escape: me.present() ? () => show(false) : undefined, n: () => notes(true) }[event.key]);
  const guess = !busy && document.querySelectorAll(".st-key-story_guess button")[Number(event.key) - 1];
  if (guess) { guess.click(); return; }
  if (!act || (busy && busy.matches("textarea, [role=dialog], [role=listbox], [role=menu]"))) return;
  event.preventDefault();
  act();
}), true);

// Streamlit adds a page to the history, but replaces the address of a link within one: a step of the story is a place to come back to.
me.placed ??= (document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".st-key-path a");
  if (link && new URL(link.href).pathname === location.pathname) history.pushState(history.state, "", location.href);
}, true), true);

export default function ({ data, parentElement }) {
  me.data = data;
  const line = parentElement.querySelector(".wallviz-path");
  line.setAttribute("role", "progressbar"); // with its name, at once
  line.setAttribute("aria-label", data.label);
  for (const [name, value] of [["min", 0], ["max", 100], ["now", Math.round(data.share * 100)]]) line.setAttribute(`aria-value${name}`, value);
  line.firstElementChild.style.width = `${data.share * 100}%`;
  notes(false);
  const bar = document.querySelector("[data-testid=stLayoutWrapper]:has(> .st-key-path)");
  if (bar) bar.style.background = getComputedStyle(document.querySelector(".stApp")).backgroundColor; // what scrolls under it is not seen through it
}
