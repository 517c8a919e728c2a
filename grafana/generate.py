"""Writes the files in dashboards/, which are kept in the tree: a panel is a line here, and thirty lines there.

    python3 grafana/generate.py
"""

import json
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HOST = 'job=~"$job",instance=~"$instance"'
SERVER = HOST + ',server=~"$server"'
RATE = "[$__rate_interval]"

RED_ABOVE_0 = [("green", None), ("red", 1e-9)]
SHARE = [("green", None), ("yellow", 0.8), ("red", 0.95)]
# As the shipped rules have them, rules/host.toml and rules/cloud_server.toml; tests/system/grafana_dashboard.py compares.
DISK_USED = [("green", None), ("yellow", 0.85), ("red", 0.95)]
INODES_USED = [("green", None), ("red", 0.9)]
MEMORY_USED = [("green", None), ("red", 0.95)]
CPU_BUSY = [("green", None), ("red", 0.95)]
LOAD = [("green", None), ("red", 4)]
TEMPERATURE = [("green", None), ("red", 80)]
HEARTBEAT = [("green", None), ("red", 3)]
UP = [("red", None), ("green", 1)]
UP_WORDS = {"0": {"text": "down", "index": 0}, "1": {"text": "up", "index": 1}}

NOT_IN_MEMORY = HOST + ',fstype!~"tmpfs|ramfs"'
DISK_SHARE = f"1 - node_filesystem_avail_bytes{{{NOT_IN_MEMORY}}} / node_filesystem_size_bytes{{{NOT_IN_MEMORY}}}"
INODE_SHARE = f"1 - node_filesystem_files_free{{{NOT_IN_MEMORY}}} / node_filesystem_files{{{NOT_IN_MEMORY}}}"
MEMORY_SHARE = f"1 - node_memory_MemAvailable_bytes{{{HOST}}} / node_memory_MemTotal_bytes{{{HOST}}}"
CPU_SHARE = f'1 - avg by (instance) (rate(node_cpu_seconds_total{{{HOST},mode="idle"}}{RATE}))'
LOAD_PER_CPU = (f"node_load1{{{HOST}}} / on (instance, job) "
                f'count by (instance, job) (node_cpu_seconds_total{{{HOST},mode="idle"}})')


def rate(metric: str, labels: str = SERVER, more: str = "") -> str:
    return f"rate({metric}{{{labels}{more}}}{RATE})"


def gauge(metric: str, labels: str = SERVER, more: str = "") -> str:
    return f"{metric}{{{labels}{more}}}"


def quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, sum by (server, le) ({rate(metric + '_bucket')}))"


def by(labels: str, expression: str) -> str:
    return f"sum by ({labels}) ({expression})"


def panel(kind: str, title: str, description: str, unit: str, *queries: tuple[str, str], width: int = 8, height: int = 7,
          steps=None, stack: bool = False, words: dict | None = None) -> dict:
    """`queries`: expression and legend; `steps`: colour and from which value; `words`: what is shown in place of a value."""
    instant = kind != "timeseries"
    made = {
        "type": kind, "title": title, "description": description, "datasource": SOURCE,
        "gridPos": {"h": height, "w": width},
        "targets": [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expression, "legendFormat": legend,
                     "instant": instant, "range": not instant} for i, (expression, legend) in enumerate(queries)],
        "fieldConfig": {"defaults": {
            "unit": unit, "min": 0,
            "thresholds": {"mode": "absolute", "steps": [{"color": c, "value": v} for c, v in steps or [("green", None)]]},
            "color": {"mode": "thresholds" if instant else "palette-classic"}}, "overrides": []},
    }
    if words:
        made["fieldConfig"]["defaults"]["mappings"] = [{"type": "value", "options": words}]
    if kind == "timeseries":
        made["fieldConfig"]["defaults"]["custom"] = {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stack else 10, "showPoints": "never",
            "stacking": {"mode": "normal" if stack else "none"}, "thresholdsStyle": {"mode": "line" if steps else "off"}}
        made["options"] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                           "tooltip": {"mode": "multi", "sort": "desc"}}
    elif kind == "table":
        made["targets"][0]["format"] = "table"
        made["options"] = {"showHeader": True}
    else:
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "orientation": "auto"}
        if kind == "stat":
            made["options"] |= {"colorMode": "background" if steps else "value", "graphMode": "none", "textMode": "auto"}
    return made


