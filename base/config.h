#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace atalaya {

// A TOML file read with all its faults named, each as `file:line:column: key: what, and what was
// expected`.
//
//   Result<ConfigFile> file = ConfigFile::Load("alertd.toml");
//   if (!file) return Forward(file.error());
//   ConfigTable http = file->Root().Table("http");
//   options.listen = http.String("listen", "127.0.0.1:9480");
//   if (Status good = file->Finish(); !good) return Forward(good.error());   // every fault, a line
//   each
//
// Getters never fail on the spot: they note the fault, return the default, and reading goes on, so
// that one run names every fault. Finish also names each key that nobody asked for, with the
// nearest known one.
//
// Threads: one at a time. Tables stay valid as long as their file.
class ConfigFile;

// Where a value stands, for faults that are found later.
struct ConfigPlace {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  std::string ToString() const;  // "alertd.toml:12:7"
};

class ConfigTable {
 public:
  bool Has(std::string_view key) const;
  std::vector<std::string> Keys() const;  // As written, in the file's order.

  std::string String(std::string_view key, std::string_view default_value = "");
  std::string RequiredString(std::string_view key);
  std::int64_t Integer(std::string_view key, std::int64_t default_value, std::int64_t min,
                       std::int64_t max);
  double Number(std::string_view key, double default_value);  // Integer or float.
  bool Bool(std::string_view key, bool default_value);
  std::chrono::milliseconds Duration(std::string_view key, std::chrono::milliseconds default_value);
  std::uint64_t Size(std::string_view key,
                     std::uint64_t default_bytes);  // "10MB", or a plain integer.
  std::vector<std::string> Strings(std::string_view key,
                                   std::vector<std::string> default_value = {});
  std::map<std::string, std::string> StringMap(
      std::string_view key);  // A table whose values are strings.
  std::string OneOf(std::string_view key, std::string_view default_value,
                    const std::vector<std::string>& choices);

  // A path relative to the folder of the file that names it; "" where absent.
  std::string Path(std::string_view key);
  // The one line that the file at such a path holds, which none but owner and group may read
  // (base/file.h, CheckSecretFile); "" where absent.
  std::string Secret(std::string_view key);

  // What kind of value stands at `key`: for keys that take either of two forms.
  enum class Kind { kAbsent, kString, kInteger, kFloat, kBool, kTable, kArray, kOther };
  Kind KindOf(std::string_view key) const;

  ConfigTable Table(std::string_view key);                // Empty (nothing in it) where absent.
  std::vector<ConfigTable> Tables(std::string_view key);  // [[key]]; empty where absent.

  ConfigPlace Place() const;                      // Of the table.
  ConfigPlace Place(std::string_view key) const;  // Of the value; of the table where absent.
  std::string Name() const;  // `[http]`, `[[rule]] "DiskSpaceLow"`: for messages.

  // Notes a fault at `key`'s value: `file:line:column: key: message`.
  void Fault(std::string_view key, std::string_view message);
  // Notes a fault of what `key`'s string says. Where `message` begins with a place in that string
  // (`1:7: unexpected end`, columns in bytes), that place in the file is named instead; where
  // escapes in the string leave it unclear, both are.
  void FaultWithin(std::string_view key, std::string_view message);
  // Notes a fault of the table itself: `file:line:column: message`.
  void Fault(std::string_view message);

 private:
  friend class ConfigFile;
  struct Node;
  explicit ConfigTable(std::shared_ptr<Node> node) : node_(std::move(node)) {}
  std::shared_ptr<Node> node_;
};

class ConfigFile {
 public:
  // kNotFound or kIo where it cannot be read, kInvalid where it is no TOML (with the place).
  static Result<ConfigFile> Load(const std::string& path);
  static Result<ConfigFile> Parse(std::string_view text, const std::string& name);

  ConfigFile(ConfigFile&&) noexcept;
  ConfigFile& operator=(ConfigFile&&) noexcept;
  ~ConfigFile();

  ConfigTable Root();

  // kInvalid with every fault noted so far and every unknown key, a line each, in the file's order;
  // fine otherwise.
  Status Finish();

 private:
  friend class ConfigTable;
  struct Impl;
  explicit ConfigFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya
