#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/smtp_client.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxReceivers = 64;
inline constexpr std::size_t kMaxRecipients = 100;  // Of one email receiver.

enum class ReceiverKind { kWebhook, kEmail, kMailDirectory, kStdout };

// "webhook", "email", "mail_directory", "stdout".
std::string_view ReceiverKindName(ReceiverKind kind);

struct WebhookConfig {
  std::string url;
  std::string bearer_token;        // "" sends none.
  std::string username, password;  // Basic auth where `username` is not empty.
  std::string ca_file;             // "" takes the system's.
  std::chrono::milliseconds timeout{10'000};
};

struct EmailConfig {
  SmtpServer server;      // kEmail only.
  std::string directory;  // kMailDirectory only: each mail becomes a file NOTICE-ID.eml there.
  std::string from;
  std::vector<std::string> to;
};

// One [[receiver]]: a name and exactly one way out.
struct ReceiverConfig {
  std::string name;
  ReceiverKind kind = ReceiverKind::kStdout;
  WebhookConfig webhook;      // kWebhook only.
  EmailConfig email;          // kEmail and kMailDirectory only.
  bool drill = false;         // Hears only of alerts labelled drill="true".
  bool send_resolved = true;  // False: hears of firing alerts only.
};

// Reads one [[receiver]] table:
//
//   name = "ops"
//   [receiver.webhook]                # exactly one of webhook, email and stdout
//   url = "http://host/path"
//   bearer_token_file, username, password_file, ca_file = "..", timeout = "10s"
//   [receiver.email]
//   smtp = "smtp://host:25"           # or directory = "var/mail"
//   starttls = true
//   username, password_file, ca_file = "..", timeout = "30s"
//   from = "a@b"
//   to = ["c@d"]
//
// or, where it is short, on one line: `webhook = { url = "http://host/path" }`. Besides:
//
//   stdout = true
//   drill = false
//   send_resolved = true
//
// Paths are relative to the folder of the file that names them.
// Faults are noted in `table`, to come out of ConfigFile::Finish; a secret's file is read here, so
// that --check-config finds a missing one. What is returned after a fault is not to be used.
ReceiverConfig ReadReceiver(ConfigTable& table);

}  // namespace atalaya::alertd