def row(title: str) -> dict:
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"h": 1, "w": 24}}


def lay_out(panels: list[dict]) -> list[dict]:
    """Gives each panel its id, and its place: from left to right, then down."""
    x = y = deepest = 0
    for number, made in enumerate(panels, start=1):
        grid = made["gridPos"]
        if x + grid["w"] > 24:
            x, y = 0, deepest
        made["id"] = number
        grid |= {"x": x, "y": y}
        x += grid["w"]
        deepest = max(deepest, y + grid["h"])
    return panels


def variable(name: str, label: str, query: str) -> dict:
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": query,
            "query": {"query": query, "refId": f"Variable-{name}"}, "refresh": 2, "includeAll": True, "multi": True,
            "allValue": ".*", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "sort": 1, "hide": 0}


def annotation(name: str, colour: str, expression: str, title: str) -> dict:
    return {"name": name, "enable": True, "hide": False, "iconColor": colour, "datasource": SOURCE, "expr": expression,
            "titleFormat": title, "step": "15s"}


def dashboard(name: str, title: str, description: str, panels: list[dict], servers: bool):
    variables = [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0, "refresh": 1,
         "current": {"selected": False, "text": "Atalaya", "value": "atalaya"}, "multi": False, "includeAll": False, "regex": ""},
        variable("job", "Job", "label_values(node_uname_info, job)"),
        variable("instance", "Instance", 'label_values(node_uname_info{job=~"$job"}, instance)'),
    ]
    annotations = [annotation("Alerts", "red", 'ALERTS{alertstate="firing"}', "{{alertname}}")]
    if servers:
        variables.append(variable("server", "Server", f"label_values(cloud_server_up{{{HOST}}}, server)"))
        annotations.append(annotation("Server starts", "blue", f"resets(cloud_server_uptime_seconds{{{SERVER}}}{RATE}) > 0",
                                      "{{server}} was started"))
    annotations.append(annotation("Boots", "purple", f"changes(node_boot_time_seconds{{{HOST}}}{RATE}) > 0",
                                  "{{instance}} was booted"))
    made = {
        "uid": f"atalaya-{name}", "title": f"Atalaya / {title}", "description": description, "tags": ["atalaya"],
        "schemaVersion": 38, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"}, "timezone": "browser",
        "links": [{"type": "dashboards", "title": "Atalaya", "tags": ["atalaya"], "asDropdown": True, "includeVars": True,
                   "keepTime": True, "icon": "external link", "targetBlank": False}],
        "annotations": {"list": annotations}, "templating": {"list": variables}, "panels": lay_out(panels)}
    (FOLDER / f"{name}.json").write_text(json.dumps(made, indent=2) + "\n")


def firing(width: int) -> dict:
    return panel("stat", "Firing", "Alerts that fire now.", "none", ('count(ALERTS{alertstate="firing"}) or vector(0)', "firing"),
                 width=width, height=5, steps=RED_ABOVE_0)


def alert_table(width: int) -> dict:
    return panel("table", "Alerts", "Each alert that is pending or fires, with its labels.", "none", ("ALERTS", "{{alertname}}"),
                 width=width, height=5)


