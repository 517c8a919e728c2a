#include "alertd/api/refusals.h"

#include <string_view>

namespace atalaya::alertd {
namespace {

struct Reason {
  int status;
  std::string_view name;
};

// The last one stands for every other status.
constexpr std::array<Reason, 9> kReasonNames = {{{400, "malformed"},
                                                 {401, "unauthorized"},
                                                 {403, "forbidden"},
                                                 {404, "not_found"},
                                                 {405, "method"},
                                                 {408, "slow"},
                                                 {413, "too_large"},
                                                 {421, "host"},
                                                 {0, "other"}}};

}  // namespace

void Refusals::Count(int status) {
  if (status < 400 || status > 499) return;
  std::size_t at = 0;
  while (at + 1 < kReasons && kReasonNames[at].status != status) ++at;
  counts_[at].fetch_add(1, std::memory_order_relaxed);
}

void Refusals::Write(telemetry::TextWriter& page) const {
  static_assert(kReasonNames.size() == kReasons);
  page.Family("cloud_alertd_http_requests_refused_total", telemetry::MetricType::kCounter,
              "HTTP requests answered with a status of 400 to 499, by reason.");
  for (std::size_t at = 0; at < kReasons; ++at) {
    page.Sample(telemetry::LabelText("reason", kReasonNames[at].name).text(),
                counts_[at].load(std::memory_order_relaxed));
  }
}

}  // namespace atalaya::alertd
