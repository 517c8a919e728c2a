#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

// Topics that begin with this are the server's own: clients may read them and publish none.
inline constexpr std::string_view kSysPrefix = "$SYS/";

// The server's figures as `$SYS/broker/...` topics, named as mosquitto names them. Threads: one.
class SysTopics {
 public:
  // The topics whose value differs from what the call before gave, all of them at the first, from
  // the server's counters at `now_ns` of the steady clock.
  std::map<std::string, std::string> Update(const telemetry::StatsSnapshot& stats,
                                            std::int64_t now_ns);

 private:
  // A rate for each minute, averaged over the last 1, 5 and 15 of them with falling weight.
  struct Load {
    std::int64_t last_count = 0;
    std::array<double, 3> per_minute{};
  };
  using Values = std::map<std::string, std::string>;

  void AddClients(const telemetry::StatsSnapshot& stats, Values* values);
  void AddCounts(const telemetry::StatsSnapshot& stats, Values* values) const;
  void AddLoad(const std::string& name, std::int64_t count, double minutes, Values* values);

  std::int64_t start_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::int64_t most_clients_ = 0;
  std::map<std::string, Load> loads_;
  Values last_;
};

}  // namespace atalaya::cloud_server