def overview():
    dashboard("overview", "Overview", "Is it healthy, and what needs me: the packet servers and the machines they run on.", [
        row("What needs me"),
        firing(width=4),
        panel("stat", "Servers", "Whether each packet server runs and its loops turn. Anything but up needs somebody.", "none",
              (f"max by (instance, server) ({gauge('cloud_server_up')})", "{{server}}"), width=4, height=5, steps=UP, words=UP_WORDS),
        panel("stat", "Exporters", "Whether the exporter of each host can be scraped.", "none",
              (gauge("up", HOST), "{{instance}}"), width=4, height=5, steps=UP, words=UP_WORDS),
        alert_table(width=12),
        panel("table", "State", "Each server is up, hung (alive, a loop does not turn), dead (gone without a word), stopping or absent.",
              "none", (gauge("cloud_server_state") + " == 1", "{{server}}: {{state}}"), width=12, height=5),
        panel("stat", "Server uptime", "How long each server has been running. A small number after a large one is a restart.", "s",
              (gauge("cloud_server_uptime_seconds"), "{{server}}"), width=6, height=5),
        panel("stat", "Host uptime", "How long each host has been running.", "s",
              (gauge("node_time_seconds", HOST) + " - " + gauge("node_boot_time_seconds", HOST), "{{instance}}"), width=6, height=5),
        row("Servers"),
        panel("timeseries", "Packets", "MQTT packets in and out of each server each second, all types together.", "pps",
              (by("server", rate("cloud_server_packets_received_total")), "{{server}}: received"),
              (by("server", rate("cloud_server_packets_sent_total")), "{{server}}: sent")),
        panel("timeseries", "Connections", "Connections open now, and accepted each minute: a storm of reconnects lifts the second line.",
              "short", (by("server", gauge("cloud_server_connections")), "{{server}}: open"),
              ("60 * " + by("server", rate("cloud_server_connections_accepted_total")), "{{server}}: accepted/min")),
        panel("timeseries", "Dropped and malformed", "Publishes that a subscriber did not get, and packets that broke the protocol.", "pps",
              (by("server, reason", rate("cloud_server_publishes_dropped_total")), "{{server}}: dropped, {{reason}}"),
              (by("server", rate("cloud_server_packets_malformed_total")), "{{server}}: malformed"), steps=RED_ABOVE_0),
        panel("timeseries", "Loop heartbeat age", "How long ago the slowest loop of each server turned; over 3 s it counts as hung.", "s",
              (f"max by (server) ({gauge('cloud_server_loop_heartbeat_age_seconds')})", "{{server}}"), steps=HEARTBEAT),
        panel("timeseries", "Server CPU", "CPUs that each server uses.", "none",
              (rate("cloud_server_process_cpu_seconds_total"), "{{server}}")),
        panel("timeseries", "Server memory", "Memory of each server that is in RAM.", "bytes",
              (gauge("cloud_server_process_resident_memory_bytes"), "{{server}}")),
        row("Hosts"),
        panel("timeseries", "CPU busy", "Share of all CPUs that is busy; CpuBusy fires at 95%.", "percentunit",
              (CPU_SHARE, "{{instance}}"), steps=CPU_BUSY),
        panel("timeseries", "Memory used", "Share of the memory that could not be given to a new program; MemoryLow fires at 95%.",
              "percentunit", (MEMORY_SHARE, "{{instance}}"), steps=MEMORY_USED),
        panel("timeseries", "Load", "Load average over one minute for each CPU; LoadHigh fires above 4.", "short",
              (LOAD_PER_CPU, "{{instance}}"), steps=LOAD),
        panel("bargauge", "Space used", "Share of each file system that is used; the shipped rules warn at 85% and alert at 95%.",
              "percentunit", (DISK_SHARE, "{{instance}} {{mountpoint}}"), width=12, steps=DISK_USED),
        panel("timeseries", "Network", "Bytes received and sent each second, by device.", "Bps",
              (rate("node_network_receive_bytes_total", HOST), "{{instance}} {{device}} received"),
              (rate("node_network_transmit_bytes_total", HOST), "{{instance}} {{device}} sent"), width=12),
    ], servers=True)


