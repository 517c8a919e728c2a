#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"

namespace atalaya::alertd {

// A YAML file read with all its faults named, as ConfigFile reads TOML: getters note a fault,
// return nothing, and reading goes on. For the files that Prometheus and promtool read.
//
// Threads: one at a time. Tables keep what they need alive.
class YamlTable {
 public:
  // The mapping that the file holds; empty where the file is. kNotFound, kIo or kLimit where it
  // cannot be read, kInvalid where it is no YAML, with the place.
  static Result<YamlTable> Load(const std::string& path);
  static Result<YamlTable> Parse(std::string_view text, const std::string& name);

  bool Has(std::string_view key);  // Neither missing nor null.
  std::string Text(std::string_view key);
  std::string RequiredText(std::string_view key);
  double Number(std::string_view key);  // Required; "NaN", "+Inf" and so on among them.
  std::chrono::milliseconds Duration(std::string_view key, std::chrono::milliseconds otherwise);
  std::size_t Count(std::string_view key);  // A whole number; 0 where absent.
  std::vector<std::string> Texts(std::string_view key);
  std::map<std::string, std::string> TextMap(std::string_view key);
  std::vector<YamlTable> Tables(std::string_view key);

  ConfigPlace Place() const;
  ConfigPlace Place(std::string_view key) const;  // Of the value; of the table where absent.
  void Fault(std::string_view key, std::string_view message);
  void Fault(std::string_view message);

  // Of the whole file: kInvalid with every fault, a line each, in the file's order. A key that
  // nobody asked for is one.
  Status Finish();

 private:
  struct File;
  struct Node;
  explicit YamlTable(std::shared_ptr<Node> node) : node_(std::move(node)) {}
  std::shared_ptr<Node> node_;
};

inline constexpr std::size_t kMaxYamlBytes = 4u << 20;

}  // namespace atalaya::alertd
