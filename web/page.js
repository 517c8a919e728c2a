// The first page: asks alertd every five seconds and shows what changed.

import { Chart } from "/chart.js";
import { NOTHING, bytes, clock, duration, moment, number, percent } from "/format.js";
import { badge, bar, element, nothing, table, text } from "/tables.js";

const POLL_MS = 5000;
const STEP_MS = 5000;
const HOUR_MS = 3600000;
const SILENT_AFTER_MS = 3 * POLL_MS;

const byId = (id) => document.getElementById(id);
const known = new Map(); // Address -> ETag of the last answer.
const page = { alerts: [], hosts: [], host: null, lastAnswerMs: 0, saving: true, charts: null };

async function fetchAnswer(address, headers) {
  return fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(2 * POLL_MS) });
}

async function dataOf(response) {
  const answer = await response.json();
  if (answer.status !== "success") throw new Error(answer.error);
  return answer.data;
}

// The data of an answer; fails with a sentence for people.
async function ask(address) {
  return dataOf(await fetchAnswer(address, {}));
}

// The data where it is another than last time, else null.
async function askForChange(address) {
  const etag = known.get(address);
  const response = await fetchAnswer(address, etag ? { "If-None-Match": etag } : {});
  if (response.status === 304) return null;
  const data = await dataOf(response);
  known.set(address, response.headers.get("ETag"));
  return data;
}

const STATE_KINDS = {
  up: "good", firing: "bad", down: "bad", dead: "bad", hung: "bad", absent: "bad", failed: "bad", pending: "warn",
  stopping: "warn", waiting: "warn", sent: "good", resolved: "good", dropped: "bad",
};

function stateBadge(state) {
  return badge(state, STATE_KINDS[state] ?? "idle");
}

function fullness(share) {
  return share >= 0.95 ? "bad" : share >= 0.85 ? "warn" : "good";
}

function showAlerts(alerts) {
  page.alerts = alerts;
  const order = { firing: 0, pending: 1 };
  const rows = [...alerts].sort((a, b) => order[a.state] - order[b.state] || a.activeAt.localeCompare(b.activeAt));
  const columns = [
    { title: "State", cell: (alert) => stateBadge(alert.state) },
    { title: "Alert", cell: (alert) => text("strong", alert.labels.alertname ?? NOTHING) },
    { title: "What", cell: (alert) => text("span", alert.annotations.summary ?? labelText(alert.labels)) },
    { title: "Severity", cell: (alert) => alert.labels.severity ?? NOTHING },
    { title: "Since", numeric: true, cell: (alert) => moment(Date.parse(alert.activeAt)) },
  ];
  byId("alerts").replaceChildren(
    rows.length === 0 ? nothing("No alert is active.") : table(columns, rows, "Active alerts"));
}