def server():
    dashboard("server", "Server", "Packets through cloud_server: how many, what went wrong, how long they wait, what is full.", [
        row("Rate"),
        panel("timeseries", "Packets received", "Packets read from clients each second, by MQTT packet type.", "pps",
              (by("type", rate("cloud_server_packets_received_total")) + " > 0", "{{type}}"), width=12, stack=True),
        panel("timeseries", "Packets sent", "Packets written to clients each second, by MQTT packet type.", "pps",
              (by("type", rate("cloud_server_packets_sent_total")) + " > 0", "{{type}}"), width=12, stack=True),
        panel("timeseries", "Publishes", "Publishes taken and delivered each second, by quality of service.", "pps",
              (by("qos", rate("cloud_server_publishes_received_total")), "received, QoS {{qos}}"),
              (by("qos", rate("cloud_server_publishes_delivered_total")), "delivered, QoS {{qos}}")),
        panel("timeseries", "Bytes", "Bytes read from and written to clients each second.", "Bps",
              (by("server", rate("cloud_server_received_bytes_total")), "received by {{server}}"),
              (by("server", rate("cloud_server_sent_bytes_total")), "sent by {{server}}")),
        panel("timeseries", "Connections accepted", "Connections taken from the listeners each second.", "none",
              (by("server", rate("cloud_server_connections_accepted_total")), "{{server}}")),
        row("Errors"),
        panel("timeseries", "Connections closed", "Connections that ended each second, by reason.", "none",
              (by("reason", rate("cloud_server_connections_closed_total")), "{{reason}}"), stack=True),
        panel("timeseries", "Connections refused", "CONNECT packets answered with a refusal each second, by reason.", "none",
              (by("reason", rate("cloud_server_connections_refused_total")), "{{reason}}"), steps=RED_ABOVE_0),
        panel("timeseries", "Malformed packets", "Packets that broke the protocol each second, by what was wrong.", "none",
              (by("reason", rate("cloud_server_packets_malformed_total")), "{{reason}}"), steps=RED_ABOVE_0),
        panel("timeseries", "Publishes dropped", "Publishes that a subscriber should have had and did not get, by reason.", "pps",
              (by("reason", rate("cloud_server_publishes_dropped_total")), "{{reason}}"), width=12, steps=RED_ABOVE_0),
        panel("timeseries", "Publishes nobody took", "Publishes that no subscription matched, and those sent again.", "pps",
              (by("server", rate("cloud_server_publishes_unrouted_total")), "{{server}}: unrouted"),
              (by("server", rate("cloud_server_publishes_resent_total")), "{{server}}: sent again"), width=12),
        row("Waiting"),
        panel("timeseries", "Waiting publishes", "Publishes that wait in sessions for their client or for room in flight.", "short",
              (gauge("cloud_server_queue_packets"), "{{server}}")),
        panel("timeseries", "Waiting bytes", "Bytes that wait in sessions, and bytes that the kernel has not taken yet.", "bytes",
              (gauge("cloud_server_queue_bytes"), "{{server}}: sessions"),
              (gauge("cloud_server_output_buffer_bytes"), "{{server}}: output")),
        panel("timeseries", "In flight", "Publishes of QoS 1 and 2 that wait for an acknowledgement, by direction.", "short",
              (by("direction", gauge("cloud_server_inflight_packets")), "{{direction}}")),
        row("Latency"),
        panel("timeseries", "From publish to delivery", "From a publish being read to its deliveries being sent, the slowest of each turn of a loop: median and 99th percentile.",
              "s", (quantile(0.5, "cloud_server_publish_delivery_seconds"), "{{server}}: p50"),
              (quantile(0.99, "cloud_server_publish_delivery_seconds"), "{{server}}: p99")),
        panel("timeseries", "Loop lag", "How late an event loop comes to what waits for it: 99th percentile.", "s",
              (quantile(0.99, "cloud_server_loop_lag_seconds"), "{{server}}: p99")),
        row("Journal"),
        panel("timeseries", "Commit latency", "Time from the first record of a commit to all of it on disk: median and 99th percentile.", "s",
              (quantile(0.5, "cloud_server_journal_commit_seconds"), "{{server}}: p50"),
              (quantile(0.99, "cloud_server_journal_commit_seconds"), "{{server}}: p99")),
        panel("timeseries", "Journal bytes", "Bytes that are not durable yet, and the size of the journal's segments.", "bytes",
              (gauge("cloud_server_journal_pending_bytes"), "{{server}}: pending"),
              (gauge("cloud_server_journal_file_bytes"), "{{server}}: on disk")),
        panel("timeseries", "Commits", "Commits of the journal, and the records in them, each second.", "none",
              (by("server", rate("cloud_server_journal_commit_seconds_count")), "{{server}}: commits"),
              (by("server", rate("cloud_server_journal_records_total")), "{{server}}: records")),
        row("Saturation"),
        panel("timeseries", "Loop busy", "Share of its time that an event loop works rather than waits. At 1 it is the limit.",
              "percentunit", (rate("cloud_server_loop_busy_seconds_total"), "{{server}}"), steps=SHARE),
        panel("timeseries", "Loop heartbeat age", "How long ago each loop said that it turns; over 3 s the server counts as hung.",
              "s", (gauge("cloud_server_loop_heartbeat_age_seconds"), "{{server}} loop {{loop}}"), steps=HEARTBEAT),
        panel("timeseries", "Sessions and subscriptions", "Sessions by whether their client is connected, and subscriptions.",
              "short", (by("state", gauge("cloud_server_sessions")), "sessions, {{state}}"),
              (by("server", gauge("cloud_server_subscriptions")), "subscriptions")),
        panel("timeseries", "CPU", "CPUs that the server's process uses.", "none",
              (rate("cloud_server_process_cpu_seconds_total"), "{{server}}")),
        panel("timeseries", "Memory", "Memory of the server's process that is in RAM, and what retained messages take.", "bytes",
              (gauge("cloud_server_process_resident_memory_bytes"), "{{server}}: resident"),
              (gauge("cloud_server_retained_bytes"), "{{server}}: retained messages")),
        panel("timeseries", "File descriptors", "Share of its file descriptors that the server has open.", "percentunit",
              (gauge("cloud_server_process_open_fds") + " / " + gauge("cloud_server_process_max_fds"), "{{server}}"), steps=SHARE),
    ], servers=True)


