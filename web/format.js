// Figures and times as people read them. `null` is what was not measured.

export const NOTHING = "–";

const known = (value) => value !== null && value !== undefined;

// Digits behind the point, where a small value would say little without.
export const tenths = (value) => (value !== 0 && Math.abs(value) < 10 ? 1 : 0);

export function percent(value, digits = 0) {
  return known(value) ? `${value.toFixed(digits)} %` : NOTHING;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(value) {
  if (!known(value)) return NOTHING;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(Math.abs(value) < 10 && unit > 0 && value !== Math.round(value) ? 1 : 0)} ${UNITS[unit]}`;
}

export function number(value, digits = 0) {
  if (!known(value)) return NOTHING;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

// With as many digits as tell something: 0.0042, 2.9, 15, 61,000.
export function figure(value) {
  if (!known(value)) return NOTHING;
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e9)) return value.toExponential(2);
  return value.toLocaleString("en", { maximumSignificantDigits: Math.abs(value) >= 1000 ? 6 : 3 });
}

export function rate(value) {
  return known(value) ? `${number(value, tenths(value))}/s` : NOTHING;
}

export function byteRate(value) {
  return known(value) ? `${bytes(value)}/s` : NOTHING;
}

export function celsius(value) {
  return known(value) ? `${value.toFixed(0)} °C` : NOTHING;
}

// "3 d 4 h", "2 h 5 min", "48 s": the two largest units.
export function duration(seconds) {
  if (!known(seconds)) return NOTHING;
  seconds = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(seconds / 86400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

// "5s", "1m30s" of the API, in milliseconds; null where it is none.
export function parseDuration(text) {
  const UNIT_MS = { ms: 1, s: 1000, m: 60000, h: 3600000, d: 86400000 };
  let ms = 0;
  for (const [, count, unit] of (text ?? "").matchAll(/(\d+)(ms|s|m|h|d)/g)) ms += Number(count) * UNIT_MS[unit];
  return ms > 0 ? ms : null;
}

const pad = (value) => String(value).padStart(2, "0");

export function clock(ms, seconds = true) {
  const time = new Date(ms);
  const shown = `${pad(time.getHours())}:${pad(time.getMinutes())}`;
  return seconds ? `${shown}:${pad(time.getSeconds())}` : shown;
}

export function day(ms) {
  const time = new Date(ms);
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
}

// The clock alone for today, else with the day in front.
export function moment(ms) {
  return day(ms) === day(Date.now()) ? clock(ms) : `${day(ms)} ${clock(ms, false)}`;
}
