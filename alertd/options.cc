#include "alertd/options.h"

#include "base/flags.h"

namespace atalaya::alertd {

Result<Options> ParseOptions(int argc, const char* const* argv) {
  Options options;
  std::string log_level = "info";
  Flags flags("cloud_alertd",
              "Collects figures, evaluates alert rules, sends notices, and serves them all over "
              "HTTP.");
  flags.Add("config", &options.config_files,
            "TOML file; repeatable, all are read in order as one configuration");
  flags.AddSwitch("check-config", &options.check_config,
                  "read the configuration and its rules, name every fault, and end");
  flags.AddSwitch("show-rules", &options.show_rules,
                  "with --check-config: print each rule as PromQL");
  flags.Add("log-level", &log_level, "debug, info, warning or error");
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  const Result<LogLevel> level = ParseLogLevel(log_level);
  if (!level) return Fail(ErrorCode::kInvalid, "--log-level: {}", level.error().message);
  options.log_level = *level;
  if (options.config_files.empty()) {
    return Fail(ErrorCode::kInvalid,
                "--config is missing (write --config /etc/atalaya/alertd.toml)");
  }
  if (options.show_rules && !options.check_config)
    return Fail(ErrorCode::kInvalid, "--show-rules needs --check-config");
  return options;
}

}  // namespace atalaya::alertd
