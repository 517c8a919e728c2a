#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atalaya::cloud_server {

inline constexpr std::size_t kMaxUserBytes = 256;
inline constexpr std::size_t kMaxPasswordBytes = 1024;

// Argon2id by libsodium: 19 MiB, two passes, one lane (OWASP's advice of 2023). Blocks for some
// 20 ms of CPU; needs the memory meanwhile. kLimit where it is not there. Threads: any.
Result<std::string> HashPassword(std::string_view password);

// Whether `hash`, as HashPassword writes it, is that of `password`. Costs the same, whatever it
// answers.
bool PasswordFits(const std::string& hash, std::string_view password);

// Users and the hashes of their passwords. The file is text: `#atalaya passwords 1`, then a line
// `USER:HASH` each; other lines that begin with '#' are remarks. Threads: one at a time; the const
// functions any.
class PasswordFile {
 public:
  // kNotFound, kRefused where others may use the file, kVersion where a newer program wrote it,
  // kInvalid with file:line where a line is none.
  static Result<PasswordFile> Load(const std::string& path);
  static Result<PasswordFile> Parse(std::string_view text, const std::string& name);

  // Replaces the file whole, mode 0600. Remarks are not kept.
  Status Save(const std::string& path) const;

  // Adds a user, or changes their password; hashes. kInvalid on a user's name or a password that
  // cannot be one.
  Status Set(std::string_view user, std::string_view password);
  bool Remove(std::string_view user);  // False where there is none of that name.

  const std::string* Find(std::string_view user) const;  // The hash; nullptr: no such user.
  std::size_t size() const { return hashes_.size(); }

 private:
  std::map<std::string, std::string, std::less<>> hashes_;
};

// Why `user` cannot stand in the file; fine where it can: 1 to kMaxUserBytes of UTF-8 without ':'
// and not beginning with '#'.
Status CheckUserName(std::string_view user);

}  // namespace atalaya::cloud_server
