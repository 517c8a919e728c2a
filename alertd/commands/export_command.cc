#include <cstdio>
#include <string>
#include <vector>

#include "alertd/commands/commands.h"
#include "alertd/rules/prometheus_export.h"
#include "base/flags.h"
#include "base/source_line.h"

namespace atalaya::alertd {
namespace {

Result<PrometheusExport> Export(const std::vector<std::string>& paths) {
  std::vector<Rule> rules;
  for (const std::string& path : paths) {
    Result<std::vector<Rule>> read = LoadRules(path);
    if (!read) return Forward(read.error());
    std::move(read->begin(), read->end(), std::back_inserter(rules));
  }
  return ToPrometheusYaml(rules);
}

}  // namespace

int RunExportCommand(int argc, const char* const* argv) {
  std::vector<std::string> paths;
  Flags flags("cloud_alertd export",
              "Prints rule files as one Prometheus rule file (YAML); what that cannot say goes to "
              "stderr.");
  flags.AddPositionals("FILE", &paths, "rule file of cloud_alertd (TOML); repeatable");
  Status parsed = flags.Parse(argc, argv);
  if (parsed && paths.empty())
    parsed = Fail(ErrorCode::kInvalid, "FILE is missing (write export rules/host.toml)");
  if (!parsed) {
    std::fprintf(stderr, "cloud_alertd: %s\n", parsed.error().message.c_str());
    return 2;
  }
  const Result<PrometheusExport> exported = Export(paths);
  if (!exported) {
    std::fprintf(stderr, "%s\n", WithSourceLines(exported.error().message).c_str());
    return 1;
  }
  std::fputs(exported->yaml.c_str(), stdout);
  for (const std::string& loss : exported->losses) std::fprintf(stderr, "%s\n", loss.c_str());
  return 0;
}

}  // namespace atalaya::alertd
