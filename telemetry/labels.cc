#include "telemetry/labels.h"

#include <algorithm>

namespace atalaya::telemetry {
namespace {

bool NameLess(const Labels::Pair& pair, std::string_view name) { return pair.first < name; }

bool IsLegacyName(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ':';
  });
}

void AppendQuoted(std::string& text, std::string_view value) {
  text += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  text += '"';
}

}  // namespace

Labels::Labels(std::vector<Pair> pairs) : pairs_(std::move(pairs)) {
  std::stable_sort(pairs_.begin(), pairs_.end(),
                   [](const Pair& a, const Pair& b) { return a.first < b.first; });
  // Of equal names the last one stays.
  std::vector<Pair> unique;
  unique.reserve(pairs_.size());
  for (Pair& pair : pairs_) {
    if (!unique.empty() && unique.back().first == pair.first) unique.pop_back();
    unique.push_back(std::move(pair));
  }
  std::erase_if(unique, [](const Pair& pair) { return pair.second.empty(); });
  pairs_ = std::move(unique);
}

std::string_view Labels::Get(std::string_view name) const {
  const auto it = std::lower_bound(pairs_.begin(), pairs_.end(), name, NameLess);
  return it != pairs_.end() && it->first == name ? std::string_view(it->second)
                                                 : std::string_view();
}

void Labels::Set(std::string_view name, std::string_view value) {
  const auto it = std::lower_bound(pairs_.begin(), pairs_.end(), name, NameLess);
  const bool found = it != pairs_.end() && it->first == name;
  if (value.empty()) {
    if (found) pairs_.erase(it);
  } else if (found) {
    it->second = value;
  } else {
    pairs_.emplace(it, name, value);
  }
}

std::string Labels::ToString() const {
  const std::string_view name = Get(kMetricName);
  const bool name_in_front = IsLegacyName(name);
  std::string text(name_in_front ? name : std::string_view());
  if (name_in_front && pairs_.size() == 1) return text;
  text += '{';
  bool first = true;
  for (const auto& [label, value] : pairs_) {
    if (label == kMetricName && name_in_front) continue;
    if (!first) text += ", ";
    first = false;
    if (IsLegacyName(label)) {
      text += label;
    } else {
      AppendQuoted(text, label);
    }
    text += '=';
    AppendQuoted(text, value);
  }
  text += '}';
  return text;
}

std::uint64_t Labels::Hash() const {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](std::string_view text, char separator) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ static_cast<unsigned char>(separator)) * 0x100000001b3;
  };
  for (const auto& [name, value] : pairs_) {
    add(name, '\xfe');
    add(value, '\xff');
  }
  return hash;
}

}  // namespace atalaya::telemetry
