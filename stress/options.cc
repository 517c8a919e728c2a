#include "stress/options.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/duration.h"
#include "base/flags.h"
#include "base/suggest.h"
#include "stress/stamp.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

constexpr std::string_view kScheme = "mqtt://";

struct RawOptions {
  std::string command, scenario, duration = "10s", target = "mqtt://127.0.0.1:1883";
  std::int64_t qos = 0, seed = 1;
  bool owned = false;
};

Status InRange(std::string_view flag, std::int64_t value, std::int64_t min, std::int64_t max) {
  if (value >= min && value <= max) return {};
  return Fail(ErrorCode::kInvalid, "--{}: {} is out of range (write {} to {})", flag, value, min,
              max);
}

Status ReadTarget(const std::string& text, bool owned, HostPort* target) {
  if (!text.starts_with(kScheme)) {
    return Fail(ErrorCode::kInvalid, "--target: \"{}\" is no target (write mqtt://HOST:PORT)",
                text);
  }
  Result<HostPort> address = ParseHostPort(std::string_view(text).substr(kScheme.size()));
  if (!address || address->host.empty() || address->port == 0) {
    return Fail(ErrorCode::kInvalid, "--target: \"{}\" is no target (write mqtt://HOST:PORT)",
                text);
  }
  if (!IsLoopback(address->host) && !owned) {
    return Fail(ErrorCode::kRefused,
                "--target: {} is not this machine; a load on someone else's server is an attack. "
                "If it is yours, say --i-own-this-target",
                address->host);
  }
  *target = *address;
  return {};
}

Status ReadScenario(const RawOptions& raw, Scenario* scenario) {
  if (Status ok = InRange("clients", scenario->clients, 1, kMaxClients); !ok) return ok;
  if (!(scenario->rate_per_s > 0 && scenario->rate_per_s <= kMaxRatePerS)) {
    return Fail(ErrorCode::kInvalid,
                "--rate: {} is out of range (write messages per second, up to {})",
                scenario->rate_per_s, WordNumber(kMaxRatePerS));
  }
  const Result<std::chrono::milliseconds> duration = ParseDuration(raw.duration);
  if (!duration) return Fail(ErrorCode::kInvalid, "--duration: {}", duration.error().message);
  if (*duration < kMinDuration || *duration > kMaxDuration) {
    return Fail(ErrorCode::kInvalid, "--duration: {} is out of range (write {} to {})",
                raw.duration, FormatDuration(kMinDuration), FormatDuration(kMaxDuration));
  }
  scenario->duration = *duration;
  const double messages = scenario->rate_per_s * static_cast<double>(duration->count()) / 1000;
  if (messages > kMaxMessages || messages < 1) {
    return Fail(ErrorCode::kInvalid,
                "--rate and --duration make {} messages in all (1 to {} are allowed)",
                WordNumber(messages), WordNumber(kMaxMessages));
  }
  if (Status ok = InRange("payload-bytes", scenario->payload_bytes, kStampBytes, kMaxPayloadBytes);
      !ok) {
    return ok;
  }
  if (Status ok = InRange("qos", raw.qos, 0, 1); !ok) return ok;
  scenario->qos = static_cast<int>(raw.qos);
  scenario->seed = static_cast<std::uint64_t>(raw.seed);
  return {};
}

// A run of an hour must not end in a report that cannot be written.
Status Writable(std::string_view flag, const std::string& path) {
  if (path.empty()) return {};
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return Fail(ErrorCode::kInvalid, "--{}: {} is a folder (write a file)", flag, path);
  }
  const std::string checked = folder.empty() ? "." : folder.string();
  if (access(checked.c_str(), W_OK | X_OK) == 0) return {};
  return Fail(ErrorCode::kInvalid, "--{}: cannot write into {}: {}", flag, checked,
              ErrnoText(errno));
}

Status CheckWords(const RawOptions& raw) {
  if (raw.command != "run") {
    return Fail(ErrorCode::kInvalid, "unknown command \"{}\" (write run){}", raw.command,
                DidYouMean(raw.command, {"run"}));
  }
  if (raw.scenario != "p2p") {
    return Fail(ErrorCode::kInvalid, "unknown scenario \"{}\" (write p2p){}", raw.scenario,
                DidYouMean(raw.scenario, {"p2p"}));
  }
  return {};
}

}  // namespace

Result<Options> ParseOptions(int argc, const char* const* argv) {
  Options options;
  RawOptions raw;
  Scenario& scenario = options.scenario;
  scenario.clients = 10;
  scenario.rate_per_s = 1000;
  Flags flags("cloud_stress",
              "Puts an open-loop load on a packet server, measures it from the intended send time, "
              "and writes a report.");
  flags.AddPositional("command", &raw.command, "run", true);
  flags.AddPositional("scenario", &raw.scenario, "p2p: publisher and subscriber pairs", true);
  flags.Add("clients", &scenario.clients, "Pairs; each has two connections and a topic");
  flags.Add("rate", &scenario.rate_per_s, "Messages per second, all pairs together");
  flags.Add("duration", &raw.duration, "How long to send: 10s, 2m, 1h");
  flags.Add("target", &raw.target, "The server: mqtt://HOST:PORT");
  flags.Add("payload-bytes", &scenario.payload_bytes, "Bytes of each payload, 32 or more");
  flags.Add("qos", &raw.qos, "0 or 1, for publishing and subscribing");
  flags.Add("seed", &raw.seed, "Of the payloads' filling");
  flags.Add("report", &options.report, "File for the HTML report");
  flags.Add("json", &options.json, "File for the same data as JSON");
  flags.Add(
      "server-pid", &options.server.server_pid,
      "The server's process, to watch CPU and memory; default: who listens on the target's port");
  flags.AddSwitch("i-own-this-target", &raw.owned, "Needed where the target is not loopback");
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  if (Status good = CheckWords(raw); !good) return Forward(good.error());
  if (Status good = ReadTarget(raw.target, raw.owned, &scenario.target); !good) {
    return Forward(good.error());
  }
  if (Status good = ReadScenario(raw, &scenario); !good) return Forward(good.error());
  if (Status good = Writable("report", options.report); !good) return Forward(good.error());
  if (Status good = Writable("json", options.json); !good) return Forward(good.error());
  if (options.server.server_pid < 0) {
    return Fail(ErrorCode::kInvalid, "--server-pid: {} is no pid", options.server.server_pid);
  }
  options.server.target = scenario.target;
  return options;
}

}  // namespace atalaya::stress
