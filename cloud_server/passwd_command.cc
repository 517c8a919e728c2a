#include "cloud_server/passwd_command.h"

#include <sodium.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "base/flags.h"
#include "cloud_server/password_file.h"

namespace atalaya::cloud_server {
namespace {

// The terminal's echo, off while this lives.
class EchoOff {
 public:
  EchoOff() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_off_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~EchoOff() {
    if (is_off_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;

 private:
  termios before_{};
  bool is_off_ = false;
};

// One line of stdin, byte by byte: what follows is not ours. One byte more than a password may have
// is enough to see that it is too long.
std::string ReadLine() {
  std::string line;
  char c = 0;
  while (line.size() <= kMaxPasswordBytes && read(STDIN_FILENO, &c, 1) == 1 && c != '\n') {
    line.push_back(c);
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string Ask(const char* question) {
  std::fprintf(stderr, "%s: ", question);
  const EchoOff quiet;
  std::string answer = ReadLine();
  std::fputc('\n', stderr);
  return answer;
}

Result<std::string> ReadPassword() {
  if (isatty(STDIN_FILENO) == 0) return ReadLine();
  std::string first = Ask("Password");
  const std::string second = Ask("Again");
  if (first != second) return Fail(ErrorCode::kInvalid, "the two passwords differ");
  return first;
}

Result<PasswordFile> LoadOrStart(const std::string& path) {
  Result<PasswordFile> file = PasswordFile::Load(path);
  if (!file && file.error().code == ErrorCode::kNotFound) return PasswordFile();
  return file;
}

Status Change(const std::string& path, const std::string& user, bool is_delete) {
  if (Status good = CheckUserName(user); !good) return good;
  Result<PasswordFile> file = LoadOrStart(path);
  if (!file) return Forward(file.error());
  if (is_delete) {
    if (!file->Remove(user)) {
      return Fail(ErrorCode::kNotFound, "{}: has no user \"{}\"", path, user);
    }
    return file->Save(path);
  }
  Result<std::string> password = ReadPassword();
  if (!password) return Forward(password.error());
  const Status changed = file->Set(user, *password);
  sodium_memzero(password->data(), password->size());
  return changed ? file->Save(path) : changed;
}

}  // namespace

int RunPasswdCommand(int argc, const char* const* argv) {
  std::string path;
  std::string user;
  bool is_delete = false;
  Flags flags("cloud_server passwd",
              "Adds a user to a password file, changes their password, or deletes them. SIGHUP "
              "makes a running server read the file again.");
  flags.AddPositional("FILE", &path, "the password file; made where it is missing", true);
  flags.AddPositional("USER", &user, "the user's name", true);
  flags.AddSwitch("delete", &is_delete, "delete the user");
  Status done = flags.Parse(argc, argv);
  if (done) done = Change(path, user, is_delete);
  if (done) return 0;
  std::fprintf(stderr, "cloud_server passwd: %s\n", done.error().message.c_str());
  return done.error().code == ErrorCode::kInvalid ? 2 : 1;
}

}  // namespace atalaya::cloud_server
