#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/templates/text_template.h"
#include "base/config.h"
#include "base/smtp_client.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxReceivers = 64;
inline constexpr std::size_t kMaxRecipients = 100;  // Of one email receiver.

enum class ReceiverKind { kWebhook, kEmail, kMailDirectory, kStdout };

// "webhook", "email", "mail_directory", "stdout".
std::string_view ReceiverKindName(ReceiverKind kind);

// What a webhook is sent: Alertmanager's JSON, a message as Slack or ntfy take it, or the text of a
// template.
enum class WebhookFormat { kAlertmanager, kSlack, kNtfy, kTemplate };

struct WebhookConfig {
  std::string url;
  WebhookFormat format = WebhookFormat::kAlertmanager;
  std::optional<TextTemplate> body;  // kTemplate only.
  std::string content_type = "application/json";
  std::vector<std::string> signing_keys;   // Raw bytes; each makes a signature. Up to two.
  std::string bearer_token;                // "" sends none.
  std::string username, password;          // Basic auth where `username` is not empty.
  std::string ca_file;                     // "" takes the system's.
  std::string certificate_file, key_file;  // The client's own; "" has none.
  std::string proxy;                       // "" connects directly.
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
  std::string fallback;       // The receiver that gets what this one refuses for good; "": none.
  bool drill = false;         // Hears only of alerts labelled drill="true".
  bool send_resolved = true;  // False: hears of firing alerts only.
};

// Reads one [[receiver]] table:
//
//   name = "ops"
//   [receiver.webhook]                # exactly one of webhook, email and stdout
//   url = "http://host/path"
//   format = "slack"                  # or "alertmanager", "ntfy"; or instead of it:
//   body = "{{ .CommonAnnotations.summary }}", content_type = "text/plain"
//   signing_secret_file, old_signing_secret_file = ".."   # each holds whsec_BASE64
//   bearer_token_file, username, password_file, ca_file, timeout = "10s"
//   certificate_file, key_file, proxy = "http://host:3128"
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
//   fallback = "mailbox"
//
// Paths are relative to the folder of the file that names them.
// Faults are noted in `table`, to come out of ConfigFile::Finish; a secret's file is read here, so
// that --check-config finds a missing one. What is returned after a fault is not to be used.
ReceiverConfig ReadReceiver(ConfigTable& table);

}  // namespace atalaya::alertd