def host():
    dashboard("host", "Host", "The machine: how much of each resource is used, how much waits for it, what fails.", [
        row("CPU"),
        panel("timeseries", "CPU by mode", "CPUs in use, by what they do.", "none",
              (by("mode", rate("node_cpu_seconds_total", HOST, ',mode!="idle"')), "{{mode}}"), stack=True),
        panel("timeseries", "Waiting for CPU", "Share of time in which something could have run and had no CPU.", "percentunit",
              (rate("node_pressure_cpu_waiting_seconds_total", HOST), "{{instance}}")),
        panel("timeseries", "Load", "Load average over one minute for each CPU; LoadHigh fires above 4.", "short",
              (LOAD_PER_CPU, "{{instance}}"), steps=LOAD),
        row("Memory"),
        panel("timeseries", "Memory used", "Share of the memory that could not be given to a new program; MemoryLow fires at 95%.",
              "percentunit", (MEMORY_SHARE, "{{instance}}"), steps=MEMORY_USED),
        panel("timeseries", "Paging", "Pages read from and written to disk each second, swap included.", "none",
              (rate("node_vmstat_pgpgin", HOST), "{{instance}}: in"), (rate("node_vmstat_pgpgout", HOST), "{{instance}}: out")),
        panel("timeseries", "Waiting for memory", "Share of time in which something waited for memory; processes killed for it.",
              "percentunit", (rate("node_pressure_memory_waiting_seconds_total", HOST), "{{instance}}: pressure"),
              (rate("node_vmstat_oom_kill", HOST), "{{instance}}: kills/s"), steps=[("green", None), ("red", 0.1)]),
        row("Disks"),
        panel("bargauge", "Space used", "Share of each file system that is used; the shipped rules warn at 85% and alert at 95%.",
              "percentunit", (DISK_SHARE, "{{instance}} {{mountpoint}}"), steps=DISK_USED),
        panel("timeseries", "Disk busy", "Share of time in which a disk had at least one request under way.", "percentunit",
              (rate("node_disk_io_time_seconds_total", HOST), "{{instance}} {{device}}"), steps=SHARE),
        panel("timeseries", "Disk traffic", "Bytes read from and written to disks each second.", "Bps",
              (rate("node_disk_read_bytes_total", HOST), "{{device}} read"),
              (rate("node_disk_written_bytes_total", HOST), "{{device}} written")),
        panel("timeseries", "Inodes used", "Share of each file system's inodes that is used; InodesLow fires at 90%.", "percentunit",
              (INODE_SHARE, "{{instance}} {{mountpoint}}"), width=12, steps=INODES_USED),
        panel("timeseries", "Waiting for disks", "Share of time in which something waited for a disk.", "percentunit",
              (rate("node_pressure_io_waiting_seconds_total", HOST), "{{instance}}"), width=12),
        row("Network"),
        panel("timeseries", "Network traffic", "Bytes received and sent each second, by device.", "Bps",
              (rate("node_network_receive_bytes_total", HOST), "{{device}} received"),
              (rate("node_network_transmit_bytes_total", HOST), "{{device}} sent")),
        panel("timeseries", "Network errors", "Packets with errors and packets dropped each second, by device.", "pps",
              (rate("node_network_receive_errs_total", HOST) + " + " + rate("node_network_transmit_errs_total", HOST), "{{device}} errors"),
              (rate("node_network_receive_drop_total", HOST) + " + " + rate("node_network_transmit_drop_total", HOST), "{{device}} dropped"),
              steps=RED_ABOVE_0),
        panel("timeseries", "TCP", "Connections open, and segments sent again each second.", "short",
              (gauge("node_netstat_Tcp_CurrEstab", HOST), "{{instance}}: connections"),
              (rate("node_netstat_Tcp_RetransSegs", HOST), "{{instance}}: sent again")),
        row("The rest"),
        panel("timeseries", "Temperature", "Of each sensor; the shipped rule alerts over 80 degrees.", "celsius",
              (gauge("node_hwmon_temp_celsius", HOST), "{{instance}} {{chip}} {{sensor}}"), steps=TEMPERATURE),
        panel("timeseries", "Open files", "Share of the machine's file handles that is in use.", "percentunit",
              (gauge("node_filefd_allocated", HOST) + " / " + gauge("node_filefd_maximum", HOST), "{{instance}}"), steps=SHARE),
        panel("timeseries", "Clock", "How far the clock may be wrong at most.", "s",
              (gauge("node_timex_maxerror_seconds", HOST), "{{instance}}")),
        panel("table", "Collectors that failed", "Collectors that gave nothing in the last scrape; most find nothing to measure.", "none",
              (gauge("node_scrape_collector_success", HOST) + " == 0", "{{collector}}"), width=24),
    ], servers=False)


