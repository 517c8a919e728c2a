// Figures and times as people read them. `null` is what was not measured.

export const NOTHING = "–";

export function percent(value, digits = 0) {
  return value === null ? NOTHING : `${value.toFixed(digits)} %`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(value) {
  if (value === null) return NOTHING;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(value < 10 && unit > 0 ? 1 : 0)} ${UNITS[unit]}`;
}

export function number(value, digits = 0) {
  if (value === null) return NOTHING;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

// "3 d 4 h", "2 h 5 min", "48 s": the two largest units.
export function duration(seconds) {
  if (seconds === null) return NOTHING;
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

const pad = (value) => String(value).padStart(2, "0");

export function clock(ms, seconds = true) {
  const time = new Date(ms);
  const text = `${pad(time.getHours())}:${pad(time.getMinutes())}`;
  return seconds ? `${text}:${pad(time.getSeconds())}` : text;
}

// The clock alone for today, else with the day in front.
export function moment(ms) {
  const time = new Date(ms);
  if (time.toDateString() === new Date().toDateString()) return clock(ms);
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${clock(ms)}`;
}
