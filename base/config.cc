#include "base/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/duration.h"
#include "base/file.h"
#include "base/suggest.h"

namespace atalaya {
namespace {

struct NotedFault {
  std::uint32_t line;
  std::uint32_t column;
  std::string text;
};

ConfigPlace PlaceOf(const std::string& file, const toml::source_region& region) {
  return {file, static_cast<std::uint32_t>(region.begin.line),
          static_cast<std::uint32_t>(region.begin.column)};
}

// The byte of `text` at which a line and column begin, both from 1; its end where there is none.
// `is_wide`: columns count characters, rather than bytes.
std::size_t OffsetOf(std::string_view text, std::size_t line, std::size_t column, bool is_wide) {
  std::size_t at = 0;
  while (at < text.size() && line > 1) line -= text[at++] == '\n' ? 1 : 0;
  for (std::size_t i = 1; at < text.size() && i < column; ++i) {
    do ++at;
    while (is_wide && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80);
  }
  return at;
}

// The other way round, columns in characters.
ConfigPlace PlaceAt(const std::string& file, std::string_view text, std::size_t offset) {
  ConfigPlace place{file, 1, 1};
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      ++place.column;
    }
  }
  return place;
}

// Where the characters of a string that stands at `from` begin, behind its quotes.
std::size_t ContentOf(std::string_view text, std::size_t from) {
  for (const std::string_view quotes : {"\"\"\"", "'''"}) {
    if (!text.substr(from).starts_with(quotes)) continue;
    from += quotes.size();
    return from + (text.substr(from).starts_with('\n') ? 1 : 0);  // It is no part of the string.
  }
  return from + 1;
}

// `7:12: what` taken apart; nothing where no place is in front.
struct Placed {
  std::size_t line = 0;
  std::size_t column = 0;
  std::string_view what;
};
std::optional<Placed> SplitPlace(std::string_view message) {
  Placed placed;
  const char* const end = message.data() + message.size();
  const auto line = std::from_chars(message.data(), end, placed.line);
  if (line.ec != std::errc() || line.ptr == end || *line.ptr != ':') return std::nullopt;
  const auto column = std::from_chars(line.ptr + 1, end, placed.column);
  if (column.ec != std::errc()) return std::nullopt;
  placed.what = {column.ptr, static_cast<std::size_t>(end - column.ptr)};
  if (!placed.what.starts_with(": ")) return std::nullopt;
  placed.what.remove_prefix(2);
  return placed;
}

}  // namespace

// What the tables of one file share.
struct ConfigFile::Impl {
  std::string file;
  std::string text;
  toml::table document;
  std::vector<NotedFault> faults;
  std::vector<std::shared_ptr<ConfigTable::Node>>
      tables;                                // Each that was handed out, to find unknown keys.
  std::set<std::string, std::less<>> words;  // Keys that were asked for, of any table.

  void Note(const ConfigPlace& place, std::string_view message) {
    faults.push_back({place.line, place.column, fmt::format("{}: {}", place.ToString(), message)});
  }
};

struct ConfigTable::Node {
  ConfigFile::Impl* file = nullptr;
  const toml::table* table = nullptr;     // Null where the table is absent.
  std::string name;                       // "[http]"; "" for the root.
  std::vector<const std::string*> asked;  // In `words`, each once.

  const toml::node* Find(std::string_view key) {
    const std::string* word = &*file->words.emplace(key).first;
    if (std::find(asked.begin(), asked.end(), word) == asked.end()) asked.push_back(word);
    return table == nullptr ? nullptr : table->get(key);
  }

  void WrongType(std::string_view key, const toml::node& node, std::string_view expected) {
    file->Note(PlaceOf(file->file, node.source()), fmt::format("{}: expected {}", key, expected));
  }

  template <typename T>
  T Scalar(std::string_view key, T default_value, std::string_view expected) {
    const toml::node* node = Find(key);
    if (node == nullptr) return default_value;
    if (const auto* value = node->as<T>()) return value->get();
    WrongType(key, *node, expected);
    return default_value;
  }
};

