#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>
#include <vector>

#include "base/file.h"
#include "cloud_client/link.h"

namespace atalaya::cloud_client {
namespace {

constexpr const char* kTlsProgram = "../libexec/atalaya/cloud_client_tls";  // From this program.

}  // namespace

// OpenSSL costs an agent more memory than all else together, so it is in a second program, which
// takes this one's place: process id, arguments and standard streams stay.
Result<std::shared_ptr<const Tls>> LoadTls(const TlsOptions&) {
  char self[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return Fail(ErrorCode::kIo, "/proc/self/exe: {}", ErrnoText(errno));
  std::string path(self, static_cast<std::size_t>(length));
  path.resize(path.rfind('/') + 1);
  path += kTlsProgram;
  const Result<std::string> command_line = ReadFile("/proc/self/cmdline");
  if (!command_line) return Forward(command_line.error());
  std::vector<std::string> words;
  for (std::size_t at = 0; at < command_line->size();) {
    const std::size_t end = command_line->find('\0', at);
    words.push_back(command_line->substr(at, end - at));
    at = end == std::string::npos ? command_line->size() : end + 1;
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(path.c_str(), arguments.data());
  return Fail(ErrorCode::kNotFound, "{}: cannot start the program that speaks TLS: {}", path,
              ErrnoText(errno));
}

}  // namespace atalaya::cloud_client
