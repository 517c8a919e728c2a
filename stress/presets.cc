#include "stress/presets.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>

#include "base/suggest.h"

namespace atalaya::stress {
namespace {

struct Preset {
  const char* name;
  const char* text;
};

constexpr char kTenPairs[] = R"(
[[flow]]
name = "pairs"
publishers = 10
subscribers = 10
rate = 1000
)";

// `#pairs` stands for kTenPairs.
constexpr Preset kPresets[] = {
    {"p2p", R"(description = "Publisher and subscriber pairs at a steady rate."
#pairs
[[phase]]
name = "load"
duration = "10s"
)"},
    {"ramp", R"(description = "From nothing to the full rate and beyond, evenly."
#pairs
[[phase]]
name = "ramp"
duration = "20s"
load = 0
load_to = 2
)"},
    {"steps", R"(description = "The rate in steps: latency by throughput."
#pairs
[[phase]]
name = "25 %"
duration = "5s"
load = 0.25
[[phase]]
name = "50 %"
duration = "5s"
load = 0.5
[[phase]]
name = "100 %"
duration = "5s"
load = 1
[[phase]]
name = "200 %"
duration = "5s"
load = 2
[[phase]]
name = "400 %"
duration = "5s"
load = 4
)"},
    {"spike", R"(description = "A sudden burst of ten times the rate, and what comes after it."
#pairs
[[phase]]
name = "before"
duration = "5s"
[[phase]]
name = "spike"
duration = "2s"
load = 10
[[phase]]
name = "after"
duration = "8s"
assert = ["loss=0"]
)"},
    {"soak", R"(description = "A steady rate for an hour: does anything grow?"
assert = ["loss=0", "errors=0"]
#pairs
[[phase]]
name = "soak"
duration = "1h"
)"},
    {"overload", R"(description = "Far past saturation and back: does it recover?"
reconnect_after = "500ms"
#pairs
[[phase]]
name = "before"
duration = "5s"
[[phase]]
name = "overload"
duration = "5s"
load = 100
[[phase]]
name = "back"
duration = "5s"
[[phase]]
name = "after"
duration = "5s"
assert = ["p99<100ms", "loss=0"]
)"},
    {"reconnect-storm", R"(description = "Every connection is reset at once and comes back."
reconnect_after = "100ms"
assert = ["recover<10s"]
#pairs
[[phase]]
name = "load"
duration = "20s"
[[fault]]
kind = "reconnect"
at = "5s"
for = "0s"
)"},
    {"drain",
     R"(description = "Subscribers with kept sessions go away, their queues fill, and all come back at once."
version = "5"
reconnect_after = "100ms"
assert = ["loss=0"]
[[flow]]
name = "kept"
publishers = 10
subscribers = 10
rate = 1000
qos = 1
persistent = true
[[phase]]
name = "load"
duration = "20s"
[[fault]]
kind = "away"
at = "5s"
for = "5s"
)"},
    {"idle", R"(description = "Nine of ten connections are silent."
keep_alive = "30s"
[[flow]]
name = "talkers"
publishers = 50
subscribers = 50
rate = 500
[[flow]]
name = "silent"
idle = 900
[[phase]]
name = "load"
duration = "30s"
)"},
    {"faults", R"(description = "Everything that goes wrong around a server, one after the other."
reconnect_after = "100ms"
assert = ["loss=0", "recover<10s"]
#pairs
[[phase]]
name = "load"
duration = "60s"
[[fault]]
kind = "slow-readers"
at = "5s"
for = "4s"
count = 20
[[fault]]
kind = "half-open"
at = "12s"
for = "4s"
count = 200
[[fault]]
kind = "malformed"
at = "19s"
for = "2s"
count = 200
[[fault]]
kind = "connect-storm"
at = "24s"
for = "2s"
count = 500
[[fault]]
kind = "stop"
at = "30s"
for = "5s"
[[fault]]
kind = "kill"
at = "44s"
for = "2s"
)"},
};

std::string Expand(const Preset& preset) {
  constexpr std::string_view kMark = "#pairs\n";
  std::string text = fmt::format("name = \"{}\"\n{}", preset.name, preset.text);
  if (const std::size_t at = text.find(kMark); at != std::string::npos) {
    text.replace(at, kMark.size(), kTenPairs + 1);
  }
  return text;
}

// "1K", "1k", "50K", "1M", "5".
std::optional<std::int64_t> ReadSize(std::string_view text) {
  std::int64_t factor = 1;
  if (text.ends_with('K') || text.ends_with('k')) factor = 1'000;
  if (text.ends_with('M') || text.ends_with('m')) factor = 1'000'000;
  if (factor > 1) text.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr std::int64_t kMost = 1'000'000;
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kMost) {
    return std::nullopt;
  }
  return value * factor;
}

