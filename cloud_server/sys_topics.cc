#include "cloud_server/sys_topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/version.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;
using telemetry::StatsSnapshot;

constexpr double kNsPerMinute = 60e9;
constexpr std::array<double, 3> kLoadMinutes{1, 5, 15};

std::string Topic(std::string_view name) { return fmt::format("{}broker/{}", kSysPrefix, name); }

std::int64_t Sum(const StatsSnapshot& stats, Stat first, Stat last) {
  std::int64_t sum = 0;
  for (auto id = static_cast<unsigned>(first); id <= static_cast<unsigned>(last); ++id) {
    sum += stats.Total(static_cast<Stat>(id));
  }
  return sum;
}

std::int64_t PacketsReceived(const StatsSnapshot& stats) {
  return Sum(stats, Stat::kReceivedConnect, Stat::kReceivedAuth);
}
std::int64_t PacketsSent(const StatsSnapshot& stats) {
  return Sum(stats, Stat::kSentConnect, Stat::kSentAuth);
}
std::int64_t Dropped(const StatsSnapshot& stats) {
  return Sum(stats, Stat::kDroppedQueueFull, Stat::kDroppedLoopQueueFull) +
         Sum(stats, Stat::kDroppedQueueFullNewest, Stat::kDroppedQueueFullDisconnect);
}

}  // namespace

std::map<std::string, std::string> SysTopics::Update(const StatsSnapshot& stats,
                                                     std::int64_t now_ns) {
  if (start_ns_ == 0) start_ns_ = last_ns_ = now_ns;
  const double minutes = static_cast<double>(now_ns - last_ns_) / kNsPerMinute;
  last_ns_ = now_ns;
  Values values;
  values[Topic("version")] = fmt::format("cloud_server version {}", kVersion);
  values[Topic("uptime")] = fmt::format("{} seconds", (now_ns - start_ns_) / 1'000'000'000);
  AddClients(stats, &values);
  AddCounts(stats, &values);
  AddLoad("messages/received", PacketsReceived(stats), minutes, &values);
  AddLoad("messages/sent", PacketsSent(stats), minutes, &values);
  AddLoad("publish/received", stats.Total(Stat::kReceivedPublish), minutes, &values);
  AddLoad("publish/sent", stats.Total(Stat::kSentPublish), minutes, &values);
  AddLoad("publish/dropped", Dropped(stats), minutes, &values);
  AddLoad("bytes/received", stats.Total(Stat::kReceivedBytes), minutes, &values);
  AddLoad("bytes/sent", stats.Total(Stat::kSentBytes), minutes, &values);
  AddLoad("sockets", stats.Total(Stat::kConnectionsAccepted), minutes, &values);
  AddLoad("connections", stats.Total(Stat::kReceivedConnect), minutes, &values);
  Values changed;
  for (const auto& [topic, value] : values) {
    const auto before = last_.find(topic);
    if (before == last_.end() || before->second != value) changed.emplace(topic, value);
  }
  last_ = std::move(values);
  return changed;
}

void SysTopics::AddClients(const StatsSnapshot& stats, Values* values) {
  const std::int64_t connected = stats.Total(Stat::kSessionsConnected);
  const std::int64_t away = stats.Total(Stat::kSessionsOffline);
  most_clients_ = std::max(most_clients_, connected);
  const auto set = [&](std::string_view name, std::int64_t value) {
    (*values)[Topic(name)] = std::to_string(value);
  };
  set("clients/connected", connected);
  set("clients/active", connected);  // The older name of the same.
  set("clients/disconnected", away);
  set("clients/inactive", away);
  set("clients/total", connected + away);
  set("clients/maximum", most_clients_);
  set("clients/expired", stats.Total(Stat::kSessionsEndedExpired));
}

void SysTopics::AddCounts(const StatsSnapshot& stats, Values* values) const {
  const std::int64_t stored =
      stats.Total(Stat::kQueuePackets) + stats.Total(Stat::kRetainedMessages);
  const auto set = [&](std::string_view name, std::int64_t value) {
    (*values)[Topic(name)] = std::to_string(value);
  };
  set("messages/received", PacketsReceived(stats));
  set("messages/sent", PacketsSent(stats));
  set("messages/stored", stored);
  set("store/messages/count", stored);
  set("store/messages/bytes", stats.Total(Stat::kQueueBytes) + stats.Total(Stat::kRetainedBytes));
  set("retained messages/count", stats.Total(Stat::kRetainedMessages));
  set("subscriptions/count", stats.Total(Stat::kSubscriptions));
  set("bytes/received", stats.Total(Stat::kReceivedBytes));
  set("bytes/sent", stats.Total(Stat::kSentBytes));
  set("publish/messages/received", stats.Total(Stat::kReceivedPublish));
  set("publish/messages/sent", stats.Total(Stat::kSentPublish));
  set("publish/messages/dropped", Dropped(stats));
  set("publish/bytes/received", stats.Total(Stat::kPublishReceivedBytes));
  set("publish/bytes/sent", stats.Total(Stat::kPublishDeliveredBytes));
}

void SysTopics::AddLoad(const std::string& name, std::int64_t count, double minutes,
                        Values* values) {
  Load& load = loads_[name];
  const double rate = minutes > 0 ? static_cast<double>(count - load.last_count) / minutes : 0.0;
  load.last_count = count;
  for (std::size_t i = 0; i < kLoadMinutes.size(); ++i) {
    double& mean = load.per_minute[i];
    mean += (rate - mean) * (1 - std::exp(-minutes / kLoadMinutes[i]));
    (*values)[Topic(fmt::format("load/{}/{:.0f}min", name, kLoadMinutes[i]))] =
        fmt::format("{:.2f}", mean);
  }
}

}  // namespace atalaya::cloud_server
