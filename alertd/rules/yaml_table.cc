#include "alertd/rules/yaml_table.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <set>

#include "base/duration.h"
#include "base/file.h"
#include "base/suggest.h"

namespace atalaya::alertd {
namespace {

ConfigPlace PlaceAt(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return {file, 1, 1};
  return {file, static_cast<std::uint32_t>(mark.line) + 1,
          static_cast<std::uint32_t>(mark.column) + 1};
}

std::optional<double> ParseNumber(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return negative ? -value : value;
}

}  // namespace

// What the tables of one file share.
struct YamlTable::File {
  std::string name;
  std::vector<std::pair<ConfigPlace, std::string>> faults;
  std::vector<std::shared_ptr<Node>> tables;  // Each that was handed out, to find unknown keys.

  void Note(const YAML::Mark& mark, std::string_view message) {
    const ConfigPlace place = PlaceAt(name, mark);
    faults.emplace_back(place, fmt::format("{}: {}", place.ToString(), message));
  }
};

struct YamlTable::Node {
  std::shared_ptr<File> file;
  YAML::Mark mark;
  std::map<std::string, YAML::Node, std::less<>> values;
  std::map<std::string, YAML::Mark, std::less<>> keys;
  std::set<std::string, std::less<>> asked;

  const YAML::Node* Find(std::string_view key) {
    asked.emplace(key);
    const auto found = values.find(key);
    return found == values.end() || found->second.IsNull() ? nullptr : &found->second;
  }

  // A mapping, of which a fault is noted where it is none.
  static std::shared_ptr<Node> Read(const std::shared_ptr<File>& file, const YAML::Node& from,
                                    std::string_view what) {
    auto node = std::make_shared<Node>();
    node->file = file;
    node->mark = from.Mark();
    if (!from.IsMap()) {
      if (!from.IsNull()) file->Note(from.Mark(), fmt::format("{}: expected a mapping", what));
      return node;
    }
    for (const auto& entry : from) {
      const YAML::Node& key = entry.first;
      const std::string name = key.IsScalar() ? key.Scalar() : "";
      if (!key.IsScalar()) {
        file->Note(key.Mark(), "expected a name");
      } else if (!node->values.emplace(name, entry.second).second) {
        file->Note(key.Mark(), fmt::format("\"{}\" is given twice", name));
      }
      node->keys.emplace(name, key.Mark());
    }
    return node;
  }
};

Result<YamlTable> YamlTable::Load(const std::string& path) {
  const Result<std::string> text = ReadFile(path, kMaxYamlBytes);
  if (!text) return Forward(text.error());
  return Parse(*text, path);
}

Result<YamlTable> YamlTable::Parse(std::string_view text, const std::string& name) {
  try {
    auto file = std::make_shared<File>();
    file->name = name;
    // The first document only, as Prometheus; YAML::LoadAll hangs on some input.
    const YAML::Node root = YAML::Load(std::string(text));
    auto node = Node::Read(file, root, "the file");
    file->tables.push_back(node);
    return YamlTable(std::move(node));
  } catch (const YAML::Exception& error) {
    return Fail(ErrorCode::kInvalid, "{}: {}", PlaceAt(name, error.mark).ToString(), error.msg);
  }
}

bool YamlTable::Has(std::string_view key) { return node_->Find(key) != nullptr; }

std::string YamlTable::Text(std::string_view key) {
  const YAML::Node* value = node_->Find(key);
  if (value == nullptr) return "";
  if (value->IsScalar()) return value->Scalar();
  Fault(key, "expected a text");
  return "";
}

std::string YamlTable::RequiredText(std::string_view key) {
  std::string text = Text(key);
  if (!Has(key)) {
    Fault(fmt::format("\"{}\" is missing", key));
  } else if (text.empty()) {
    Fault(key, "must not be empty");
  }
  return text;
}

double YamlTable::Number(std::string_view key) {
  const std::string text = RequiredText(key);
  const std::optional<double> number = ParseNumber(text);
  if (!number && !text.empty()) Fault(key, fmt::format("\"{}\" is no number", text));
  return number.value_or(0);
}

std::chrono::milliseconds YamlTable::Duration(std::string_view key,
                                              std::chrono::milliseconds otherwise) {
  if (!Has(key)) return otherwise;
  const Result<std::chrono::milliseconds> duration = ParseDuration(Text(key));
  if (duration) return *duration;
  Fault(key, duration.error().message);
  return otherwise;
}

std::size_t YamlTable::Count(std::string_view key) {
  if (!Has(key)) return 0;
  const std::string text = Text(key);
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end == text.data() + text.size()) return count;
  Fault(key, fmt::format("\"{}\" is no whole number", text));
  return 0;
}

