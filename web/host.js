// One host: its figures now, and charts of what they were.

import { ask } from "./ask.js";
import { ChartsView } from "./charts_view.js";
import { badge, element, nothing, show, text } from "./dom.js";
import { byteRate, celsius, duration, number, parseDuration, percent, bytes, rate, tenths } from "./format.js";
import { cpuBar, diskBar, memoryBar } from "./overview.js";
import { counter, formula, gauge } from "./series.js";

export const USUAL_INTERVAL_MS = 5000;

// But for those that hold no data of their own, as api/atalaya/status leaves them out.
const FILE_SYSTEMS = 'fstype!~"tmpfs|devtmpfs|ramfs|overlay|squashfs|iso9660|rootfs|autofs|fuse.*|nsfs"';

// How often the targets of an instance are scraped.
export async function intervalOf(instance) {
  const { activeTargets } = await ask("api/v1/targets");
  const times = activeTargets.filter((target) => target.labels.instance === instance)
    .map((target) => parseDuration(target.scrapeInterval)).filter((ms) => ms !== null);
  return times.length === 0 ? USUAL_INTERVAL_MS : Math.max(...times);
}

// Names and what they say, as a row of small facts.
export function facts(entries) {
  const list = element("dl", { class: "facts" });
  for (const [name, value] of entries) list.append(element("div", {}, text("dt", name), element("dd", {}, value)));
  return list;
}

export function heading(kind, name, state, note) {
  const head = element("div", { class: "heading" }, text("h1", name));
  if (state) head.append(badge(state));
  head.append(text("span", note ?? kind, "quiet"));
  return head;
}

function charts(instance) {
  const of = `instance=${JSON.stringify(instance)}`;
  const network = `{${of},device!="lo"}`;
  const cpu = formula(
    [counter(`node_cpu_seconds_total{${of},mode="idle"}`), counter(`node_cpu_seconds_total{${of}}`)],
    (idle, all) => `(100 - 100 * ${idle} / ${all})`);
  const memory = formula(
    [gauge(`node_memory_MemTotal_bytes{${of}}`), gauge(`node_memory_MemAvailable_bytes{${of}}`)],
    (total, available) => `(${total} - ${available})`);
  const disk = formula(
    [gauge(`node_filesystem_avail_bytes{${of},${FILE_SYSTEMS}}`, "mountpoint"),
      gauge(`node_filesystem_size_bytes{${of},${FILE_SYSTEMS}}`, "mountpoint")],
    (free, size) => `(100 - 100 * ${free} / ${size})`);
  return [
    { title: "CPU in use", format: (value) => percent(value, tenths(value)), ceiling: 100, lines: [{ label: "CPU", figure: cpu }] },
    { title: "Memory in use", format: bytes, binary: true, lines: [{ label: "In use", figure: memory }] },
    { title: "Load", format: (value) => number(value, 2), lines: [
      { label: "1 min", plain: true, figure: gauge(`node_load1{${of}}`) },
      { label: "5 min", plain: true, figure: gauge(`node_load5{${of}}`) },
      { label: "15 min", plain: true, figure: gauge(`node_load15{${of}}`) }] },
    { title: "Disk space in use", format: (value) => percent(value, 0), ceiling: 100, lines: [
      { by: "mountpoint", plain: true, figure: disk }] },
    { title: "Network", format: byteRate, binary: true, lines: [
      { label: "In", figure: counter(`node_network_receive_bytes_total${network}`) },
      { label: "Out", figure: counter(`node_network_transmit_bytes_total${network}`) }] },
    { title: "Network packets", format: rate, lines: [
      { label: "In", figure: counter(`node_network_receive_packets_total${network}`) },
      { label: "Out", figure: counter(`node_network_transmit_packets_total${network}`) }] },
    { title: "Disk traffic", format: byteRate, binary: true, lines: [
      { label: "Read", figure: counter(`node_disk_read_bytes_total{${of}}`) },
      { label: "Written", figure: counter(`node_disk_written_bytes_total{${of}}`) }] },
    { title: "Temperature, the highest", format: celsius, signed: true, lines: [
      { label: "Temperature", plain: true, figure: gauge(`node_hwmon_temp_celsius{${of}}`) }] },
  ];
}

export class HostPage {
  constructor({ name }) {
    this.name = name;
    this.title = name;
    this.head = element("div");
    this.facts = element("div");
    this.disks = element("div", { class: "disks" });
    this.element = element("div", {}, element("section", {}, this.head, this.facts, this.disks));
  }

  end() {
    this.view?.end();
  }

  async update({ status, changed }) {
    const host = status.hosts.find((each) => each.instance === this.name);
    this.title = host?.name ?? this.name;
    show(this.head, heading("Host", this.title, host?.state ?? "unknown", this.name === this.title ? "host" : this.name));
    this.drawFacts(host);
    if (!this.view) {
      const up = `up{instance=${JSON.stringify(this.name)}}`;
      this.view = new ChartsView(charts(this.name), up, "host", await intervalOf(this.name));
      this.element.append(this.view.element);
    }
    await this.view.update(changed);
  }

  drawFacts(host) {
    if (!host) {
      show(this.facts, nothing("This host was not seen in the last day; older figures may stand below."));
      return;
    }
    show(this.facts, facts([
      ["CPU", cpuBar(host)], ["Memory", memoryBar(host)], ["Load", number(host.load1, 2)],
      ["Packets in, out", `${rate(host.packetsInPerSecond)}, ${rate(host.packetsOutPerSecond)}`],
      ["Temperature", celsius(host.temperatureCelsius)], ["Uptime", duration(host.uptimeSeconds)]]));
    const disks = [...host.disks].sort((a, b) => a.mount.localeCompare(b.mount));
    show(this.disks, ...disks.map(diskBar));
  }
}
