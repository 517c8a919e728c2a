// One line over time as SVG: gaps stay gaps, the time in which the watcher was off is a band, and the same figures are
// there as a table. Drawn anew for each width, so that text keeps its size.

import { clock, percent } from "/format.js";
import { element, text } from "/tables.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 190;
const MARGIN = { top: 10, right: 10, bottom: 24, left: 46 };
const CEILINGS = [1, 2, 5, 10, 20, 50, 100];

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}

// The points as one path: a step without a value lifts the pen; a lone value is a dot.
function linePath(points, x, y) {
  let path = "";
  let down = false;
  points.forEach((point, at) => {
    if (point.value === null) {
      down = false;
      return;
    }
    const place = `${x(point.ms).toFixed(1)} ${y(point.value).toFixed(1)}`;
    const next = points[at + 1];
    if (!down && (next === undefined || next.value === null)) path += `M${place}h0.01`;
    else path += `${down ? "L" : "M"}${place}`;
    down = true;
  });
  return path;
}

export class Chart {
  constructor(parent, title, note) {
    this.title = title;
    this.data = { fromMs: 0, toMs: 1, points: [], offBands: [] };
    this.cursor = null;
    this.readout = text("output", "", "readout");
    this.frame = element("div", { class: "plot", tabindex: "0", role: "img" });
    this.tableBox = element("div", { class: "scroll", tabindex: "0" });
    this.details = element("details", {}, text("summary", "As a table"), this.tableBox);
    const head = element("div", { class: "chart-head" }, text("h3", title), this.readout);
    this.legend = text("span", " Grey: the watcher was off.");
    const caption = text("figcaption", note);
    caption.append(this.legend);
    parent.append(element("figure", {}, head, this.frame, caption, this.details));
    this.frame.addEventListener("pointermove", (event) => this.pointAt(event));
    this.frame.addEventListener("pointerleave", () => this.moveTo(null));
    this.frame.addEventListener("blur", () => this.moveTo(null));
    this.frame.addEventListener("keydown", (event) => this.key(event));
    this.details.addEventListener("toggle", () => this.drawTable());
    new ResizeObserver(() => this.draw()).observe(this.frame);
  }

  show(data) {
    this.data = data;
    this.legend.hidden = data.offBands.length === 0;
    this.draw();
    this.drawTable();
  }

  draw() {
    const width = Math.max(240, this.frame.clientWidth);
    const { fromMs, toMs, points, offBands } = this.data;
    const values = points.filter((point) => point.value !== null).map((point) => point.value);
    const top = CEILINGS.find((ceiling) => ceiling >= Math.max(0, ...values)) ?? 100;
    this.x = (ms) => MARGIN.left + ((ms - fromMs) / (toMs - fromMs)) * (width - MARGIN.left - MARGIN.right);
    this.y = (value) => HEIGHT - MARGIN.bottom - (value / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    const svg = shape("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
    this.drawBands(svg, offBands);
    this.drawAxes(svg, width, top);
    svg.append(shape("path", { class: "line", d: linePath(points, this.x, this.y) }));
    this.mark = shape("g", { class: "cursor", visibility: "hidden" });
    this.markLine = shape("line", { y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom });
    this.markDot = shape("circle", { r: 3.5 });
    this.mark.append(this.markLine, this.markDot);
    svg.append(this.mark);
    this.frame.replaceChildren(svg);
    this.frame.setAttribute("aria-label", this.summary(values));
    this.moveTo(this.cursor);
  }

  drawBands(svg, bands) {
    for (const band of bands) {
      const left = this.x(band.fromMs);
      const width = this.x(band.toMs) - left;
      const attributes = { class: "off", x: left, width: Math.max(1, width), y: MARGIN.top };
      svg.append(shape("rect", { ...attributes, height: HEIGHT - MARGIN.top - MARGIN.bottom }));
      if (width < 80) continue;
      const label = shape("text", { class: "off-label", x: left + width / 2, y: MARGIN.top + 16 });
      label.textContent = "watcher off";
      svg.append(label);
    }
  }

  drawAxes(svg, width, top) {
    for (const share of [0, 0.5, 1]) {
      const at = this.y(top * share);
      svg.append(shape("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
      const label = shape("text", { class: "axis", x: MARGIN.left - 6, y: at + 4, "text-anchor": "end" });
      label.textContent = percent(top * share, top === 1 ? 1 : 0);
      svg.append(label);
    }
    const everyMs = (width < 500 ? 20 : 10) * 60000;
    for (let ms = Math.ceil(this.data.fromMs / everyMs) * everyMs; ms <= this.data.toMs; ms += everyMs) {
      const at = this.x(ms);
      svg.append(shape("line", { class: "tick", x1: at, x2: at, y1: HEIGHT - MARGIN.bottom, y2: HEIGHT - MARGIN.bottom + 4 }));
      const anchor = at > width - 30 ? "end" : at < MARGIN.left + 15 ? "start" : "middle";
      const label = shape("text", { class: "axis", x: at, y: HEIGHT - 6, "text-anchor": anchor });
      label.textContent = clock(ms, false);
      svg.append(label);
    }
  }

  summary(values) {
    const keys = "Left and right arrow keys read single values.";
    if (values.length === 0) return `${this.title}: nothing was measured in the last hour.`;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return `${this.title}: from ${percent(Math.min(...values), 1)} to ${percent(Math.max(...values), 1)}, ` +
      `mean ${percent(mean, 1)}. ${keys}`;
  }

  pointAt(event) {
    if (!this.x || this.data.points.length === 0) return;
    const left = this.frame.getBoundingClientRect().left;
    const from = this.x(this.data.fromMs);
    const share = (event.clientX - left - from) / (this.x(this.data.toMs) - from);
    const at = Math.round(share * (this.data.points.length - 1));
    this.moveTo(at >= 0 && at < this.data.points.length ? at : null);
  }

  key(event) {
    const last = this.data.points.length - 1;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -60, PageDown: 60, Home: -Infinity, End: Infinity };
    if (last < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const from = this.cursor ?? last;
    this.moveTo(Math.min(last, Math.max(0, from + steps[event.key])));
  }

  moveTo(at) {
    this.cursor = at;
    const point = at === null ? undefined : this.data.points[at];
    this.mark?.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) {
      const last = this.data.points.findLast((candidate) => candidate.value !== null);
      this.readout.textContent = last ? percent(last.value, 1) : "";
      return;
    }
    for (const end of ["x1", "x2"]) this.markLine.setAttribute(end, this.x(point.ms));
    this.markDot.setAttribute("visibility", point.value === null ? "hidden" : "inherit");
    this.markDot.setAttribute("cx", this.x(point.ms));
    this.markDot.setAttribute("cy", this.y(point.value ?? 0));
    this.readout.textContent = `${clock(point.ms)}  ${point.value === null ? "not measured" : percent(point.value, 1)}`;
  }

  drawTable() {
    if (!this.details.open) return;
    const body = element("tbody");
    for (const point of [...this.data.points].reverse()) {
      const off = this.data.offBands.some((band) => point.ms >= band.fromMs && point.ms < band.toMs);
      const value = point.value !== null ? percent(point.value, 2) : off ? "watcher off" : "not measured";
      const figure = text("td", value, "numeric");
      body.append(element("tr", {}, text("td", clock(point.ms)), figure));
    }
    const head = element("tr", {}, text("th", "Time"), text("th", "CPU in use", "numeric"));
    this.tableBox.replaceChildren(
      element("table", {}, text("caption", this.title, "hidden"), element("thead", {}, head), body));
  }
}