function labelText(labels) {
  return Object.entries(labels)
    .filter(([name]) => name !== "alertname" && name !== "severity")
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function showServers(servers) {
  const columns = [
    { title: "State", cell: (server) => stateBadge(server.state) },
    { title: "Server", cell: (server) => text("strong", server.name) },
    { title: "Connections", numeric: true, cell: (server) => number(server.connections) },
    { title: "Packets in", numeric: true, cell: (server) => rate(server.packetsInPerSecond) },
    { title: "Packets out", numeric: true, cell: (server) => rate(server.packetsOutPerSecond) },
    { title: "Queued", numeric: true, cell: (server) => number(server.queuedPackets) },
    { title: "CPU", numeric: true, cell: (server) => percent(server.cpuPercent, 1) },
    { title: "Memory", numeric: true, cell: (server) => bytes(server.memoryBytes) },
    { title: "Uptime", numeric: true, cell: (server) => duration(server.uptimeSeconds) },
  ];
  byId("servers").replaceChildren(
    servers.length === 0 ? nothing("No packet server was seen today.") : table(columns, servers, "Servers"));
}

function rate(value) {
  return value === null ? NOTHING : `${number(value, value < 10 ? 1 : 0)}/s`;
}

function memoryCell(host) {
  if (host.memoryTotalBytes === null || host.memoryAvailableBytes === null) return NOTHING;
  const used = host.memoryTotalBytes - host.memoryAvailableBytes;
  const share = used / host.memoryTotalBytes;
  return bar(share, `${bytes(used)} of ${bytes(host.memoryTotalBytes)}`, fullness(share));
}

function diskCell(host) {
  if (host.disks.length === 0) return NOTHING;
  const list = element("div", { class: "stack" });
  for (const disk of [...host.disks].sort((a, b) => a.mount.localeCompare(b.mount))) {
    const share = disk.sizeBytes > 0 ? 1 - disk.freeBytes / disk.sizeBytes : 0;
    list.append(bar(share, `${disk.mount}  ${bytes(disk.freeBytes)} free`, fullness(share)));
  }
  return list;
}

function cpuCell(host) {
  if (host.cpuPercent === null) return NOTHING;
  const cores = host.cores === null ? "" : host.cores === 1 ? " of 1 core" : ` of ${host.cores} cores`;
  return bar(host.cpuPercent / 100, percent(host.cpuPercent, 0) + cores, fullness(host.cpuPercent / 100));
}

function showHosts(hosts) {
  page.hosts = hosts;
  const columns = [
    { title: "State", cell: (host) => stateBadge(host.state) },
    { title: "Host", cell: (host) => element("span", {}, text("strong", host.name), " ", text("span", host.instance, "quiet")) },
    { title: "CPU", cell: cpuCell },
    { title: "Load", numeric: true, cell: (host) => number(host.load1, 2) },
    { title: "Memory", cell: memoryCell },
    { title: "Disk", cell: diskCell },
    { title: "Temp.", numeric: true, cell: (host) => (host.temperatureCelsius === null ? NOTHING : `${number(host.temperatureCelsius)} °C`) },
    { title: "Uptime", numeric: true, cell: (host) => duration(host.uptimeSeconds) },
  ];
  byId("hosts").replaceChildren(
    hosts.length === 0 ? nothing("No host was seen today.") : table(columns, hosts, "Hosts"));
  chooseHost(hosts);
}

// The host whose charts are shown; a choice is only offered where there is one.
function chooseHost(hosts) {
  const instances = hosts.map((host) => host.instance);
  if (!instances.includes(page.host)) page.host = instances[0] ?? null;
  const place = byId("hosts-choice");
  const offered = [...place.querySelectorAll("option")].map((option) => option.value);
  if (instances.join("\n") === offered.join("\n")) return;
  place.replaceChildren();
  if (hosts.length < 2) return;
  const select = element("select", { "aria-label": "Host" });
  for (const host of hosts) {
    const option = text("option", host.name === host.instance ? host.name : `${host.name} (${host.instance})`);
    option.value = host.instance;
    option.selected = host.instance === page.host;
    select.append(option);
  }
  select.addEventListener("change", () => {
    page.host = select.value;
    run(updateCharts);
  });
  place.append(select);
}

function showNotices(notices) {
  const columns = [
    { title: "When", whole: true, cell: (notice) => moment(notice.finishedMs || notice.createdMs) },
    { title: "Alert", cell: (notice) => stateBadge(notice.status) },
    { title: "What", cell: (notice) => notice.summary },
    { title: "To", cell: (notice) => (notice.target ? `${notice.receiver}: ${notice.target}` : notice.receiver) },
    { title: "Delivery", cell: deliveryCell },
  ];
  byId("notices").replaceChildren(
    notices.length === 0 ? nothing("No notice was sent yet.") : table(columns, notices, "Notices"));
}

function deliveryCell(notice) {
  const cell = element("span", {}, stateBadge(notice.state));
  if (notice.attempts > 1) cell.append(text("span", ` attempt ${notice.attempts}`, "quiet"));
  if (notice.lastError && notice.state !== "sent") cell.append(text("span", ` ${notice.lastError}`, "quiet"));
  return cell;
}

// A point for each step, null where the answer has none.
function pointsOf(matrix, fromMs, toMs) {
  const values = new Map();
  for (const [seconds, value] of matrix.result[0]?.values ?? []) values.set(Math.round(seconds * 1000), Number(value));
  const points = [];
  for (let ms = fromMs; ms <= toMs; ms += STEP_MS) {
    const value = values.get(ms);
    points.push({ ms, value: Number.isFinite(value) ? Math.max(0, value) : null });
  }
  return points;
}

// The times of the range that lie in no run of the watcher.
function offBands(runs, fromMs, toMs) {
  const bands = [];
  let upTo = fromMs;
  for (const one of runs) {
    if (one.startMs > upTo + STEP_MS) bands.push({ fromMs: upTo, toMs: Math.min(one.startMs, toMs) });
    upTo = Math.max(upTo, one.endMs);
  }
  if (upTo + SILENT_AFTER_MS < toMs) bands.push({ fromMs: upTo, toMs });
  return bands;
}

async function updateCharts() {
  if (page.host === null) return;
  const toMs = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  const fromMs = toMs - HOUR_MS;
  const idle = `node_cpu_seconds_total{mode="idle",instance=${JSON.stringify(page.host)}}`;
  // 11 s hold two samples at 5 s, however they fall. The mean is taken over what was measured: rate() would stretch
  // two samples after a gap over the whole minute.
  const now = `100 - 100 * avg(irate(${idle}[11s]))`;
  const mean = `avg_over_time((${now})[1m:5s]) and (${now})`;
  const range = `&start=${fromMs / 1000}&end=${toMs / 1000}&step=${STEP_MS / 1000}`;
  const [instant, smooth, watch] = await Promise.all([
    ask(`/api/v1/query_range?query=${encodeURIComponent(now)}${range}`),
    ask(`/api/v1/query_range?query=${encodeURIComponent(mean)}${range}`),
    ask(`/api/atalaya/runs?start=${fromMs / 1000}&end=${toMs / 1000}`),
  ]);
  const bands = offBands(watch.runs, fromMs, toMs);
  page.charts ??= [
    new Chart(byId("charts"), "Every 5 seconds", "CPU in use. No line where nothing was measured."),
    new Chart(byId("charts"), "1-minute mean", "Mean of the minute before each point."),
  ];
  [instant, smooth].forEach((answer, at) => {
    page.charts[at].show({ fromMs, toMs, points: pointsOf(answer, fromMs, toMs), offBands: bands });
  });
}

async function updateStatus() {
  const data = await askForChange("/api/atalaya/status");
  if (!data) return;
  page.saving = data.history.saving;
  showServers(data.servers);
  showHosts(data.hosts);
  byId("about").textContent =
    `cloud_alertd ${data.version}, since ${moment(data.startedMs)}, ${number(data.history.series)} series`;
}

async function updateAlerts() {
  const data = await askForChange("/api/v1/alerts");
  if (data) showAlerts(data.alerts);
}

async function updateNotices() {
  const data = await askForChange("/api/atalaya/notices?limit=20");
  if (data) showNotices(data.notices);
}

// One part's failure must not keep the others from being shown.
async function run(update) {
  try {
    await update();
    page.lastAnswerMs = Date.now();
    return true;
  } catch (error) {
    console.warn(`${update.name}: ${error.message}`);
    return false;
  }
}

function showVerdict() {
  const firing = page.alerts.filter((alert) => alert.state === "firing").length;
  const verdict = byId("verdict");
  const silent = Date.now() - page.lastAnswerMs > SILENT_AFTER_MS;
  let [word, kind] = ["All is well", "good"];
  if (silent) [word, kind] = ["cloud_alertd does not answer", "bad"];
  else if (firing > 0) [word, kind] = [firing === 1 ? "1 alert is firing" : `${firing} alerts are firing`, "bad"];
  else if (!page.saving) [word, kind] = ["The history cannot be saved", "warn"];
  else if (page.alerts.length > 0) [word, kind] = ["An alert is pending", "warn"];
  if (verdict.textContent !== word) verdict.replaceChildren(badge(word, kind));
  document.title = firing > 0 ? `(${firing}) Atalaya` : "Atalaya";
  const since = page.lastAnswerMs === 0 ? "no answer yet" : clock(page.lastAnswerMs);
  byId("freshness").textContent = silent ? `last answer: ${since}` : `updated ${since}`;
  document.body.classList.toggle("stale", silent);
}

async function update() {
  if (!document.hidden) {
    await Promise.all([run(updateStatus), run(updateAlerts), run(updateNotices)]);
    showVerdict();
    await run(updateCharts);
    showVerdict();
  }
  document.body.dataset.updates = String(Number(document.body.dataset.updates ?? 0) + 1);
}

let timer = 0;
async function poll() {
  clearTimeout(timer);
  await update();
  timer = setTimeout(poll, POLL_MS);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) poll();
});
poll();