std::vector<std::string> YamlTable::Texts(std::string_view key) {
  std::vector<std::string> texts;
  const YAML::Node* list = node_->Find(key);
  if (list == nullptr) return texts;
  if (!list->IsSequence()) Fault(key, "expected a list");
  for (const YAML::Node& each : *list) {
    if (each.IsScalar()) {
      texts.push_back(each.Scalar());
    } else {
      node_->file->Note(each.Mark(), fmt::format("{}: expected a text", key));
    }
  }
  return texts;
}

std::map<std::string, std::string> YamlTable::TextMap(std::string_view key) {
  std::map<std::string, std::string> texts;
  const YAML::Node* from = node_->Find(key);
  if (from == nullptr) return texts;
  const std::shared_ptr<Node> map = Node::Read(node_->file, *from, key);
  for (const auto& [name, value] : map->values) {
    if (value.IsScalar() || value.IsNull()) {
      texts.emplace(name, value.IsNull() ? "" : value.Scalar());
    } else {
      node_->file->Note(value.Mark(), fmt::format("{}.{}: expected a text", key, name));
    }
  }
  return texts;
}

std::vector<YamlTable> YamlTable::Tables(std::string_view key) {
  std::vector<YamlTable> tables;
  const YAML::Node* list = node_->Find(key);
  if (list == nullptr) return tables;
  if (!list->IsSequence()) {
    Fault(key, "expected a list of mappings");
    return tables;
  }
  for (const YAML::Node& each : *list) {
    auto node = Node::Read(node_->file, each, key);
    node_->file->tables.push_back(node);
    tables.push_back(YamlTable(std::move(node)));
  }
  return tables;
}

ConfigPlace YamlTable::Place() const { return PlaceAt(node_->file->name, node_->mark); }

ConfigPlace YamlTable::Place(std::string_view key) const {
  const auto found = node_->values.find(key);
  return found == node_->values.end() ? Place() : PlaceAt(node_->file->name, found->second.Mark());
}

void YamlTable::Fault(std::string_view key, std::string_view message) {
  const auto found = node_->values.find(key);
  node_->file->Note(found == node_->values.end() ? node_->mark : found->second.Mark(),
                    fmt::format("{}: {}", key, message));
}

void YamlTable::Fault(std::string_view message) { node_->file->Note(node_->mark, message); }

Status YamlTable::Finish() {
  File& file = *node_->file;
  for (const auto& table : std::exchange(file.tables, {})) {
    for (const auto& [key, mark] : table->keys) {
      if (table->asked.contains(key)) continue;
      file.Note(mark, fmt::format("unknown key \"{}\"{}", key,
                                  DidYouMean(key, {table->asked.begin(), table->asked.end()})));
    }
  }
  if (file.faults.empty()) return {};
  std::stable_sort(file.faults.begin(), file.faults.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.line, a.first.column) < std::pair(b.first.line, b.first.column);
  });
  std::string lines;
  for (const auto& [place, text] : file.faults) lines += (lines.empty() ? "" : "\n") + text;
  return Fail(ErrorCode::kInvalid, "{}", lines);
}

}  // namespace atalaya::alertd
