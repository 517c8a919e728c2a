#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/result.h"
#include "cloud_server/acl.h"
#include "cloud_server/logins.h"
#include "cloud_server/own_topics.h"
#include "mqtt/packet.h"

namespace atalaya::cloud_server {

// Who may connect without a password or a certificate.
enum class Anonymous : std::uint8_t { kNowhere, kLoopback, kEverywhere };

// `[access]` and `[[acl]]` of the configuration, as read.
struct AccessConfig {
  Anonymous anonymous = Anonymous::kLoopback;
  std::string password_file;   // "": there are no passwords, and user names count for nothing.
  std::string password_place;  // Begins messages about it: "cloud_server.toml:3:17: password_file".
  Acl acl;

  static AccessConfig Read(ConfigTable* root);  // Notes faults with `root`'s file.
};

// What decides whether an address may be listened on.
struct ListenerTerms {
  std::string host;                   // As HostPort has it.
  bool allow_remote = false;          // The listener says that it is meant.
  bool requires_certificate = false;  // Of every client.
};

// Fine for loopback addresses; any other needs `allow_remote`, and a password file or client
// certificates. kRefused says what is missing, without a place.
Status CheckListener(const ListenerTerms& listener, const AccessConfig& access);

// What the server says to one packet.
struct Verdict {
  mqtt::Reason reason = mqtt::Reason::kSuccess;
  const char* why = "";  // For a reason string: static, and empty where the packet is allowed.

  bool allowed() const { return reason == mqtt::Reason::kSuccess; }
};

// Who may do what: the configuration, with the password file that it names. Immutable but for what
// `passwords` remembers; a reload makes a new one. Threads: any.
class Access {
 public:
  // kInvalid, kRefused or kIo, by name, where the password file cannot be used.
  static Result<std::shared_ptr<const Access>> Load(AccessConfig config);

  bool MayBeAnonymous(bool is_loopback) const {
    return config_.anonymous == Anonymous::kEverywhere ||
           (config_.anonymous == Anonymous::kLoopback && is_loopback);
  }
  const std::shared_ptr<Passwords>& passwords() const { return passwords_; }  // May be nullptr.

  // Whether topics are to be looked at beyond the server's own rules; else MayPublish need only be
  // asked where IsOwnTopic.
  bool has_acl() const { return !config_.acl.empty(); }

  // Whether `who` may publish to `topic`, a valid name. The server's own rules stand above the
  // ACL: nobody writes presence/ and $SYS/, and to/<client>/<from> only as oneself, not retained;
  // the telemetry of another client only where a rule names it.
  Verdict MayPublish(const Who& who, std::string_view topic, bool retain) const;

  // Whether `who` may subscribe to `filter`, a valid one; a shared one by its topics. Beyond the
  // ACL: under to/ only to/<own id>/...
  Verdict MaySubscribe(const Who& who, std::string_view filter) const;

 private:
  explicit Access(AccessConfig config) : config_(std::move(config)) {}

  const AccessConfig config_;
  std::shared_ptr<Passwords> passwords_;
};

}  // namespace atalaya::cloud_server
