#include <cstddef>
#include <cstdint>
#include <string_view>

#include "alertd/rules/prometheus_export.h"
#include "alertd/rules/prometheus_import.h"
#include "base/check.h"

// Any text is a rule file or a list of faults; what was read of a Prometheus rule file can be
// written as TOML and as YAML, and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atalaya;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto rules = alertd::ParseRules(text, "a.toml"); rules) {
    for (const alertd::Rule& rule : *rules) ATALAYA_CHECK(!alertd::DescribeRule(rule).empty());
    static_cast<void>(alertd::ToPrometheusYaml(*rules));
  }
  const auto imported = alertd::ParsePrometheusRules(text, "a.yml");
  if (!imported) return 0;
  const std::string toml = alertd::ToToml(*imported);
  const auto again = alertd::ParseRules(toml, "b.toml");
  if (again) ATALAYA_CHECK(again->size() == imported->size());
  return 0;
}