std::string ConfigPlace::ToString() const { return fmt::format("{}:{}:{}", file, line, column); }

bool ConfigTable::Has(std::string_view key) const { return node_->Find(key) != nullptr; }

std::vector<std::string> ConfigTable::Keys() const {
  std::vector<std::pair<toml::source_position, std::string>> found;
  if (node_->table != nullptr) {
    for (const auto& [key, value] : *node_->table)
      found.emplace_back(key.source().begin, std::string(key.str()));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> keys;
  for (auto& [position, key] : found) keys.push_back(std::move(key));
  return keys;
}

std::string ConfigTable::String(std::string_view key, std::string_view default_value) {
  return node_->Scalar<std::string>(key, std::string(default_value), "a string");
}

std::string ConfigTable::RequiredString(std::string_view key) {
  std::string value = String(key);
  if (!Has(key)) {
    Fault(fmt::format("{}{}\"{}\" is missing", Name(), Name().empty() ? "" : ": ", key));
  } else if (value.empty() && KindOf(key) == Kind::kString) {
    Fault(key, "must not be empty");
  }
  return value;
}

std::int64_t ConfigTable::Integer(std::string_view key, std::int64_t default_value,
                                  std::int64_t min, std::int64_t max) {
  const std::int64_t value = node_->Scalar<std::int64_t>(key, default_value, "a whole number");
  if (value >= min && value <= max) return value;
  Fault(key, fmt::format("{} is out of range ({} to {})", value, min, max));
  return default_value;
}

double ConfigTable::Number(std::string_view key, double default_value) {
  const toml::node* node = node_->Find(key);
  if (node == nullptr) return default_value;
  if (const auto* integer = node->as_integer()) return static_cast<double>(integer->get());
  return node_->Scalar<double>(key, default_value, "a number");
}

bool ConfigTable::Bool(std::string_view key, bool default_value) {
  return node_->Scalar<bool>(key, default_value, "true or false");
}

std::chrono::milliseconds ConfigTable::Duration(std::string_view key,
                                                std::chrono::milliseconds default_value) {
  if (!Has(key)) return default_value;
  if (KindOf(key) != Kind::kString) {
    Fault(key, "expected a duration in quotes (write \"30s\", \"5m\", \"2h\" or \"1d\")");
    return default_value;
  }
  const Result<std::chrono::milliseconds> duration = ParseDuration(String(key));
  if (duration) return *duration;
  Fault(key, duration.error().message);
  return default_value;
}

std::uint64_t ConfigTable::Size(std::string_view key, std::uint64_t default_bytes) {
  if (!Has(key)) return default_bytes;
  if (KindOf(key) == Kind::kInteger) {
    return static_cast<std::uint64_t>(Integer(key, static_cast<std::int64_t>(default_bytes), 0,
                                              std::numeric_limits<std::int64_t>::max()));
  }
  if (KindOf(key) != Kind::kString) {
    Fault(key, "expected a size (write \"512KiB\", \"10MB\" or \"1.5GiB\")");
    return default_bytes;
  }
  const Result<std::uint64_t> size = ParseSize(String(key));
  if (size) return *size;
  Fault(key, size.error().message);
  return default_bytes;
}

std::vector<std::string> ConfigTable::Strings(std::string_view key,
                                              std::vector<std::string> default_value) {
  const toml::node* node = node_->Find(key);
  if (node == nullptr) return default_value;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    node_->WrongType(key, *node, "a list of strings");
    return default_value;
  }
  std::vector<std::string> values;
  for (const toml::node& element : *array) {
    if (const auto* text = element.as_string()) {
      values.push_back(text->get());
    } else {
      node_->WrongType(key, element, "a string");
    }
  }
  return values;
}

