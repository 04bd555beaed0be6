// Save the chart named in `data` as a picture, or copy the address of this view: in the browser alone, so that nothing reruns.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".wallviz-save");
  const button = (label, act) => {
    const node = document.createElement("button");
    node.type = "button"; node.textContent = label;
    node.onclick = async () => { await act(); node.textContent = data.done; setTimeout(() => { node.textContent = label; }, 1500); };
    return node;
  };
  const picture = (format) => async () => {
    const chart = window.wallvizCharts?.[data.name];
    if (!chart) return;
    const { root: plot, Plotly } = chart;
    const ground = getComputedStyle(document.querySelector(".stApp") ?? document.body).backgroundColor;
    const { layout, data: traces } = plot;
    const url = await Plotly.toImage({ data: traces, layout: { ...layout, paper_bgcolor: ground } }, { format, width: 1280, height: 720, scale: format === "png" ? 2 : 1 });
    const link = document.createElement("a");
    link.href = url; link.download = `${data.file}.${format}`; link.click();
  };
  const copy = (text) => async () => {
    try { await navigator.clipboard.writeText(text()); }
    catch { const box = document.createElement("textarea"); box.value = text(); document.body.appendChild(box); box.select(); document.execCommand("copy"); box.remove(); }
  };
  const embed = () => { const url = new URL(location.href); url.searchParams.set("embed", "true"); return url.href; };
  root.replaceChildren(
    button(data.png, picture("png")), button(data.svg, picture("svg")),
    button(data.link, copy(() => location.href)),
    button(data.embed, copy(() => `<iframe src="${embed()}" width="100%" height="620" style="border:0"></iframe>`)),
  );
}
