// Say the language of the page, and mirror the view in the address bar without a step in the history: "back" leaves the page, as readers expect.
export default function ({ data }) {
  document.documentElement.lang = data.lang; // screen readers speak the language of the page
  const url = new URL(location.href);
  if (!url.pathname.endsWith(data.path) && !(data.home && url.pathname.endsWith("/"))) return; // the reader has gone to another page
  const kept = [...url.searchParams].filter(([name]) => name === "embed" || name === "embed_options");
  url.search = new URLSearchParams([...kept, ...Object.entries(data.query)]).toString();
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}
