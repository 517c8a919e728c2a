// The charts of one host or server: the bar of ranges above, the cursor in step, and asking again as time goes on.

import { addressOf, readAddress, setParams } from "./address.js";
import { Chart } from "./chart.js";
import { button, element, link, text } from "./dom.js";
import { clock, day, duration } from "./format.js";
import { bandsOf, linesOf, wayOfAsking } from "./series.js";
import { RANGES, readRange } from "./time_range.js";

export class ChartsView {
  // `definitions`: charts with their lines (series.js); `up`: as bandsOf; `speaker`: "host" or "server".
  constructor(definitions, up, speaker, intervalMs) {
    Object.assign(this, { definitions, up, intervalMs });
    this.drawnMs = 0;
    this.marked = null;
    this.zooming = false;
    const group = {
      move: (at, markFrom = null) => this.move(at, markFrom),
      zoom: (fromMs, toMs) => this.zoom(fromMs, toMs),
      zoomToMark: () => this.zoomToMark(group),
      reset: () => this.reset(),
    };
    this.charts = definitions.map((definition) => new Chart(definition, group));
    this.ranges = element("nav", { class: "ranges", "aria-label": "Time shown" });
    this.about = text("p", "", "quiet about-range");
    this.key = element("p", { class: "key quiet" }, element("i", { class: "swatch silent" }),
      text("span", `${speaker} silent`), element("i", { class: "swatch off" }), text("span", "watcher off"));
    this.element = element(
      "section", { class: "charts" }, element("div", { class: "range-bar" }, this.ranges, this.about, this.key),
      element("div", { class: "grid" }, ...this.charts.map((chart) => chart.figure)));
  }

  end() {
    for (const chart of this.charts) chart.end();
  }

  move(at, markFrom) {
    if (at === null || markFrom === null) this.marked = null;
    else this.marked = { from: this.marked?.from ?? markFrom, to: at };
    for (const chart of this.charts) {
      chart.moveTo(at);
      if (this.marked) chart.mark(this.marked.from, this.marked.to);
    }
  }

  zoomToMark(group) {
    if (!this.marked) return;
    const [from, to] = [this.marked.from, this.marked.to].sort((a, b) => a - b);
    this.marked = null;
    group.zoom(this.charts[0].times[from] * 1000, this.charts[0].times[to] * 1000);
  }

  // A drag over one chart is told by all, as they are in step.
  zoom(fromMs, toMs) {
    if (this.zooming) return;
    this.zooming = true;
    setTimeout(() => { this.zooming = false; });
    setParams({ from: Math.round(fromMs), to: Math.round(toMs), range: null });
  }

  reset() {
    this.marked = null;
    setParams({ from: null, to: null });
  }

  // Asks again where a step has gone by since; `changed`: the address has.
  async update(changed) {
    const { page, name, params } = readAddress();
    const range = readRange(params, this.intervalMs);
    const way = wayOfAsking(range.stepMs, this.intervalMs);
    if (changed) this.drawnMs = 0;
    if (this.drawnMs !== 0 && (range.name === "" || range.toMs === this.drawnMs)) return;
    this.drawRanges(page, name, range, way);
    const [bands, ...lines] = await Promise.all([
      bandsOf(this.up, range, way), ...this.definitions.map((definition) => linesOf(definition, range, way)),
    ]);
    this.drawnMs = range.toMs;
    this.charts.forEach((chart, at) => chart.show(range, lines[at], bands));
    this.element.dataset.drawn = `${range.fromMs}-${range.toMs}`;
    this.element.dataset.bands = bands.map((band) => band.kind).join(" ");
  }

  drawRanges(page, name, range, way) {
    const links = [...RANGES.keys()].map((each) => {
      const node = link(addressOf(page, name, { range: each }), each);
      if (each === range.name) node.setAttribute("aria-current", "true");
      return node;
    });
    if (range.name === "") links.push(button("Zoom out", () => this.reset(), "plain"));
    this.ranges.replaceChildren(...links);
    const each = way.coarse ? `means of ${duration(range.stepMs / 1000)}` :
      `every ${duration(range.stepMs / 1000)}, and the mean of a minute`;
    const part = range.name === "" ? `${day(range.fromMs)} ${clock(range.fromMs)} to ${clock(range.toMs)}: ` : "";
    this.about.textContent = part + each;
  }
}
