#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"

namespace atalaya::cloud_server {

// Whom a rule is asked about.
struct Who {
  std::string_view user;    // Verified; "" for an anonymous client.
  std::string_view client;  // The client id as it is.
};

// The `[[acl]]` rules of the configuration. A rule speaks of the clients that its `user` and
// `client` patterns fit ('*' stands for any characters; user = "" is an anonymous client; an absent
// key fits all), and lists topic filters to deny, read and write; `%c` and `%u` in them stand for
// the client id and the user (as they are, where they hold no '/', '+', '#' or '%', and
// percent-encoded). The first rule that speaks of the client and lists the topic decides; within a
// rule, `deny` is looked at first. What no rule lists is refused. Without a rule all is allowed.
// Threads: any, once read.
class Acl {
 public:
  // Notes faults with `root`'s file.
  static Acl Read(ConfigTable* root);

  bool empty() const { return rules_.empty(); }

  bool MayWrite(const Who& who, std::string_view topic) const;

  // The same, by filters whose first level is written out: where a topic has to be meant by name.
  bool MayWriteByName(const Who& who, std::string_view topic) const;

  // Whether every topic that `filter` could match may be read: a `read` filter covers it before a
  // `deny` filter overlaps it.
  bool MayRead(const Who& who, std::string_view filter) const;

 private:
  struct Rule {
    std::optional<std::string> user;
    std::optional<std::string> client;
    std::vector<std::string> deny;
    std::vector<std::string> read;
    std::vector<std::string> write;
    std::vector<std::string> write_by_name;  // Those of `write` whose first level is written out.
  };
  static Rule ReadRule(ConfigTable table);
  static bool SpeaksOf(const Rule& rule, const Who& who);
  bool FindWrite(const Who& who, std::string_view topic, bool by_name) const;

  std::vector<Rule> rules_;
};

// Whether `pattern`, in which '*' stands for any characters, fits all of `text`.
bool FitsPattern(std::string_view pattern, std::string_view text);

// Whether the topics that `filter` matches are all matched by `wider` too; both are valid filters.
bool Covers(std::string_view wider, std::string_view filter);

// Whether there is a topic that both filters match.
bool Overlap(std::string_view a, std::string_view b);

}  // namespace atalaya::cloud_server
