#include <cstdio>
#include <string>

#include "alertd/commands/commands.h"
#include "alertd/rules/prometheus_import.h"
#include "base/flags.h"
#include "base/source_line.h"

namespace atalaya::alertd {
namespace {

// The TOML, read back as it will be.
Result<std::string> Import(const std::string& path) {
  const Result<std::vector<PrometheusRule>> rules = ReadPrometheusRules(path);
  if (!rules) return Forward(rules.error());
  std::string toml = ToToml(*rules);
  const Result<std::vector<Rule>> again = ParseRules(toml, path + " as TOML");
  if (!again) return Forward(again.error());
  return toml;
}

}  // namespace

int RunImportCommand(int argc, const char* const* argv) {
  std::string path;
  Flags flags("cloud_alertd import",
              "Prints a Prometheus rule file (YAML) as a rule file of cloud_alertd (TOML).");
  flags.AddPositional("FILE", &path, "Prometheus rule file", true);
  if (Status parsed = flags.Parse(argc, argv); !parsed) {
    std::fprintf(stderr, "cloud_alertd: %s\n", parsed.error().message.c_str());
    return 2;
  }
  const Result<std::string> toml = Import(path);
  if (!toml) {
    std::fprintf(stderr, "%s\n", WithSourceLines(toml.error().message).c_str());
    return 1;
  }
  std::fputs(toml->c_str(), stdout);
  return 0;
}

}  // namespace atalaya::alertd
