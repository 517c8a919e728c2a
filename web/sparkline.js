// A small line without axes: how the last hour went.

import { element } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 132;
const HEIGHT = 26;

function pathOf(points, top) {
  const x = (at) => (1 + (at / (points.length - 1)) * (WIDTH - 2)).toFixed(1);
  const y = (value) => (HEIGHT - 2 - (Math.min(value, top) / top) * (HEIGHT - 4)).toFixed(1);
  let path = "";
  points.forEach((value, at) => {
    if (value === null) return;
    const begins = at === 0 || points[at - 1] === null;
    const alone = begins && (points[at + 1] ?? null) === null;
    path += `${begins ? "M" : "L"}${x(at)} ${y(value)}${alone ? "h0.01" : ""}`;
  });
  return path;
}

// `points`: null where nothing was measured; undefined makes an empty one. `least`: what the height stands for at least.
export function sparkline(points, label, format, least) {
  const values = (points ?? []).filter((value) => value !== null);
  const words = values.length === 0 ? "nothing was measured" :
    `${format(Math.min(...values))} to ${format(Math.max(...values))}`;
  const frame = element("span", { class: "spark", role: "img", "aria-label": `${label} in the last hour: ${words}` });
  frame.title = frame.getAttribute("aria-label");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("aria-hidden", "true");
  if (values.length > 0) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", pathOf(points, Math.max(least, ...values)));
    svg.append(path);
  }
  frame.append(svg);
  return frame;
}
