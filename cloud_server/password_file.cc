#include "cloud_server/password_file.h"

#include <sodium.h>

#include "base/check.h"
#include "base/file.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {
namespace {

constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemoryBytes = 19u << 20;
constexpr std::string_view kHeading = "#atalaya passwords ";
constexpr std::string_view kFileVersion = "1";

void InitSodium() { ATALAYA_CHECK(sodium_init() >= 0); }

std::string_view TakeLine(std::string_view* text) {
  const std::size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

// A hash with parameters of its own would cost memory and time that nobody has planned.
bool IsHash(const std::string& text) {
  return text.size() < crypto_pwhash_STRBYTES &&
         crypto_pwhash_str_needs_rehash(text.c_str(), kPasses, kMemoryBytes) == 0;
}

}  // namespace

Result<std::string> HashPassword(std::string_view password) {
  InitSodium();
  char hash[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_str_alg(hash, password.data(), password.size(), kPasses, kMemoryBytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return Fail(ErrorCode::kLimit, "not enough memory to hash a password ({} MiB)",
                kMemoryBytes >> 20);
  }
  return std::string(hash);
}

bool PasswordFits(const std::string& hash, std::string_view password) {
  InitSodium();
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

Status CheckUserName(std::string_view user) {
  if (user.empty() || user.size() > kMaxUserBytes || !mqtt::IsValidUtf8(user) ||
      user.find(':') != std::string_view::npos || user.front() == '#') {
    return Fail(ErrorCode::kInvalid,
                "\"{}\" is not a user's name (1 to {} bytes of UTF-8, without ':' and control "
                "characters, not beginning with '#')",
                user, kMaxUserBytes);
  }
  return {};
}

Result<PasswordFile> PasswordFile::Load(const std::string& path) {
  if (Status secret = CheckSecretFile(path); !secret) return Forward(secret.error());
  const Result<std::string> text = ReadFile(path);
  if (!text) return Forward(text.error());
  return Parse(*text, path);
}

Result<PasswordFile> PasswordFile::Parse(std::string_view text, const std::string& name) {
  InitSodium();
  PasswordFile file;
  const std::string_view heading = TakeLine(&text);
  if (!heading.starts_with(kHeading)) {
    return Fail(ErrorCode::kInvalid,
                "{}:1: is not a password file (make one with cloud_server passwd)", name);
  }
  if (heading.substr(kHeading.size()) != kFileVersion) {
    return Fail(ErrorCode::kVersion,
                "{}:1: written by a newer cloud_server (version {}; this one reads {})", name,
                heading.substr(kHeading.size()), kFileVersion);
  }
  for (std::size_t number = 2; !text.empty(); ++number) {
    const std::string_view line = TakeLine(&text);
    if (line.empty() || line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return Fail(ErrorCode::kInvalid, "{}:{}: is not USER:HASH", name, number);
    }
    const std::string_view user = line.substr(0, colon);
    std::string hash(line.substr(colon + 1));
    if (Status good = CheckUserName(user); !good) {
      return Fail(ErrorCode::kInvalid, "{}:{}: {}", name, number, good.error().message);
    }
    if (!IsHash(hash)) {
      return Fail(ErrorCode::kInvalid,
                  "{}:{}: the hash of \"{}\" is not one that cloud_server passwd writes", name,
                  number, user);
    }
    if (!file.hashes_.emplace(user, std::move(hash)).second) {
      return Fail(ErrorCode::kInvalid, "{}:{}: \"{}\" stands there twice", name, number, user);
    }
  }
  return file;
}

Status PasswordFile::Save(const std::string& path) const {
  std::string text = fmt::format("{}{}\n", kHeading, kFileVersion);
  for (const auto& [user, hash] : hashes_) text += fmt::format("{}:{}\n", user, hash);
  return WriteFileAtomic(path, text, 0600);
}

Status PasswordFile::Set(std::string_view user, std::string_view password) {
  if (Status good = CheckUserName(user); !good) return good;
  if (password.empty() || password.size() > kMaxPasswordBytes) {
    return Fail(ErrorCode::kInvalid, "a password has 1 to {} bytes", kMaxPasswordBytes);
  }
  Result<std::string> hash = HashPassword(password);
  if (!hash) return Forward(hash.error());
  hashes_.insert_or_assign(std::string(user), std::move(*hash));
  return {};
}

bool PasswordFile::Remove(std::string_view user) {
  const auto found = hashes_.find(user);
  if (found == hashes_.end()) return false;
  hashes_.erase(found);
  return true;
}

const std::string* PasswordFile::Find(std::string_view user) const {
  const auto found = hashes_.find(user);
  return found == hashes_.end() ? nullptr : &found->second;
}

}  // namespace atalaya::cloud_server
