// One chart: uPlot's canvas, with bands for the times that nothing is known of, what the cursor is at, keys to move it
// and to zoom, and the same figures as a table.

import uPlot from "./uPlot.esm.js";
import { clock, day } from "./format.js";
import { element, text } from "./dom.js";

const HEIGHT_PX = 168;
const AXIS_PX = 62;
const HOUR_MS = 3600000;
const MIN_DRAG_PX = 6;
const BAND_WORDS = { off: "watcher off", silent: "silent" };
const KEY_STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -60, PageDown: 60, Home: -Infinity, End: Infinity };

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// 1, 2 or 5 times a power of the base (10, or 1024 and 2 for bytes) that is at least `value`.
function ceilingOf(value, binary) {
  if (value <= 0) return 1;
  if (binary) return 2 ** Math.ceil(Math.log2(value));
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= value * 0.999);
}

const BINARY_STEPS = Array.from({ length: 50 }, (_, at) => 2 ** at);

function timeLabel(ms, spanMs) {
  if (spanMs <= 36 * HOUR_MS) return clock(ms, spanMs <= HOUR_MS / 3);
  const date = day(ms);
  if (spanMs > 200 * 24 * HOUR_MS) return date.slice(0, 7);
  return date.slice(5);
}

export class Chart {
  // `definition`: { title, format, binary?, ceiling?, signed? }; `group`: { move(at), select(from, to), zoom(fromMs, toMs), reset() },
  // to which every chart beside this one belongs.
  constructor(definition, group) {
    this.definition = definition;
    this.group = group;
    this.range = null;
    this.lines = [];
    this.bands = [];
    this.shape = "";
    this.plot = null;
    this.at = null;
    this.legend = element("div", { class: "legend" });
    this.time = text("output", "", "time");
    this.frame = element("div", { class: "plot", tabindex: "0", role: "img" });
    this.empty = text("p", "Nothing was measured in this time.", "nothing over");
    this.empty.hidden = true;
    this.tableBox = element("div", { class: "scroll", tabindex: "0" });
    this.details = element("details", {}, text("summary", "As a table"), this.tableBox);
    this.figure = element(
      "figure", {}, element("div", { class: "chart-head" }, text("h3", definition.title), this.time), this.legend,
      element("div", { class: "stage" }, this.frame, this.empty), this.details);
    this.frame.addEventListener("keydown", (event) => this.key(event));
    this.frame.addEventListener("blur", () => this.group.move(null));
    this.details.addEventListener("toggle", () => this.drawTable());
    this.resize = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.resize.observe(this.frame);
  }

  end() {
    this.resize.disconnect();
    this.plot?.destroy();
  }

  size() {
    return { width: Math.max(200, this.frame.clientWidth), height: HEIGHT_PX };
  }

  show(range, lines, bands) {
    Object.assign(this, { range, lines, bands });
    this.times = lines[0]?.points.map((_, at) => (range.fromMs + at * range.stepMs) / 1000) ??
      [range.fromMs / 1000, range.toMs / 1000];
    const shape = JSON.stringify(lines.map((line) => [line.label, line.mean]));
    const data = [this.times, ...lines.map((line) => line.points)];
    if (this.plot && shape === this.shape) {
      this.plot.setData(data, false);
      this.plot.setScale("x", { min: this.times[0], max: this.times.at(-1) });
    } else {
      this.plot?.destroy();
      this.shape = shape;
      this.plot = new uPlot(this.options(), data, this.frame);
    }
    this.empty.hidden = lines.some((line) => line.points.some((value) => value !== null));
    this.frame.setAttribute("aria-label", this.summary());
    this.drawLegend();
    this.drawTable();
  }

  options() {
    const axis = { stroke: () => css("--quiet"), font: "11px system-ui, sans-serif", ticks: { show: false } };
    const { format, binary } = this.definition;
    return {
      ...this.size(),
      padding: [8, 10, 0, 0],
      legend: { show: false },
      scales: { x: { time: true, range: (_, min, max) => [min, max] }, y: { range: (_, min, max) => this.reach(min, max) } },
      axes: [
        { ...axis, size: 26, gap: 4, space: 64, grid: { show: false },
          values: (_, splits) => splits.map((s) => timeLabel(s * 1000, this.range.toMs - this.range.fromMs)) },
        { ...axis, size: AXIS_PX, gap: 6, space: 36, grid: { stroke: () => css("--line"), width: 1 },
          ...(binary ? { incrs: BINARY_STEPS } : {}), values: (_, splits) => splits.map((value) => format(value)) },
      ],
      series: [{}, ...this.lines.map((line) => this.seriesOf(line))],
      cursor: {
        y: false, drag: { x: true, y: false, setScale: false, dist: MIN_DRAG_PX }, points: { size: 7 },
        sync: { key: "atalaya" }, bind: { dblclick: () => () => this.group.reset() },
      },
      hooks: {
        drawClear: [(plot) => this.drawBands(plot)],
        setCursor: [(plot) => this.moved(plot.cursor.idx ?? null)],
        setSelect: [(plot) => this.selected(plot)],
      },
    };
  }

  // What a moment had is thin beside its mean.
  seriesOf(line) {
    const paired = this.lines.some((other) => other.label === line.label && other.mean !== line.mean);
    const faint = paired && !line.mean;
    const colour = () => css(`--series-${line.colour % 5}`) + (faint ? "66" : "");
    return { stroke: colour, width: faint ? 1 : 1.6, points: { show: false, fill: colour }, spanGaps: false };
  }

