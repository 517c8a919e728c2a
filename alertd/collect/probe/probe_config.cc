#include "alertd/collect/probe/probe_config.h"

#include <re2/re2.h>

#include <algorithm>

#include "base/http_transfers.h"
#include "mqtt/client_level.h"
#include "mqtt/topic.h"

namespace atalaya::alertd {
namespace {

constexpr std::chrono::milliseconds kSeldom{60'000};          // Of files and commands.
constexpr std::chrono::milliseconds kCommandTimeout{10'000};  // By default.
constexpr std::string_view kTopicPrefix = "atalaya/probe/";   // Of round trips.

std::string CheckRegex(ConfigTable& table, std::string_view key, const std::string& regex) {
  RE2::Options quiet;
  quiet.set_log_errors(false);
  const RE2 compiled(regex, quiet);
  if (!compiled.ok())
    table.Fault(key, fmt::format("\"{}\" is no regular expression: {}", regex, compiled.error()));
  return regex;
}

std::string ReadRegex(ConfigTable& table, std::string_view key) {
  return CheckRegex(table, key, table.String(key));
}

// `tls = true` for a kind that is not TLS by itself, and the keys that go with it.
ProbeTls ReadTlsKeys(ConfigTable& table, bool always) {
  ProbeTls tls;
  tls.on = always || table.Bool("tls", false);
  tls.ca_file = table.Path("ca_file");
  tls.server_name = table.String("server_name");
  if (!tls.on && (!tls.ca_file.empty() || !tls.server_name.empty()))
    table.Fault(tls.ca_file.empty() ? "server_name" : "ca_file", "needs tls = true");
  return tls;
}

bool IsStatusPattern(std::string_view status) {
  return status.size() == 3 && status[0] >= '1' && status[0] <= '5' &&
         status.find_first_not_of("0123456789x") == std::string_view::npos;
}

void ReadHttpKeys(ConfigTable& table, ProbeConfig& probe) {
  HttpProbeConfig& http = probe.http;
  const Result<HostPort> server = ServerOfUrl(probe.target);
  if (!server && !probe.target.empty()) table.Fault("target", server.error().message);
  http.method = table.String("method", http.method);
  if (http.method.empty() ||
      http.method.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos)
    table.Fault("method", fmt::format("\"{}\" is no method (write GET)", http.method));
  http.headers = table.StringMap("headers");
  http.body = table.String("body");
  http.status = table.Strings("status", http.status);
  for (const std::string& status : http.status) {
    if (!IsStatusPattern(status))
      table.Fault("status", fmt::format("\"{}\" is no status (write \"200\" or \"2xx\")", status));
  }
  http.expect = ReadRegex(table, "expect");
  http.reject = ReadRegex(table, "reject");
  for (const auto& [name, regex] : table.StringMap("expect_headers")) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    http.expect_headers[lower] = CheckRegex(table, "expect_headers", regex);
  }
  http.follow_redirects = table.Bool("follow_redirects", true);
  ReadAuthorization(table,
                    {&http.username, &http.password, &http.bearer_token, &probe.tls.ca_file});
}

void ReadMqttKeys(ConfigTable& table, ProbeConfig& probe) {
  MqttProbeConfig& mqtt = probe.mqtt;
  mqtt.username = table.String("username");
  mqtt.password = table.Secret("password_file");
  if (mqtt.username.empty() && !mqtt.password.empty())
    table.Fault("password_file", "needs a username");
  mqtt.round_trip = table.Bool("round_trip", false);
  mqtt.topic =
      table.String("topic", fmt::format("{}{}", kTopicPrefix, mqtt::EncodeClientId(probe.name)));
  if (!mqtt::IsValidTopicName(mqtt.topic) || !mqtt::IsValidUtf8(mqtt.topic))
    table.Fault("topic", fmt::format("\"{}\" is no topic to publish on", mqtt.topic));
  if (table.Has("topic") && !mqtt.round_trip) table.Fault("topic", "needs round_trip = true");
}

void ReadFileKeys(ConfigTable& table, ProbeConfig& probe) {
  probe.file.path = probe.target = table.Path("path");
  if (probe.target.empty())
    table.Fault(
        fmt::format("{}: \"path\" is missing (write path = \"/var/backups/*.gz\")", table.Name()));
  probe.file.max_age = table.Duration("max_age", probe.file.max_age);
  probe.file.min_size = table.Size("min_size", probe.file.min_size);
}

void ReadCommandKeys(ConfigTable& table, ProbeConfig& probe) {
  probe.command = table.Strings("command");
  if (probe.command.empty()) {
    table.Fault(
        fmt::format("{}: \"command\" is missing (write command = "
                    "[\"/usr/lib/nagios/plugins/check_load\", \"-w\", \"5,4,3\"])",
                    table.Name()));
    return;
  }
  probe.target = probe.command.front();  // The rest may hold what not everybody should see.
  if (!probe.target.starts_with('/'))
    table.Fault("command",
                fmt::format("\"{}\" must be a whole path: no shell looks for it", probe.target));
}

// Of tcp, tls and mqtt.
void ReadConnectionKeys(ConfigTable& table, ProbeConfig& probe, bool tls) {
  probe.address = ReadAddress(table, "target");
  probe.target = probe.address.ToString();
  probe.tls = ReadTlsKeys(table, tls);
  probe.hold = table.Bool("hold", false);
}

void ReadPingKeys(ConfigTable& table, ProbeConfig& probe) {
  probe.target = table.RequiredString("target");
  probe.address.host = probe.target;
  if (!IsNumericAddress(probe.target) && probe.target.find_first_of(":/ ") != std::string::npos)
    table.Fault("target",
                fmt::format("\"{}\" is no host (write 192.0.2.1 or a name)", probe.target));
}

}  // namespace

ProbeConfig ReadProbe(ConfigTable& table) {
  ProbeConfig probe;
  probe.name = table.RequiredString("name");
  const std::string kind =
      table.OneOf("kind", "tcp", {"http", "tcp", "tls", "icmp", "mqtt", "file", "command"});
  if (kind == "http") {
    probe.kind = ProbeKind::kHttp;
    probe.target = table.RequiredString("target");
    ReadHttpKeys(table, probe);
  } else if (kind == "icmp") {
    probe.kind = ProbeKind::kIcmp;
    ReadPingKeys(table, probe);
  } else if (kind == "mqtt") {
    probe.kind = ProbeKind::kMqtt;
    ReadConnectionKeys(table, probe, false);
    ReadMqttKeys(table, probe);
  } else if (kind == "file") {
    probe.kind = ProbeKind::kFile;
    probe.interval = kSeldom;
    ReadFileKeys(table, probe);
  } else if (kind == "command") {
    probe.kind = ProbeKind::kCommand;
    probe.interval = kSeldom;
    probe.timeout = kCommandTimeout;
    ReadCommandKeys(table, probe);
  } else {
    ReadConnectionKeys(table, probe, kind == "tls");
    probe.send = table.String("send");
    probe.expect = ReadRegex(table, "expect");
  }
  ReadTimes(table, probe.interval, probe.timeout);
  probe.retries = static_cast<int>(table.Integer("retries", probe.retries, 0, kMaxRetries));
  probe.recovery = static_cast<int>(table.Integer("recovery", probe.recovery, 1, kMaxRecovery));
  probe.labels = ReadLabels(table, "labels", {"probe"});
  ReadProcessLabel(table, probe.labels);
  return probe;
}

}  // namespace atalaya::alertd
