// Every server and host at one glance, and what is wrong now.

import { addressOf } from "./address.js";
import { poll } from "./ask.js";
import { badge, bar, element, link, nothing, section, show, table, text } from "./dom.js";
import { NOTHING, bytes, celsius, duration, moment, number, percent, rate } from "./format.js";
import { lastHourBy } from "./series.js";
import { sparkline } from "./sparkline.js";

const SPARK_MS = 30000; // How old sparklines may be.
const ALERTS_SHOWN = 5;
const CPU = 'avg by (instance) (100 - 100 * irate(node_cpu_seconds_total{mode="idle"}[1m]))';
const PACKETS = "sum by (server) (irate(cloud_server_packets_received_total[1m]))";
const NO_CPU_BELOW = 20; // Percent that a sparkline's height stands for at least.

// `address`: "" of one that leads nowhere.
function tile(address, title, figure, note, kind = "") {
  const node = address === "" ? text("div", "", `tile ${kind}`) : link(address, "", `tile ${kind}`);
  node.append(text("span", title, "quiet"), text("b", figure), text("span", note, "quiet"));
  return node;
}

function tileOfMany(title, all) {
  const up = all.filter((one) => one.state === "up").length;
  const note = all.length === 0 ? "none seen today" : up === all.length ? "all up" : `${all.length - up} not up`;
  return tile("", title, `${up} of ${all.length}`, note, all.length > up ? "bad" : "");
}

function tiles({ alerts, status }, waiting) {
  const firing = alerts.filter((alert) => alert.state === "firing").length;
  const pending = alerts.length - firing;
  const more = waiting.length >= 100 ? "+" : "";
  return [
    tile(addressOf("alerts"), "Alerts firing", number(firing), pending === 0 ? "none pending" : `${pending} pending`,
      firing > 0 ? "bad" : ""),
    tileOfMany("Servers up", status.servers),
    tileOfMany("Hosts up", status.hosts),
    tile(addressOf("notices", "", { state: "waiting" }), "Notices waiting", `${waiting.length}${more}`,
      waiting.length === 0 ? "all delivered" : "tried again by itself", waiting.length > 0 ? "warn" : ""),
  ];
}

function alertsList(alerts) {
  const rank = { firing: 0, pending: 1 };
  const sorted = [...alerts].sort((a, b) => rank[a.state] - rank[b.state] || b.activeAt.localeCompare(a.activeAt));
  const columns = [
    { title: "State", cell: (alert) => badge(alert.state) },
    { title: "Alert", cell: (alert) => link(addressOf("alerts"), alert.labels.alertname ?? NOTHING, "strong") },
    { title: "What", class: "wide", cell: (alert) => alert.annotations.summary ?? NOTHING },
    { title: "Since", numeric: true, cell: (alert) => moment(Date.parse(alert.activeAt)) },
  ];
  const box = element("div", {}, table(columns, sorted.slice(0, ALERTS_SHOWN), "Active alerts"));
  const left = sorted.length - ALERTS_SHOWN;
  if (left > 0) box.append(element("p", { class: "more" }, link(addressOf("alerts"), `${left} more`)));
  return box;
}

// A name of its own, with where it is reached below where that is something else.
function hostCell(host) {
  const cell = element("span", { class: "two" }, link(addressOf("host", host.instance), host.name, "strong"));
  if (host.instance !== host.name) cell.append(text("span", host.instance, "quiet"));
  return cell;
}

export function memoryBar(host) {
  const [total, available] = [host.memoryTotalBytes, host.memoryAvailableBytes];
  if (total === null || available === null) return NOTHING;
  return bar(1 - available / total, `${bytes(total - available)} of ${bytes(total)}`);
}

export function cpuBar(host) {
  if (host.cpuPercent === null) return NOTHING;
  const cores = host.cores === null ? "" : host.cores === 1 ? " of 1 core" : ` of ${host.cores} cores`;
  return bar(host.cpuPercent / 100, percent(host.cpuPercent) + cores);
}

