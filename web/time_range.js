// The time that charts show: a range that ends now, or a part that was zoomed to.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const RANGES = new Map([
  ["1h", HOUR], ["6h", 6 * HOUR], ["1d", DAY], ["7d", 7 * DAY], ["30d", 30 * DAY], ["1y", 365 * DAY], ["2y", 730 * DAY],
]);
const DEFAULT_RANGE = "1h";
const MAX_POINTS = 750;
const MIN_SPAN_MS = MINUTE;
const STEPS = [
  5 * SECOND, 10 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY,
];

// { name ("" of a part), fromMs, toMs, stepMs }; both ends are multiples of the step. `intervalMs`: between two samples.
export function readRange(params, intervalMs, nowMs = Date.now()) {
  const zoomFrom = Number(params.get("from"));
  const zoomTo = Number(params.get("to"));
  const zoomed = zoomFrom > 0 && zoomTo > zoomFrom;
  const asked = params.get("range");
  const name = zoomed ? "" : RANGES.has(asked) ? asked : DEFAULT_RANGE;
  const spanMs = zoomed ? Math.max(MIN_SPAN_MS, zoomTo - zoomFrom) : RANGES.get(name);
  const endMs = zoomed ? zoomFrom + spanMs : nowMs;
  const stepMs = STEPS.find((step) => step >= intervalMs && spanMs / step <= MAX_POINTS) ?? STEPS.at(-1);
  const toMs = Math.floor(endMs / stepMs) * stepMs;
  return { name, fromMs: toMs - Math.ceil(spanMs / stepMs) * stepMs, toMs, stepMs };
}