  reach(min, max) {
    const { binary, ceiling, signed } = this.definition;
    if (ceiling !== undefined && max > ceiling / 2) return [0, ceiling];
    if (max === null || max === undefined) return [0, ceiling ?? 1];
    return [signed ? Math.min(0, min) : 0, ceilingOf(max, binary)];
  }

  drawBands(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const band of this.bands) {
      const left = plot.valToPos(band.fromMs / 1000, "x", true);
      const width = Math.max(1, plot.valToPos(band.toMs / 1000, "x", true) - left);
      ctx.fillStyle = css(`--band-${band.kind}`);
      ctx.fillRect(left, bbox.top, width, bbox.height);
      if (band.kind === "silent") hatch(ctx, left, bbox.top, width, bbox.height);
    }
    this.dotLoneValues(plot);
    ctx.restore();
  }

  // A value between two gaps makes no line.
  dotLoneValues(plot) {
    for (const line of this.lines) {
      plot.ctx.fillStyle = css(`--series-${line.colour % 5}`);
      line.points.forEach((value, at) => {
        if (value === null || (line.points[at - 1] ?? null) !== null || (line.points[at + 1] ?? null) !== null) return;
        const side = 2 * devicePixelRatio;
        plot.ctx.fillRect(plot.valToPos(this.times[at], "x", true) - side / 2,
          plot.valToPos(value, "y", true) - side / 2, side, side);
      });
    }
  }

  moved(at) {
    this.at = at;
    this.drawLegend();
  }

  // Where the group has it: charts in step.
  moveTo(at) {
    if (!this.plot) return;
    if (at === null) this.plot.setCursor({ left: -10, top: -10 });
    else this.plot.setCursor({ left: this.plot.valToPos(this.times[at], "x"), top: HEIGHT_PX / 3 });
  }

  mark(from, to) {
    const place = (at) => this.plot.valToPos(this.times[at], "x");
    const [left, right] = [place(Math.min(from, to)), place(Math.max(from, to))];
    this.plot.setSelect({ left, width: right - left, top: 0, height: this.plot.over.clientHeight }, false);
  }

  selected(plot) {
    const { left, width } = plot.select;
    if (width < MIN_DRAG_PX) return;
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.group.zoom(plot.posToVal(left, "x") * 1000, plot.posToVal(left + width, "x") * 1000);
  }

  key(event) {
    const last = (this.times?.length ?? 0) - 1;
    if (event.key === "Escape") return this.group.reset();
    if (event.key === "Enter") return this.group.zoomToMark();
    if (last < 1 || !(event.key in KEY_STEPS)) return undefined;
    event.preventDefault();
    const from = this.at ?? last;
    return this.group.move(Math.min(last, Math.max(0, from + KEY_STEPS[event.key])), event.shiftKey ? from : null);
  }

  bandAt(ms) {
    return this.bands.find((band) => ms >= band.fromMs && ms < band.toMs);
  }

  wordsAt(line, at) {
    if (line.points[at] !== null) return this.definition.format(line.points[at]);
    const band = this.bandAt(this.times[at] * 1000);
    return band ? BAND_WORDS[band.kind] : "–";
  }

  drawLegend() {
    const lastOf = (line) => line.points.findLastIndex((value) => value !== null);
    this.time.textContent = this.at === null || !this.range ? "" : this.momentOf(this.at);
    const entries = new Map();
    for (const line of this.lines) {
      const at = this.at ?? lastOf(line);
      const entry = entries.get(line.label) ?? { line, words: [] };
      if (at >= 0) entry.words.push(this.wordsAt(line, at));
      entries.set(line.label, entry);
    }
    this.legend.replaceChildren(...[...entries].map(([label, { line, words }]) => {
      const [now, mean] = words;
      const entry = element("span", {}, element("i", { class: `swatch c${line.colour % 5}` }), text("span", label, "quiet"),
        text("b", now ?? ""));
      if (mean !== undefined) entry.append(text("span", `1 min ${mean}`, "quiet"));
      return entry;
    }));
  }

  momentOf(at) {
    const ms = this.times[at] * 1000;
    return this.range.stepMs >= 24 * HOUR_MS ? day(ms)
      : this.range.toMs - this.range.fromMs > 20 * HOUR_MS ? `${day(ms)} ${clock(ms, false)}` : clock(ms);
  }

  summary() {
    const said = this.lines.filter((line) => line.points.some((value) => value !== null)).map((line) => {
      const values = line.points.filter((value) => value !== null);
      const { format } = this.definition;
      return `${line.label}${line.mean ? ", mean" : ""}: ${format(Math.min(...values))} to ${format(Math.max(...values))}`;
    });
    return `${this.definition.title}. ${said.join("; ") || "Nothing was measured"}. Arrow keys read single values, with ` +
      "Shift they mark a time; Enter shows that alone, Escape all again.";
  }

  drawTable() {
    if (!this.details.open || !this.range) return;
    const head = element("tr", {}, text("th", "Time"));
    for (const line of this.lines) head.append(text("th", line.mean ? `${line.label}, mean` : line.label, "numeric"));
    const body = element("tbody");
    for (let at = this.times.length - 1; at >= 0; at -= 1) {
      const row = element("tr", {}, text("td", this.momentOf(at)));
      for (const line of this.lines) row.append(text("td", this.wordsAt(line, at), "numeric"));
      body.append(row);
    }
    this.tableBox.replaceChildren(element(
      "table", {}, text("caption", this.definition.title, "hidden"), element("thead", {}, head), body));
  }
}

function hatch(ctx, left, top, width, height) {
  const gap = 7 * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.strokeStyle = css("--band-hatch");
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (let x = left - height; x < left + width; x += gap) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.restore();
}
