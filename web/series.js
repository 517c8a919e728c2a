// What a chart asks of the history, and the answers on one grid of times.

import { ask } from "./ask.js";

const MINUTE_MS = 60000;

const seconds = (ms) => `${ms / 1000}s`;

// How the lines of a chart are asked for at a step. Two samples lie in `window`, however they fall, and no more than a
// gap can hide. From steps of a minute on, one line is the mean of each step; below, the 1-minute mean stands beside what
// each moment had. The mean is taken over what was measured: rate() would stretch two samples after a gap over a minute.
export function wayOfAsking(stepMs, intervalMs) {
  const windowMs = 2 * intervalMs + 1000;
  return { windowMs, stepMs, intervalMs, coarse: stepMs >= MINUTE_MS, meanMs: Math.max(stepMs, windowMs) };
}

// A counter's rate, summed up; `by` is a label that makes several lines.
export function counter(selector, by) {
  const sum = by ? `sum by (${by})` : "sum";
  return {
    now: (way) => `${sum}(irate(${selector}[${seconds(way.windowMs)}]))`,
    mean: (way) => `${sum}(rate(${selector}[${seconds(way.meanMs)}]))`,
  };
}

export function gauge(selector, by) {
  const max = by ? `max by (${by})` : "max";
  return {
    now: (way) => `${max}(last_over_time(${selector}[${seconds(way.windowMs)}]))`,
    mean: (way) => `${max}(avg_over_time(${selector}[${seconds(way.meanMs)}]))`,
  };
}

// Both forms of some figures, put together: arrange(a, b) -> PromQL.
export function formula(parts, arrange) {
  return {
    now: (way) => arrange(...parts.map((part) => part.now(way))),
    mean: (way) => arrange(...parts.map((part) => part.mean(way))),
  };
}

function smooth(now, way) {
  return `(avg_over_time((${now})[1m:${seconds(way.intervalMs)}]) and (${now}))`;
}

const named = (query, line) => `label_replace(${query}, "line", "${line}", "", "")`;

// One question for all lines of a chart: [{ key, figure, by?, plain? }]. `plain`: of itself a mean, or hardly ever changing.
function questionOf(lines, way) {
  const parts = [];
  lines.forEach(({ figure, plain }, at) => {
    if (way.coarse) return parts.push(named(figure.mean(way), `${at}m`));
    const now = figure.now(way);
    parts.push(named(now, `${at}n`));
    if (!plain) parts.push(named(smooth(now, way), `${at}m`));
  });
  return parts.join(" or ");
}

async function matrixOf(query, range) {
  const asked = new URLSearchParams({ query, start: range.fromMs / 1000, end: range.toMs / 1000, step: range.stepMs / 1000 });
  return (await ask(`api/v1/query_range?${asked}`)).result;
}

function onGrid(values, range) {
  const points = new Array((range.toMs - range.fromMs) / range.stepMs + 1).fill(null);
  for (const [time, value] of values) {
    const at = Math.round((time * 1000 - range.fromMs) / range.stepMs);
    if (at >= 0 && at < points.length && Number.isFinite(Number(value))) points[at] = Number(value);
  }
  return points;
}

// The lines that were found, in order: { label, colour (a number), mean (or of a moment), points }.
export async function linesOf(chart, range, way) {
  const found = [];
  for (const { metric, values } of await matrixOf(questionOf(chart.lines, way), range)) {
    const at = Number.parseInt(metric.line, 10);
    const { label, by } = chart.lines[at];
    found.push({ at, label: by ? metric[by] ?? "" : label, mean: metric.line.endsWith("m"), points: onGrid(values, range) });
  }
  const labels = [...new Set(found.map((line) => line.label))];
  labels.sort((a, b) => order(found, a) - order(found, b) || a.localeCompare(b));
  for (const line of found) line.colour = labels.indexOf(line.label);
  return found.sort((a, b) => a.colour - b.colour || Number(a.mean) - Number(b.mean));
}

const order = (found, label) => found.find((line) => line.label === label).at;

// Times of the range that lie in no run of the watcher.
function offBands(runs, range) {
  const slackMs = Math.max(15000, range.stepMs);
  const bands = [];
  let upTo = range.fromMs;
  for (const run of runs) {
    if (run.startMs > upTo + 5000) bands.push({ kind: "off", fromMs: upTo, toMs: Math.min(run.startMs, range.toMs) });
    upTo = Math.max(upTo, run.endMs);
  }
  if (upTo + slackMs < range.toMs) bands.push({ kind: "off", fromMs: upTo, toMs: range.toMs });
  return bands;
}

// Times at which nothing came though the watcher was on. `spoke`: 1 where something did.
function silentBands(spoke, off, range) {
  const bands = [];
  const timeOf = (at) => range.fromMs + at * range.stepMs;
  const wasOff = (at) => off.some((band) => timeOf(at) >= band.fromMs && timeOf(at) <= band.toMs + 2 * range.stepMs);
  for (let at = 0; at < spoke.length; at += 1) {
    if (spoke[at] === 1 || wasOff(at)) continue;
    let end = at;
    while (end + 1 < spoke.length && spoke[end + 1] !== 1 && !wasOff(end + 1)) end += 1;
    bands.push({
      kind: "silent", fromMs: timeOf(Math.max(0, at - 1)), toMs: timeOf(Math.min(spoke.length - 1, end + 1)),
    });
    at = end;
  }
  return bands;
}

// `up`: a selector of series that are 1 while what is charted can be heard.
export async function bandsOf(up, range, way) {
  const asked = new URLSearchParams({ start: range.fromMs / 1000, end: range.toMs / 1000 });
  const [heard, watch] = await Promise.all([
    matrixOf(`max(max_over_time(${up}[${seconds(way.meanMs)}]))`, range),
    ask(`api/atalaya/runs?${asked}`),
  ]);
  const off = offBands(watch.runs, range);
  return [...off, ...silentBands(onGrid(heard[0]?.values ?? [], range), off, range)];
}

// Figures of the last hour by a label, for sparklines: Map of name -> points.
export async function lastHourBy(label, query) {
  const stepMs = MINUTE_MS;
  const toMs = Math.floor(Date.now() / stepMs) * stepMs;
  const range = { fromMs: toMs - 60 * stepMs, toMs, stepMs };
  const matrix = await matrixOf(query, range);
  return new Map(matrix.map(({ metric, values }) => [metric[label], onGrid(values, range)]));
}
