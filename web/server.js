// One packet server: its figures now, and charts of what they were.

import { ask } from "./ask.js";
import { ChartsView } from "./charts_view.js";
import { element, nothing, show } from "./dom.js";
import { byteRate, bytes, duration, number, percent, rate, tenths } from "./format.js";
import { USUAL_INTERVAL_MS, facts, heading, intervalOf } from "./host.js";
import { counter, formula, gauge } from "./series.js";

function charts(server) {
  const of = (metric) => `${metric}{server=${JSON.stringify(server)}}`;
  const cpu = formula([counter(of("cloud_server_process_cpu_seconds_total"))], (busy) => `(100 * ${busy})`);
  return [
    { title: "Packets", format: rate, lines: [
      { label: "In", figure: counter(of("cloud_server_packets_received_total")) },
      { label: "Out", figure: counter(of("cloud_server_packets_sent_total")) }] },
    { title: "Publishes", format: rate, lines: [
      { label: "Received", figure: counter(of("cloud_server_publishes_received_total")) },
      { label: "Delivered", figure: counter(of("cloud_server_publishes_delivered_total")) },
      { label: "Dropped", figure: counter(of("cloud_server_publishes_dropped_total")) }] },
    { title: "Connections", format: number, lines: [
      { label: "Connections", plain: true, figure: gauge(of("cloud_server_connections")) }] },
    { title: "Packets queued", format: number, lines: [
      { label: "Queued", figure: gauge(of("cloud_server_queue_packets")) }] },
    { title: "Traffic", format: byteRate, binary: true, lines: [
      { label: "In", figure: counter(of("cloud_server_received_bytes_total")) },
      { label: "Out", figure: counter(of("cloud_server_sent_bytes_total")) }] },
    { title: "CPU of the process", format: (value) => percent(value, tenths(value)), lines: [
      { label: "CPU", figure: cpu }] },
    { title: "Memory of the process", format: bytes, binary: true, lines: [
      { label: "Resident", plain: true, figure: gauge(of("cloud_server_process_resident_memory_bytes")) }] },
    { title: "Journal on disk", format: bytes, binary: true, lines: [
      { label: "Files", plain: true, figure: gauge(of("cloud_server_journal_file_bytes")) }] },
  ];
}

export class ServerPage {
  constructor({ name }) {
    this.name = name;
    this.title = name;
    this.head = element("div");
    this.facts = element("div");
    this.element = element("div", {}, element("section", {}, this.head, this.facts));
  }

  end() {
    this.view?.end();
  }

  async update({ status, changed }) {
    const server = status.servers.find((each) => each.name === this.name);
    show(this.head, heading("Server", this.name, server?.state ?? "unknown", "packet server"));
    this.drawFacts(server);
    if (!this.view) {
      const up = `cloud_server_up{server=${JSON.stringify(this.name)}}`;
      this.view = new ChartsView(charts(this.name), up, "server", await this.interval(up));
      this.element.append(this.view.element);
    }
    await this.view.update(changed);
  }

  // Of the exporter that tells of it.
  async interval(up) {
    const { result } = await ask(`api/v1/query?${new URLSearchParams({ query: up })}`);
    return result.length === 0 ? USUAL_INTERVAL_MS : intervalOf(result[0].metric.instance);
  }

  drawFacts(server) {
    if (!server) {
      show(this.facts, nothing("This server was not seen in the last day; older figures may stand below."));
      return;
    }
    show(this.facts, facts([
      ["Packets in", rate(server.packetsInPerSecond)], ["Packets out", rate(server.packetsOutPerSecond)],
      ["Connections", number(server.connections)], ["Queued", number(server.queuedPackets)],
      ["CPU", percent(server.cpuPercent, 1)], ["Memory", bytes(server.memoryBytes)],
      ["On disk", bytes(server.journalBytes)], ["Uptime", duration(server.uptimeSeconds)]]));
  }
}
