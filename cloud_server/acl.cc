#include "cloud_server/acl.h"

#include <algorithm>

#include "mqtt/client_level.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {
namespace {

std::string_view TakeLevel(std::string_view* rest, bool* more) {
  const std::size_t slash = rest->find('/');
  const std::string_view level = rest->substr(0, slash);
  *more = slash != std::string_view::npos;
  rest->remove_prefix(*more ? slash + 1 : rest->size());
  return level;
}

bool BeginsWithWildcard(std::string_view filter) {
  return filter.starts_with('+') || filter.starts_with('#');
}

// A filter that begins with a wildcard matches no topic that begins with '$' (MQTT 5.0, 4.7.2).
bool HiddenFrom(std::string_view wildcard, std::string_view other) {
  return BeginsWithWildcard(wildcard) && other.starts_with('$');
}

bool HasPlaceholder(std::string_view filter) {
  return filter.find("%c") != std::string_view::npos || filter.find("%u") != std::string_view::npos;
}

// `filter` with its placeholders filled in. Each level gets a value that cannot be more than a part
// of one level: otherwise a client that calls itself "#" would be let in everywhere.
std::string FillIn(std::string_view filter, const std::string& user, const std::string& client) {
  std::string filled;
  while (!filter.empty()) {
    if (filter.starts_with("%c") || filter.starts_with("%u")) {
      filled += filter[1] == 'c' ? client : user;
      filter.remove_prefix(2);
    } else {
      filled.push_back(filter.front());
      filter.remove_prefix(1);
    }
  }
  return filled;
}

bool IsPlainLevel(std::string_view text) {
  return text.find_first_of("/+#%") == std::string_view::npos && !text.starts_with('$');
}

// Whether `fits` holds for one of `filters`, in either spelling of client id and user.
template <typename Fits>
bool AnyFits(const std::vector<std::string>& filters, const Who& who, const Fits& fits) {
  return std::any_of(filters.begin(), filters.end(), [&](std::string_view filter) {
    if (!HasPlaceholder(filter)) return fits(filter);
    const bool is_user = filter.find("%u") != std::string_view::npos;
    if (is_user && who.user.empty()) return false;  // An anonymous client has no name to fill in.
    const std::string user = mqtt::EncodeClientId(who.user);
    const std::string client = mqtt::EncodeClientId(who.client);
    if (fits(std::string_view(FillIn(filter, user, client)))) return true;
    const std::string user_as_is = IsPlainLevel(who.user) ? std::string(who.user) : user;
    const std::string client_as_is = IsPlainLevel(who.client) ? std::string(who.client) : client;
    if (user_as_is == user && client_as_is == client) return false;
    return fits(std::string_view(FillIn(filter, user_as_is, client_as_is)));
  });
}

std::vector<std::string> ReadFilters(ConfigTable* table, std::string_view key) {
  std::vector<std::string> filters = table->Strings(key);
  for (const std::string& filter : filters) {
    const std::string example = FillIn(filter, "u", "c");
    if (!mqtt::IsValidTopicFilter(example) || !mqtt::IsValidUtf8(example)) {
      table->Fault(key, fmt::format("\"{}\" is not a topic filter (write plant/%c/#)", filter));
    } else if (mqtt::ParseShared(filter).is_shared) {
      table->Fault(key, fmt::format("\"{}\": name the topics without $share/GROUP/", filter));
    }
  }
  return filters;
}

}  // namespace

bool FitsPattern(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;  // The last '*' seen, and what it has taken so far.
  std::size_t taken = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      taken = i;
    } else if (at < pattern.size() && pattern[at] == text[i]) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++taken;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

bool Covers(std::string_view wider, std::string_view filter) {
  if (HiddenFrom(wider, filter)) return false;
  bool wider_more = true;
  bool filter_more = true;
  while (true) {
    const std::string_view wide = TakeLevel(&wider, &wider_more);
    if (wide == "#") return true;
    const std::string_view level = TakeLevel(&filter, &filter_more);
    if (level == "#" || (wide != "+" && wide != level)) return false;
    if (!filter_more) return !wider_more || wider == "#";  // "a/#" matches "a" as well.
    if (!wider_more) return false;
  }
}

bool Overlap(std::string_view a, std::string_view b) {
  if (HiddenFrom(a, b) || HiddenFrom(b, a)) return false;
  bool a_more = true;
  bool b_more = true;
  while (true) {
    const std::string_view level_a = TakeLevel(&a, &a_more);
    const std::string_view level_b = TakeLevel(&b, &b_more);
    if (level_a == "#" || level_b == "#") return true;
    if (level_a != "+" && level_b != "+" && level_a != level_b) return false;
    if (!a_more) return !b_more || b == "#";
    if (!b_more) return a == "#";
  }
}

Acl::Rule Acl::ReadRule(ConfigTable table) {
  Rule rule;
  if (table.Has("user")) rule.user = table.String("user");
  if (table.Has("client")) rule.client = table.RequiredString("client");
  rule.deny = ReadFilters(&table, "deny");
  rule.read = ReadFilters(&table, "read");
  rule.write = ReadFilters(&table, "write");
  std::copy_if(rule.write.begin(), rule.write.end(), std::back_inserter(rule.write_by_name),
               [](const std::string& filter) {
                 return !BeginsWithWildcard(filter) && !filter.starts_with('%');
               });
  if (rule.deny.empty() && rule.read.empty() && rule.write.empty()) {
    table.Fault("lists no topics: give read, write or deny, as in read = [\"plant/#\"]");
  }
  return rule;
}

Acl Acl::Read(ConfigTable* root) {
  Acl acl;
  for (const ConfigTable& table : root->Tables("acl")) acl.rules_.push_back(ReadRule(table));
  return acl;
}

bool Acl::SpeaksOf(const Rule& rule, const Who& who) {
  if (rule.client && !FitsPattern(*rule.client, who.client)) return false;
  if (!rule.user) return true;
  // "*" means users; without a name one is not a user.
  return who.user.empty() ? rule.user->empty() : FitsPattern(*rule.user, who.user);
}

bool Acl::FindWrite(const Who& who, std::string_view topic, bool by_name) const {
  const auto matches = [&](std::string_view filter) { return mqtt::TopicMatches(filter, topic); };
  for (const Rule& rule : rules_) {
    if (!SpeaksOf(rule, who)) continue;
    if (AnyFits(rule.deny, who, matches)) return false;
    if (AnyFits(by_name ? rule.write_by_name : rule.write, who, matches)) return true;
  }
  return false;
}

bool Acl::MayWrite(const Who& who, std::string_view topic) const {
  return empty() || FindWrite(who, topic, false);
}

bool Acl::MayWriteByName(const Who& who, std::string_view topic) const {
  return FindWrite(who, topic, true);
}

bool Acl::MayRead(const Who& who, std::string_view filter) const {
  if (empty()) return true;
  const auto overlaps = [&](std::string_view denied) { return Overlap(denied, filter); };
  const auto covers = [&](std::string_view allowed) { return Covers(allowed, filter); };
  for (const Rule& rule : rules_) {
    if (!SpeaksOf(rule, who)) continue;
    if (AnyFits(rule.deny, who, overlaps)) return false;
    if (AnyFits(rule.read, who, covers)) return true;
  }
  return false;
}

}  // namespace atalaya::cloud_server