const fullness = (disk) => (disk.sizeBytes > 0 ? 1 - disk.freeBytes / disk.sizeBytes : 0);

export function diskBar(disk) {
  return bar(fullness(disk), `${disk.mount}  ${bytes(disk.freeBytes)} free`);
}

function fullestDisk(host) {
  if (host.disks.length === 0) return NOTHING;
  return diskBar([...host.disks].sort((a, b) => fullness(b) - fullness(a))[0]);
}

function serversTable(servers, sparks) {
  if (servers.length === 0) return nothing("No packet server was seen today. One shows here once its exporter is scraped.");
  return table([
    { title: "State", cell: (server) => badge(server.state) },
    { title: "Server", cell: (server) => link(addressOf("server", server.name), server.name, "strong") },
    { title: "Packets in", numeric: true, cell: (server) => rate(server.packetsInPerSecond) },
    { title: "Packets out", numeric: true, cell: (server) => rate(server.packetsOutPerSecond) },
    { title: "Last hour", cell: (server) => sparkline(sparks.get(server.name), "Packets in", rate, 1) },
    { title: "Connections", numeric: true, cell: (server) => number(server.connections) },
    { title: "Queued", numeric: true, cell: (server) => number(server.queuedPackets) },
    { title: "CPU", numeric: true, cell: (server) => percent(server.cpuPercent, 1) },
    { title: "Memory", numeric: true, cell: (server) => bytes(server.memoryBytes) },
    { title: "On disk", numeric: true, cell: (server) => bytes(server.journalBytes) },
    { title: "Uptime", numeric: true, cell: (server) => duration(server.uptimeSeconds) },
  ], servers, "Servers");
}

function hostsTable(hosts, sparks) {
  if (hosts.length === 0) return nothing("No host was seen today. Name its exporter under [[scrape]] in the configuration.");
  return table([
    { title: "State", cell: (host) => badge(host.state) },
    { title: "Host", cell: hostCell },
    { title: "CPU", cell: cpuBar },
    { title: "Last hour", cell: (host) => sparkline(sparks.get(host.instance), "CPU", (value) => percent(value), NO_CPU_BELOW) },
    { title: "Memory", cell: memoryBar },
    { title: "Fullest disk", cell: fullestDisk },
    { title: "Packets in", numeric: true, cell: (host) => rate(host.packetsInPerSecond) },
    { title: "Temp.", numeric: true, cell: (host) => celsius(host.temperatureCelsius) },
    { title: "Uptime", numeric: true, cell: (host) => duration(host.uptimeSeconds) },
  ], hosts, "Hosts");
}

export class Overview {
  constructor() {
    this.title = "Overview";
    this.sparks = { atMs: 0, cpu: new Map(), packets: new Map() };
    this.tiles = element("div", { class: "tiles" });
    this.alerts = element("div");
    this.alertsSection = section("Active alerts", this.alerts);
    this.alertsSection.hidden = true;
    this.servers = element("div", { id: "servers" });
    this.hosts = element("div", { id: "hosts" });
    this.element = element(
      "div", {}, text("h1", "Overview", "hidden"), this.tiles, this.alertsSection, section("Servers", this.servers),
      section("Hosts", this.hosts));
  }

  async update({ alerts, status }) {
    const { notices } = await poll("api/atalaya/notices?state=waiting&limit=100");
    show(this.tiles, ...tiles({ alerts, status }, notices));
    this.alertsSection.hidden = alerts.length === 0;
    show(this.alerts, alertsList(alerts));
    this.drawTables(status);
    if (Date.now() - this.sparks.atMs < SPARK_MS) return;
    const [cpu, packets] = await Promise.all([lastHourBy("instance", CPU), lastHourBy("server", PACKETS)]);
    this.sparks = { atMs: Date.now(), cpu, packets };
    this.drawTables(status);
  }

  drawTables(status) {
    show(this.servers, serversTable(status.servers, this.sparks.packets));
    show(this.hosts, hostsTable(status.hosts, this.sparks.cpu));
  }
}