def alerts():
    dashboard("alerts", "Alerts", "What fires, since when, and the figures that the shipped rules look at.", [
        row("Now"),
        firing(width=4),
        panel("stat", "Pending", "Alerts whose condition holds, though not yet for as long as the rule asks.", "none",
              ('count(ALERTS{alertstate="pending"}) or vector(0)', "pending"), width=4, height=5,
              steps=[("green", None), ("yellow", 1)]),
        alert_table(width=16),
        panel("timeseries", "Firing over time", "How many alerts fired, by name and severity.", "none",
              ('count by (alertname, severity) (ALERTS{alertstate="firing"})', "{{alertname}} ({{severity}})"), width=24, stack=True),
        row("What the rules look at"),
        panel("timeseries", "Servers up", "1 while a packet server is up; ServerDown and ServerHung look at its state.", "none",
              (gauge("cloud_server_up"), "{{server}}")),
        panel("timeseries", "Loop heartbeat age", "The oldest heartbeat of each server; over 3 s it counts as hung.", "s",
              (f"max by (server) ({gauge('cloud_server_loop_heartbeat_age_seconds')})", "{{server}}"), steps=HEARTBEAT),
        panel("timeseries", "Exporters", "1 while the exporter of a host can be scraped; ExporterDown looks at it.", "none",
              (gauge("up", HOST), "{{instance}}")),
        panel("timeseries", "Disk space used", "DiskSpaceLow fires at 85%, DiskSpaceCritical at 95%.", "percentunit",
              (DISK_SHARE, "{{instance}} {{mountpoint}}"), width=12, steps=DISK_USED),
        panel("timeseries", "Temperature", "TemperatureHigh fires over 80 degrees.", "celsius",
              (gauge("node_hwmon_temp_celsius", HOST), "{{instance}} {{chip}} {{sensor}}"), width=12, steps=TEMPERATURE),
    ], servers=True)


