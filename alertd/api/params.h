#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/http_server.h"
#include "base/result.h"
#include "telemetry/series_source.h"

namespace atalaya::alertd {

// The parameters of a request: those of the URL and, of a POST, those of the form in its body.
// Failures are kInvalid and name the parameter.
class Params {
 public:
  explicit Params(const HttpRequest& request);

  std::string Text(std::string_view name) const;  // The first one; "" where absent.
  std::vector<std::string> All(std::string_view name) const;

  // A time as Prometheus takes it, "1435781451.781" or "2015-07-01T20:10:51.781Z"; in ms.
  Result<std::int64_t> Time(std::string_view name, std::int64_t default_ms) const;
  Result<std::int64_t> RequiredTime(std::string_view name) const;

  // A duration, "5m" or seconds as a number; in ms; above 0.
  Result<std::int64_t> RequiredDuration(std::string_view name) const;
  Result<std::optional<std::int64_t>> Duration(
      std::string_view name) const;  // Nothing where absent.

  // A whole number from 0.
  Result<std::optional<std::size_t>> Count(std::string_view name) const;  // Nothing where absent.

  // `limit`: 0 or absent means none.
  Result<std::size_t> Limit() const;

  // `match[]`: each a series selector.
  Result<std::vector<std::vector<telemetry::Matcher>>> Selectors() const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

// "1435781451.781" or RFC 3339 with any offset; in ms. Nothing where it is neither.
std::optional<std::int64_t> ParseApiTime(std::string_view text);

}  // namespace atalaya::alertd