std::map<std::string, std::string> ConfigTable::StringMap(std::string_view key) {
  std::map<std::string, std::string> values;
  const toml::node* node = node_->Find(key);
  if (node == nullptr) return values;
  const toml::table* table = node->as_table();
  if (table == nullptr) {
    node_->WrongType(key, *node, "a table of strings");
    return values;
  }
  for (const auto& [name, value] : *table) {
    if (const auto* text = value.as_string()) {
      values.emplace(std::string(name.str()), text->get());
    } else {
      node_->WrongType(fmt::format("{}.{}", key, name.str()), value, "a string");
    }
  }
  return values;
}

std::string ConfigTable::OneOf(std::string_view key, std::string_view default_value,
                               const std::vector<std::string>& choices) {
  const std::string value = String(key, default_value);
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  Fault(key, fmt::format("\"{}\" is not one of {}{}", value, fmt::join(choices, ", "),
                         DidYouMean(value, choices)));
  return std::string(default_value);
}

std::string ConfigTable::Path(std::string_view key) {
  const std::string path = String(key);
  if (path.empty()) return "";
  return (std::filesystem::path(node_->file->file).parent_path() / path).string();
}

std::string ConfigTable::Secret(std::string_view key) {
  constexpr std::size_t kMaxSecretBytes = 8'192;
  const std::string path = Path(key);
  if (path.empty()) return "";
  const Status secret = CheckSecretFile(path);
  Result<std::string> content = secret ? ReadFile(path, kMaxSecretBytes) : Forward(secret.error());
  if (!content) {
    Fault(key, content.error().message);
    return "";
  }
  content->erase(content->find_last_not_of("\r\n") + 1);
  if (content->empty()) Fault(key, fmt::format("{} is empty", path));
  if (content->find_first_of("\r\n") != std::string::npos)
    Fault(key, fmt::format("{} must hold one line", path));
  return *content;
}

ConfigTable::Kind ConfigTable::KindOf(std::string_view key) const {
  const toml::node* node = node_->Find(key);
  if (node == nullptr) return Kind::kAbsent;
  switch (node->type()) {
    case toml::node_type::string:
      return Kind::kString;
    case toml::node_type::integer:
      return Kind::kInteger;
    case toml::node_type::floating_point:
      return Kind::kFloat;
    case toml::node_type::boolean:
      return Kind::kBool;
    case toml::node_type::table:
      return Kind::kTable;
    case toml::node_type::array:
      return Kind::kArray;
    default:
      return Kind::kOther;
  }
}

ConfigTable ConfigTable::Table(std::string_view key) {
  const toml::node* node = node_->Find(key);
  auto child = std::make_shared<Node>();
  child->file = node_->file;
  child->name = fmt::format("[{}]", key);
  if (node != nullptr) {
    child->table = node->as_table();
    if (child->table == nullptr) node_->WrongType(key, *node, "a table");
  }
  node_->file->tables.push_back(child);
  return ConfigTable(child);
}

std::vector<ConfigTable> ConfigTable::Tables(std::string_view key) {
  std::vector<ConfigTable> tables;
  const toml::node* node = node_->Find(key);
  if (node == nullptr) return tables;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    node_->WrongType(key, *node, fmt::format("tables, each under [[{}]]", key));
    return tables;
  }
  for (const toml::node& element : *array) {
    const toml::table* table = element.as_table();
    if (table == nullptr) {
      node_->WrongType(key, element, fmt::format("a table, under [[{}]]", key));
      continue;
    }
    auto child = std::make_shared<Node>();
    child->file = node_->file;
    child->table = table;
    child->name = fmt::format("[[{}]]", key);
    for (const char* naming : {"alert", "record", "name", "job"}) {
      if (const auto* text = table->get_as<std::string>(naming)) {
        child->name += fmt::format(" \"{}\"", text->get());
        break;
      }
    }
    node_->file->tables.push_back(child);
    tables.push_back(ConfigTable(child));
  }
  return tables;
}

