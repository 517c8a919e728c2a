#include <malloc.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "alertd/app.h"
#include "alertd/commands/commands.h"
#include "alertd/commands/unmatched.h"
#include "alertd/config.h"
#include "alertd/options.h"
#include "base/log.h"
#include "base/source_line.h"
#include "base/stop_signal.h"

namespace {

using namespace atalaya;

constexpr int kUsageError = 2;
constexpr int kRuntimeError = 1;

// A fault in a file begins with its place, so that editors find it; other words with the program.
int End(const Error& error, int code) {
  const bool has_place = error.message.find(".toml:") != std::string::npos;
  std::fprintf(stderr, "%s%s\n",
               has_place ? "" : "cloud_alertd: ", WithSourceLines(error.message).c_str());
  return code;
}

// A query frees megabytes that the next one wants again: to have the kernel take and clear them in
// between costs more than the query. Few arenas, as each keeps what it has.
void KeepFreedMemory() {
  constexpr int kKeptBytes = 16 << 20;
  constexpr int kArenas = 2;
  mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  mallopt(M_ARENA_MAX, kArenas);
}

}  // namespace

int main(int argc, char** argv) {
  KeepFreedMemory();
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "query") return alertd::RunQueryCommand(argc - 1, argv + 1);
  if (command == "promqltest") return alertd::RunPromqlTestCommand(argc - 1, argv + 1);
  if (command == "import") return alertd::RunImportCommand(argc - 1, argv + 1);
  if (command == "export") return alertd::RunExportCommand(argc - 1, argv + 1);
  if (command == "test") return alertd::RunTestCommand(argc - 1, argv + 1);
  Result<alertd::Options> options = alertd::ParseOptions(argc, argv);
  if (!options) return End(options.error(), kUsageError);
  StopSignal stop = StopSignal::Install();
  InitLog("cloud_alertd", options->log_level);

  Result<alertd::Config> config = alertd::LoadConfig(options->config_files);
  if (!config) return End(config.error(), kUsageError);
  if (options->check_config) {
    std::fputs(alertd::DescribeConfig(*config, options->show_rules).c_str(), stdout);
    std::fputs(alertd::DescribeUnmatched(*config).c_str(), stdout);
    return 0;
  }

  Result<std::unique_ptr<alertd::App>> app =
      alertd::App::Create(options->config_files, std::move(*config));
  if (!app) return End(app.error(), kRuntimeError);
  Status ended = (*app)->Run(stop);
  return ended ? 0 : End(ended.error(), kRuntimeError);
}
