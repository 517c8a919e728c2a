#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"

namespace atalaya {

struct SmtpServer {
  std::string url = {};   // smtp://host:25, or smtps:// for implicit TLS.
  bool starttls = false;  // Required where set: without it the mail does not leave.
  std::string username = {}, password = {};  // AUTH where `username` is not empty.
  std::string ca_file = {};                  // "" takes the system's.
  std::chrono::milliseconds timeout{30'000};
};

struct SmtpReply {
  int code = 0;  // The server's last reply: 250 accepted, 4xx try later, 5xx refused.
  std::string text;
};

// Hands one message (headers and body, CRLF lines) to one recipient in a transaction of its own.
// Blocks up to the timeout. kIo or kTimeout where no final reply came, kInvalid for an address or
// URL that is none; whatever the server replied is an SmtpReply. A request to `stop` ends it with
// kIo within about a second. Threads: any, several at once.
Result<SmtpReply> SmtpSend(const SmtpServer& server, const std::string& from, const std::string& to,
                           const std::string& message, const std::stop_token& stop = {});

}  // namespace atalaya
