#include <cstdio>
#include <string_view>

#include "base/log.h"
#include "base/stop_signal.h"
#include "cloud_server/app.h"
#include "cloud_server/config.h"
#include "cloud_server/passwd_command.h"

namespace {

using namespace atalaya;

constexpr int kUsageError = 2;
constexpr int kRuntimeError = 1;

int End(const Error& error, int code) {
  std::fprintf(stderr, "cloud_server: %s\n", error.message.c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "passwd") {
    return cloud_server::RunPasswdCommand(argc - 1, argv + 1);
  }
  Result<cloud_server::Options> options = cloud_server::ParseOptions(argc, argv);
  if (!options) return End(options.error(), kUsageError);
  StopSignal stop = StopSignal::Install();

  Result<cloud_server::Config> config = cloud_server::LoadConfig(*options);
  if (!config) return End(config.error(), kUsageError);
  if (options->check_config) return 0;
  InitLog("cloud_server", config->log_level);

  Result<std::unique_ptr<cloud_server::App>> app = cloud_server::App::Create(*config);
  if (!app) return End(app.error(), kRuntimeError);
  Status ended = (*app)->Run(stop);
  return ended ? 0 : End(ended.error(), kRuntimeError);
}