ConfigPlace ConfigTable::Place() const {
  if (node_->table == nullptr) return {node_->file->file, 1, 1};
  const ConfigPlace place = PlaceOf(node_->file->file, node_->table->source());
  return place.line == 0 ? ConfigPlace{node_->file->file, 1, 1} : place;
}

ConfigPlace ConfigTable::Place(std::string_view key) const {
  const toml::node* node = node_->Find(key);
  return node == nullptr ? Place() : PlaceOf(node_->file->file, node->source());
}

std::string ConfigTable::Name() const { return node_->name; }

void ConfigTable::Fault(std::string_view key, std::string_view message) {
  node_->file->Note(Place(key), fmt::format("{}: {}", key, message));
}

void ConfigTable::FaultWithin(std::string_view key, std::string_view message) {
  const std::optional<Placed> placed = SplitPlace(message);
  const toml::node* node = node_->Find(key);
  if (!placed || node == nullptr || !node->is_string()) return Fault(key, message);
  const std::string& value = node->as_string()->get();
  const std::string_view text = node_->file->text;
  const toml::source_position begin = node->source().begin;
  const std::size_t content = ContentOf(text, OffsetOf(text, begin.line, begin.column, true));
  if (content > text.size() || text.substr(content, value.size()) != value)
    return Fault(key, message);
  const std::size_t offset = content + OffsetOf(value, placed->line, placed->column, false);
  node_->file->Note(PlaceAt(node_->file->file, text, offset),
                    fmt::format("{}: {}", key, placed->what));
}

void ConfigTable::Fault(std::string_view message) { node_->file->Note(Place(), message); }

ConfigFile::ConfigFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;
ConfigFile& ConfigFile::operator=(ConfigFile&&) noexcept = default;
ConfigFile::~ConfigFile() = default;

Result<ConfigFile> ConfigFile::Load(const std::string& path) {
  const Result<std::string> content = ReadFile(path);
  if (!content) return Forward(content.error());
  return Parse(*content, path);
}

Result<ConfigFile> ConfigFile::Parse(std::string_view text, const std::string& name) {
  auto impl = std::make_unique<Impl>();
  impl->file = name;
  impl->text = text;
  try {
    impl->document = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    return Fail(ErrorCode::kInvalid, "{}: {}", PlaceOf(name, error.source()).ToString(),
                error.description());
  }
  return ConfigFile(std::move(impl));
}

ConfigTable ConfigFile::Root() {
  auto node = std::make_shared<ConfigTable::Node>();
  node->file = impl_.get();
  node->table = &impl_->document;
  impl_->tables.push_back(node);
  return ConfigTable(node);
}

Status ConfigFile::Finish() {
  std::map<const toml::table*, std::vector<const ConfigTable::Node*>> handed_out;
  for (const auto& node : impl_->tables) {
    if (node->table != nullptr) handed_out[node->table].push_back(node.get());
  }
  for (const auto& [table, nodes] : handed_out) {
    std::vector<std::string> known;
    for (const ConfigTable::Node* node : nodes) {
      for (const std::string* word : node->asked) known.push_back(*word);
    }
    std::sort(known.begin(), known.end());
    for (const auto& [key, value] : *table) {
      if (std::binary_search(known.begin(), known.end(), key.str())) continue;
      const std::string& name = nodes.back()->name;
      impl_->Note(PlaceOf(impl_->file, key.source()),
                  fmt::format("unknown key \"{}\"{}{}", key.str(),
                              name.empty() ? "" : fmt::format(" in {}", name),
                              DidYouMean(key.str(), known)));
    }
  }
  impl_->tables.clear();
  if (impl_->faults.empty()) return {};
  std::stable_sort(impl_->faults.begin(), impl_->faults.end(),
                   [](const NotedFault& a, const NotedFault& b) {
                     return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                   });
  std::vector<std::string> lines;
  for (const NotedFault& fault : impl_->faults) lines.push_back(fault.text);
  return Fail(ErrorCode::kInvalid, "{}", fmt::join(lines, "\n"));
}

}  // namespace atalaya