std::optional<std::vector<std::int64_t>> ReadSizes(std::string_view text, std::size_t count) {
  std::vector<std::int64_t> sizes;
  while (true) {
    const std::size_t dash = text.find('-');
    const std::optional<std::int64_t> size = ReadSize(text.substr(0, dash));
    if (!size) return std::nullopt;
    sizes.push_back(*size);
    if (dash == std::string_view::npos) break;
    text.remove_prefix(dash + 1);
  }
  if (sizes.size() != count) return std::nullopt;
  return sizes;
}

// A name of the Open MQTT Benchmark Suite (github.com/emqx/mqttbs); "" for any other. Its payloads
// of 16 bytes are 32 here, as each carries a stamp.
std::string SuiteText(std::string_view name) {
  constexpr std::string_view kConnect = "conn-tcp-";
  const std::string head = fmt::format("name = \"{}\"\nkeep_alive = \"5m\"\n", name);
  if (name.starts_with(kConnect)) {
    const auto sizes = ReadSizes(name.substr(kConnect.size()), 2);
    if (!sizes) return "";
    return fmt::format(
        "{}description = \"{} connections, {} more each second.\"\nconnect_rate = {}\n"
        "[[flow]]\nname = \"connections\"\nidle = {}\n[[phase]]\nname = \"hold\"\n"
        "duration = \"10s\"\n",
        head, (*sizes)[0], (*sizes)[1], (*sizes)[1], (*sizes)[0]);
  }
  for (const std::string_view kind : {"p2p-", "fanout-", "sharedsub-"}) {
    if (!name.starts_with(kind)) continue;
    const auto sizes = ReadSizes(name.substr(kind.size()), 4);
    if (!sizes) return "";
    const auto& [publishers, subscribers, topics, rate] =
        std::tuple((*sizes)[0], (*sizes)[1], (*sizes)[2], (*sizes)[3]);
    const bool fanout = kind == "fanout-", shared = kind == "sharedsub-";
    return fmt::format(
        "{}description = \"{} publishers, {} {} and {} topics, {} deliveries a second.\"\n"
        "version = \"{}\"\n[[flow]]\nname = \"{}\"\npublishers = {}\nsubscribers = {}\ntopics = "
        "{}\n"
        "subscribe = \"{}\"\nshared = {}\nrate = {}\nqos = 1\npayload_bytes = 32\n"
        "[[phase]]\nname = \"load\"\nduration = \"10s\"\n",
        head, publishers, subscribers, shared ? "sharing subscribers" : "subscribers", topics, rate,
        shared ? "5" : "3.1.1", kind.substr(0, kind.size() - 1), publishers, subscribers, topics,
        fanout || shared ? "all" : "own", shared,
        static_cast<double>(rate) / static_cast<double>(fanout ? subscribers : 1));
  }
  return "";
}

}  // namespace

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

Result<std::string> PresetText(std::string_view name) {
  for (const Preset& preset : kPresets) {
    if (name == preset.name) return Expand(preset);
  }
  std::string text = SuiteText(name);
  if (!text.empty()) return text;
  return Fail(ErrorCode::kNotFound,
              "unknown scenario \"{}\" (write a file, {} or a name such as conn-tcp-10k-100, "
              "p2p-1K-1K-1K-1K, fanout-1-1k-1-1K, sharedsub-1K-5-1K-1K){}",
              name, fmt::join(PresetNames(), ", "), DidYouMean(std::string(name), PresetNames()));
}

std::string ListPresets() {
  std::string list;
  for (const Preset& preset : kPresets) {
    const std::string_view text = preset.text;
    const std::size_t from = text.find('"') + 1;
    list += fmt::format("{:<16} {}\n", preset.name, text.substr(from, text.find('"', from) - from));
  }
  for (const char* const name :
       {"conn-tcp-10k-100", "p2p-1K-1K-1K-1K", "fanout-1-1k-1-1K", "sharedsub-1K-5-1K-1K"}) {
    list += fmt::format("{:<22} and of any other size\n", name);
  }
  return list;
}

}  // namespace atalaya::stress