def stress():
    per_publish = (by("server", rate("cloud_server_process_cpu_seconds_total")) + " / (" +
                   by("server", rate("cloud_server_publishes_delivered_total")) + " > 0)")
    response = f"sum by (instance, le) ({rate('cloud_stress_response_seconds_bucket', HOST)})"
    dashboard("stress", "Stress run", "A load run as the generator, the server and its machine see it: what was planned, what went in, "
              "what came out, how late, and what it cost.", [
        row("Generator"),
        panel("timeseries", "Planned, sent, delivered", "As cloud_stress counts, with --metrics-listen: a gap between planned and sent is a "
              "server that does not read, or a generator that is late.", "pps",
              (rate("cloud_stress_messages_planned_total", HOST), "{{instance}}: planned"),
              (rate("cloud_stress_messages_sent_total", HOST), "{{instance}}: sent"),
              (rate("cloud_stress_deliveries_total", HOST), "{{instance}}: delivered")),
        panel("timeseries", "Response time", "From the moment a message was due to its receipt.", "s",
              (f"histogram_quantile(0.5, {response})", "{{instance}}: p50"),
              (f"histogram_quantile(0.99, {response})", "{{instance}}: p99")),
        panel("timeseries", "Generator's connections and CPU", "Connections that are ready, of those wanted; failures each second; CPUs "
              "that the generator uses.", "short",
              (gauge("cloud_stress_connections", HOST), "{{instance}}: ready"),
              (gauge("cloud_stress_connections_wanted", HOST), "{{instance}}: wanted"),
              (rate("cloud_stress_connection_failures_total", HOST), "{{instance}}: failures/s"),
              (rate("cloud_stress_generator_cpu_seconds_total", HOST), "{{instance}}: CPUs")),
        row("Load"),
        panel("timeseries", "In and out", "Publishes taken and delivered each second: with one subscriber each they should lie on each other.",
              "pps", (by("server", rate("cloud_server_publishes_received_total")), "{{server}}: in"),
              (by("server", rate("cloud_server_publishes_delivered_total")), "{{server}}: out"), width=12, height=9),
        panel("timeseries", "Payload", "Payload bytes taken and delivered each second.", "Bps",
              (by("server", rate("cloud_server_publish_received_payload_bytes_total")), "{{server}}: in"),
              (by("server", rate("cloud_server_publish_delivered_payload_bytes_total")), "{{server}}: out"), width=12, height=9),
        panel("timeseries", "Connections", "Connections open, and accepted each second.", "short",
              (gauge("cloud_server_connections"), "{{server}}: open"),
              (by("server", rate("cloud_server_connections_accepted_total")), "{{server}}: accepted/s")),
        panel("timeseries", "Lost", "Publishes dropped each second, by reason, and connections closed for being slow or broken.", "pps",
              (by("reason", rate("cloud_server_publishes_dropped_total")), "dropped: {{reason}}"),
              (by("reason", rate("cloud_server_connections_closed_total", SERVER, ',reason=~"slow_consumer|malformed|protocol_error|io_error"')),
               "closed: {{reason}}"), steps=RED_ABOVE_0),
        panel("timeseries", "Waiting", "Bytes that wait in sessions and in the output of connections.", "bytes",
              (gauge("cloud_server_queue_bytes"), "{{server}}: sessions"),
              (gauge("cloud_server_output_buffer_bytes"), "{{server}}: output")),
        row("Cost"),
        panel("timeseries", "CPU for each delivery", "CPU time of the server for each publish it delivers.", "s",
              (per_publish, "{{server}}"), width=8),
        panel("timeseries", "Server CPU", "CPUs that the server uses, and how busy its loops are together.", "none",
              (rate("cloud_server_process_cpu_seconds_total"), "{{server}}: CPU"),
              (rate("cloud_server_loop_busy_seconds_total"), "{{server}}: loops busy")),
        panel("timeseries", "Server memory", "Memory of the server's process that is in RAM.", "bytes",
              (gauge("cloud_server_process_resident_memory_bytes"), "{{server}}")),
        panel("timeseries", "Host CPU", "CPUs in use, by what they do; the load generator's part is in it.", "none",
              (by("mode", rate("node_cpu_seconds_total", HOST, ',mode!="idle"')), "{{mode}}"), stack=True),
        panel("timeseries", "Context switches", "Context switches of the machine each second.", "short",
              (rate("node_context_switches_total", HOST), "{{instance}}")),
        panel("timeseries", "Network", "Bytes received each second, by device; runs on one machine go through lo.", "Bps",
              (rate("node_network_receive_bytes_total", HOST), "{{instance}} {{device}}")),
    ], servers=True)


DASHBOARDS = [overview, server, host, alerts, stress]

if __name__ == "__main__":
    for write in DASHBOARDS:
        write()
