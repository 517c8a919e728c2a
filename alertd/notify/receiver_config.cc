#include "alertd/notify/receiver_config.h"

#include <algorithm>
#include <filesystem>

#include "alertd/notify/webhook_content.h"
#include "alertd/notify/webhook_signature.h"
#include "base/file.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxAddressBytes = 254;  // RFC 5321 section 4.5.3.1.3, less the brackets.
constexpr std::size_t kMaxNameBytes = 100;
constexpr std::chrono::milliseconds kMinTimeout{100};
constexpr std::chrono::milliseconds kMaxTimeout{120'000};

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// The bare form that goes into SMTP commands and headers as it stands.
bool IsAddress(std::string_view text) {
  const std::size_t at = text.rfind('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
         text.size() <= kMaxAddressBytes && IsPrintable(text) &&
         text.find_first_of("<>(),;:\\\"[]") == std::string_view::npos;
}

bool HasScheme(std::string_view url, std::initializer_list<std::string_view> schemes) {
  return IsPrintable(url) && std::any_of(schemes.begin(), schemes.end(), [url](auto scheme) {
           return url.starts_with(scheme) && url.size() > scheme.size();
         });
}

std::chrono::milliseconds Timeout(ConfigTable& table, std::chrono::milliseconds default_value) {
  const std::chrono::milliseconds timeout = table.Duration("timeout", default_value);
  if (timeout < kMinTimeout || timeout > kMaxTimeout)
    table.Fault("timeout", "is out of range (100ms to 2m)");
  return timeout;
}

// One alert, for a template to be tried on.
Notice SampleNotice() {
  NoticeAlert alert;
  alert.labels = telemetry::Labels({{"alertname", "Sample"}, {"severity", "warning"}});
  alert.annotations = {{"summary", "a sample"}};
  alert.firing = true;
  Notice notice;
  notice.receiver = "sample";
  notice.group_labels.Set("alertname", "Sample");
  notice.alerts = {alert};
  return notice;
}

void ReadFormat(ConfigTable& table, WebhookConfig& webhook) {
  const std::string format =
      table.OneOf("format", "alertmanager", {"alertmanager", "slack", "ntfy"});
  if (format == "slack") webhook.format = WebhookFormat::kSlack;
  if (format == "ntfy") webhook.format = WebhookFormat::kNtfy;
  webhook.content_type = table.String("content_type", webhook.content_type);
  const std::string body = table.String("body");
  if (body.empty()) {
    if (table.Has("content_type")) table.Fault("content_type", "goes with body only");
    return;
  }
  if (table.Has("format")) table.Fault("format", "either format or body, not both");
  webhook.format = WebhookFormat::kTemplate;
  Result<TextTemplate> parsed = TextTemplate::Parse(body);
  if (!parsed) return table.Fault("body", parsed.error().message);
  const Result<std::string> tried = RenderTemplate(*parsed, SampleNotice(), "");
  if (!tried) return table.Fault("body", tried.error().message);
  webhook.body = std::move(*parsed);
}

void ReadSigningKeys(ConfigTable& table, WebhookConfig& webhook) {
  for (const std::string_view key : {"signing_secret_file", "old_signing_secret_file"}) {
    if (!table.Has(key)) continue;
    const std::string secret = table.Secret(key);
    if (secret.empty()) continue;  // Its fault is noted.
    std::optional<std::string> signing_key = SigningKey(secret);
    if (!signing_key) {
      table.Fault(key, fmt::format("the file must hold whsec_ and {} to {} bytes in base64",
                                   kMinSigningKeyBytes, kMaxSigningKeyBytes));
      continue;
    }
    webhook.signing_keys.push_back(std::move(*signing_key));
  }
  if (table.Has("old_signing_secret_file") && !table.Has("signing_secret_file"))
    table.Fault("old_signing_secret_file", "goes with signing_secret_file only");
}

// Files that are read at each connection; looked at now, so that --check-config finds a missing
// one.
void ReadClientCertificate(ConfigTable& table, WebhookConfig& webhook) {
  webhook.certificate_file = table.Path("certificate_file");
  webhook.key_file = table.Path("key_file");
  if (webhook.certificate_file.empty() != webhook.key_file.empty())
    return table.Fault("certificate_file and key_file go together");
  if (webhook.key_file.empty()) return;
  if (const Status secret = CheckSecretFile(webhook.key_file); !secret)
    table.Fault("key_file", secret.error().message);
  if (const auto certificate = ReadFile(webhook.certificate_file); !certificate)
    table.Fault("certificate_file", certificate.error().message);
}

WebhookConfig ReadWebhook(ConfigTable table) {
  WebhookConfig webhook;
  webhook.url = table.RequiredString("url");
  if (!webhook.url.empty() && !HasScheme(webhook.url, {"http://", "https://"}))
    table.Fault("url", fmt::format("\"{}\" is not a web address (write http://host/path or "
                                   "https://host/path)",
                                   webhook.url));
  ReadFormat(table, webhook);
  ReadSigningKeys(table, webhook);
  ReadClientCertificate(table, webhook);
  webhook.proxy = table.String("proxy");
  if (!webhook.proxy.empty() && !HasScheme(webhook.proxy, {"http://"}))
    table.Fault("proxy",
                fmt::format("\"{}\" is not a proxy (write http://host:3128)", webhook.proxy));
  webhook.bearer_token = table.Secret("bearer_token_file");
  webhook.username = table.String("username");
  webhook.password = table.Secret("password_file");
  webhook.ca_file = table.Path("ca_file");
  webhook.timeout = Timeout(table, webhook.timeout);
  if (!webhook.username.empty() && !webhook.bearer_token.empty())
    table.Fault("username", "either username or bearer_token_file, not both");
  return webhook;
}

void ReadAddresses(ConfigTable& table, EmailConfig& email) {
  const std::string_view expected = "is not a mail address (write name@host)";
  email.from = table.RequiredString("from");
  if (!email.from.empty() && !IsAddress(email.from))
    table.Fault("from", fmt::format("\"{}\" {}", email.from, expected));
  email.to = table.Strings("to");
  if (email.to.empty() && !table.Has("to")) table.Fault("\"to\" is missing");
  if (table.Has("to") && (email.to.empty() || email.to.size() > kMaxRecipients))
    table.Fault("to", fmt::format("expected 1 to {} addresses", kMaxRecipients));
  for (const std::string& to : email.to) {
    if (!IsAddress(to)) table.Fault("to", fmt::format("\"{}\" {}", to, expected));
  }
  std::sort(email.to.begin(), email.to.end());
  email.to.erase(std::unique(email.to.begin(), email.to.end()), email.to.end());
}

EmailConfig ReadEmail(ConfigTable table) {
  EmailConfig email;
  ReadAddresses(table, email);
  email.directory = table.Path("directory");
  email.server.url = table.String("smtp");
  if (email.directory.empty() == email.server.url.empty())
    table.Fault("expected either smtp = \"smtp://host:25\" or directory = \"DIR\"");
  if (!email.directory.empty()) return email;
  if (!email.server.url.empty() && !HasScheme(email.server.url, {"smtp://", "smtps://"}))
    table.Fault("smtp", fmt::format("\"{}\" is not a mail server (write smtp://host:25 or "
                                    "smtps://host:465)",
                                    email.server.url));
  email.server.starttls = table.Bool("starttls", false);
  email.server.username = table.String("username");
  email.server.password = table.Secret("password_file");
  email.server.ca_file = table.Path("ca_file");
  email.server.timeout = Timeout(table, email.server.timeout);
  return email;
}

}  // namespace

std::string_view ReceiverKindName(ReceiverKind kind) {
  switch (kind) {
    case ReceiverKind::kWebhook:
      return "webhook";
    case ReceiverKind::kEmail:
      return "email";
    case ReceiverKind::kMailDirectory:
      return "mail_directory";
    case ReceiverKind::kStdout:
      return "stdout";
  }
  return "";
}

ReceiverConfig ReadReceiver(ConfigTable& table) {
  ReceiverConfig receiver;
  receiver.name = table.RequiredString("name");
  if (receiver.name.size() > kMaxNameBytes ||
      !std::all_of(receiver.name.begin(), receiver.name.end(),
                   [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; }))
    table.Fault("name", fmt::format("expected up to {} printable bytes", kMaxNameBytes));
  receiver.drill = table.Bool("drill", false);
  receiver.send_resolved = table.Bool("send_resolved", true);
  receiver.fallback = table.String("fallback");

  const bool to_stdout = table.Bool("stdout", false);
  const int kinds = static_cast<int>(table.Has("webhook")) + static_cast<int>(table.Has("email")) +
                    static_cast<int>(to_stdout);
  if (kinds != 1) table.Fault("expected exactly one of webhook, email and stdout = true");
  if (table.Has("webhook")) {
    receiver.kind = ReceiverKind::kWebhook;
    receiver.webhook = ReadWebhook(table.Table("webhook"));
  } else if (table.Has("email")) {
    receiver.email = ReadEmail(table.Table("email"));
    receiver.kind =
        receiver.email.directory.empty() ? ReceiverKind::kEmail : ReceiverKind::kMailDirectory;
  }
  return receiver;
}

}  // namespace atalaya::alertd
