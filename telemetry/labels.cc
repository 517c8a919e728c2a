#include "telemetry/labels.h"

#include <algorithm>
#include <cstring>

namespace atalaya::telemetry {
namespace {

// A size takes one byte, or from here on this byte and the size in four.
constexpr unsigned char kLong = 0xff;

std::size_t PackedSize(std::string_view text) {
  return text.size() + (text.size() < kLong ? 1 : 1 + sizeof(std::uint32_t));
}

void Pack(std::string_view text, std::string& into) {
  if (text.size() < kLong) {
    into += static_cast<char>(text.size());
  } else {
    const auto size = static_cast<std::uint32_t>(text.size());
    into += static_cast<char>(kLong);
    into.append(reinterpret_cast<const char*>(&size), sizeof(size));
  }
  into += text;
}

std::string_view Unpack(const char* at) {
  const auto size = static_cast<unsigned char>(*at++);
  if (size != kLong) return {at, size};
  std::uint32_t long_size = 0;
  std::memcpy(&long_size, at, sizeof(long_size));
  return {at + sizeof(long_size), long_size};
}

const char* EndOfText(std::string_view text) { return text.data() + text.size(); }

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

Labels::View Labels::Iterator::operator*() const {
  const std::string_view name = Unpack(at_);
  return {name, Unpack(EndOfText(name))};
}

Labels::Iterator& Labels::Iterator::operator++() {
  at_ = EndOfText((**this).second);
  return *this;
}

Labels::Iterator Labels::Iterator::operator++(int) {
  const Iterator before = *this;
  ++*this;
  return before;
}

Labels::Labels(std::vector<Pair> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.first < b.first; });
  // Of equal names the last one stays.
  const auto counts = [&](std::size_t i) {
    const bool last = i + 1 == pairs.size() || pairs[i + 1].first != pairs[i].first;
    return last && !pairs[i].second.empty();
  };
  std::size_t size = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (counts(i)) size += PackedSize(pairs[i].first) + PackedSize(pairs[i].second);
  }
  text_.reserve(size);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (!counts(i)) continue;
    Pack(pairs[i].first, text_);
    Pack(pairs[i].second, text_);
  }
}

std::string_view Labels::Get(std::string_view name) const {
  for (const auto& [label, value] : *this) {
    if (label >= name) return label == name ? value : std::string_view();
  }
  return {};
}

void Labels::Set(std::string_view name, std::string_view value) {
  const char* const begin = text_.data();
  const char* const end = begin + text_.size();
  const char* at = begin;  // Where the label is, or would be.
  while (at != end && Unpack(at) < name) at = (++Iterator(at)).at_;
  const char* behind = at;
  if (at != end && Unpack(at) == name) behind = (++Iterator(at)).at_;
  if (behind == at && value.empty()) return;
  // Made anew, as `name` and `value` may refer into it.
  std::string text;
  text.reserve(text_.size() - static_cast<std::size_t>(behind - at) +
               (value.empty() ? 0 : PackedSize(name) + PackedSize(value)));
  text.append(begin, at);
  if (!value.empty()) {
    Pack(name, text);
    Pack(value, text);
  }
  text.append(behind, end);
  text_ = std::move(text);
}

std::string Labels::ToString() const {
  const std::string_view name = Get(kMetricName);
  const bool name_in_front = IsLegacyName(name);
  std::string text(name_in_front ? name : std::string_view());
  if (name_in_front && size() == 1) return text;
  text += '{';
  bool first = true;
  for (const auto& [label, value] : *this) {
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

std::strong_ordering operator<=>(const Labels& a, const Labels& b) {
  auto other = b.begin();
  for (const Labels::View& label : a) {
    if (other == b.end()) return std::strong_ordering::greater;
    if (const auto order = label <=> *other; order != 0) return order;
    ++other;
  }
  return other == b.end() ? std::strong_ordering::equal : std::strong_ordering::less;
}

std::uint64_t Labels::Hash() const {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](std::string_view text, char separator) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ static_cast<unsigned char>(separator)) * 0x100000001b3;
  };
  for (const auto& [name, value] : *this) {
    add(name, '\xfe');
    add(value, '\xff');
  }
  return hash;
}

}  // namespace atalaya::telemetry
