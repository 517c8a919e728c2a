#include <sys/socket.h>

#include <cerrno>

#include "cloud_client/transport.h"

namespace atalaya::cloud_client {
namespace {

class PlainTransport : public Transport {
 public:
  explicit PlainTransport(int fd) : fd_(fd) {}

  Outcome Read(std::span<char> into, std::size_t* got) override {
    const ssize_t count = recv(fd_, into.data(), into.size(), 0);
    if (count < 0) return Judge(Outcome::kWantRead);
    *got = static_cast<std::size_t>(count);
    return count == 0 ? Outcome::kClosed : Outcome::kDone;
  }
  Outcome Write(std::string_view bytes, std::size_t* taken) override {
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) return Judge(Outcome::kWantWrite);
    *taken = static_cast<std::size_t>(count);
    return Outcome::kDone;
  }
  bool HasBuffered() const override { return false; }
  void Shutdown() override { shutdown(fd_, SHUT_WR); }
  std::string error() const override { return error_; }

 private:
  Outcome Judge(Outcome again) {
    if (errno == EAGAIN || errno == EINTR) return again;
    error_ = ErrnoText(errno);
    return Outcome::kFailed;
  }

  int fd_;
  std::string error_;
};

}  // namespace

std::unique_ptr<Transport> MakePlainTransport(int fd) {
  return std::make_unique<PlainTransport>(fd);
}

}  // namespace atalaya::cloud_client
