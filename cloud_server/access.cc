#include "cloud_server/access.h"

#include "base/net.h"
#include "mqtt/client_level.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {
namespace {

constexpr std::size_t kMailStart = kMailLevel.size() + 1;  // Where the client's level begins.

std::string_view LevelAt(std::string_view topic, std::size_t at) {
  return at >= topic.size() ? std::string_view() : topic.substr(at, topic.find('/', at) - at);
}

Verdict Refused(const char* why) { return {mqtt::Reason::kNotAuthorized, why}; }

bool IsCanonical(std::string_view level) {
  return !level.empty() && mqtt::EncodeClientId(mqtt::DecodeClientId(level)) == level;
}

// Whether `topic`, which begins with the level to, is to/<client>/<from> with `who` as <from>.
Verdict MaySend(const Who& who, std::string_view topic, bool retain) {
  const std::string_view client = LevelAt(topic, kMailStart);
  const std::size_t from_at = kMailStart + client.size() + 1;
  const std::string_view from = LevelAt(topic, from_at);
  if (!IsCanonical(client) || !IsCanonical(from) || from_at + from.size() != topic.size()) {
    return {mqtt::Reason::kTopicNameInvalid,
            "write to/CLIENT/FROM, each client id percent-encoded but for A-Z a-z 0-9 - . _ ~"};
  }
  if (!mqtt::LevelIsClient(from, who.client)) return Refused("the last level must be your own id");
  if (retain) return Refused("what is sent to a client cannot be retained");
  return {};
}

Verdict MayListenForMail(const Who& who, std::string_view filter) {
  const std::string_view client = LevelAt(filter, kMailStart);
  if (!mqtt::LevelIsClient(client, who.client)) {
    return Refused("under to/ a client may subscribe to to/<its own id>/+ only");
  }
  if (!IsCanonical(client) || filter.size() <= kMailStart + client.size() + 1) {
    return {mqtt::Reason::kTopicFilterInvalid,
            "write to/ID/+, the id percent-encoded but for A-Z a-z 0-9 - . _ ~"};
  }
  return {};
}

}  // namespace

AccessConfig AccessConfig::Read(ConfigTable* root) {
  AccessConfig config;
  ConfigTable table = root->Table("access");
  const std::string anonymous =
      table.OneOf("anonymous", "loopback", {"nowhere", "loopback", "everywhere"});
  if (anonymous == "nowhere") config.anonymous = Anonymous::kNowhere;
  if (anonymous == "everywhere") config.anonymous = Anonymous::kEverywhere;
  if (table.Has("password_file")) {
    config.password_file = table.RequiredString("password_file");
    config.password_place = table.Place("password_file").ToString() + ": password_file";
  }
  config.acl = Acl::Read(root);
  return config;
}

Status CheckListener(const ListenerTerms& listener, const AccessConfig& access) {
  if (IsLoopback(listener.host)) return {};
  if (!listener.allow_remote) {
    return Fail(ErrorCode::kRefused,
                "\"{}\" can be reached from other machines: that needs allow_remote = true",
                listener.host);
  }
  if (access.password_file.empty() && !listener.requires_certificate) {
    return Fail(ErrorCode::kRefused,
                "\"{}\" can be reached from other machines: that needs a password_file in [access] "
                "or client certificates",
                listener.host);
  }
  return {};
}

Result<std::shared_ptr<const Access>> Access::Load(AccessConfig config) {
  std::shared_ptr<Access> access(new Access(std::move(config)));
  if (!access->config_.password_file.empty()) {
    Result<PasswordFile> file = PasswordFile::Load(access->config_.password_file);
    if (!file) {
      return Fail(file.error().code, "{}: {}", access->config_.password_place,
                  file.error().message);
    }
    access->passwords_ = std::make_shared<Passwords>(std::move(*file));
  }
  return access;
}

Verdict Access::MayPublish(const Who& who, std::string_view topic, bool retain) const {
  if (IsUnder(topic, kPresenceLevel) || IsUnder(topic, kSysLevel)) {
    return Refused("only the server writes there");
  }
  if (IsUnder(topic, kMailLevel)) {
    if (Verdict verdict = MaySend(who, topic, retain); !verdict.allowed()) return verdict;
  }
  if (IsUnder(topic, kTelemetryLevel) &&
      !mqtt::LevelIsClient(LevelAt(topic, kTelemetryLevel.size() + 1), who.client)) {
    return config_.acl.MayWriteByName(who, topic) ? Verdict()
                                                  : Refused("that is another client's telemetry");
  }
  return config_.acl.MayWrite(who, topic) ? Verdict() : Refused("the access rules do not allow it");
}

Verdict Access::MaySubscribe(const Who& who, std::string_view filter) const {
  const mqtt::SharedFilter shared = mqtt::ParseShared(filter);
  if (shared.is_shared) {
    filter = shared.filter;
    if (IsUnder(filter, kMailLevel)) return Refused("what is sent to a client cannot be shared");
  } else if (IsUnder(filter, kMailLevel)) {
    if (Verdict verdict = MayListenForMail(who, filter); !verdict.allowed()) return verdict;
  }
  return config_.acl.MayRead(who, filter) ? Verdict() : Refused("the access rules do not allow it");
}

}  // namespace atalaya::cloud_server
