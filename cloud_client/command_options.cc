#include <limits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/flags.h"
#include "cloud_client/commands.h"
#include "mqtt/client_level.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_client {
namespace {

// What pub, send and sub have in common.
struct CommonFlags {
  LinkWords link;
  std::string id;
  std::int64_t qos = 0;

  void AddTo(Flags* flags) {
    link.AddTo(flags);
    flags->Add("id,i", &id, "client id (default: made of command, host name and process id)");
    flags->Add("qos,q", &qos, "0 (at most once), 1 (at least once) or 2 (once)");
  }

  // With a spool the id has to be the same each time.
  Status Take(const std::string& command, Link* understood, std::string* client_id, Qos* level) {
    Result<Link> result = Understand(link);
    if (!result) return Forward(result.error());
    *understood = std::move(*result);
    if (qos < 0 || qos > 2) {
      return Fail(ErrorCode::kInvalid, "--qos: {} is no quality of service (write 0, 1 or 2)", qos);
    }
    const std::string made = fmt::format("{}-{}", command, HostName());
    *client_id = !id.empty()          ? id
                 : link.spool.empty() ? fmt::format("{}-{}", made, getpid())
                                      : made;
    *level = static_cast<Qos>(qos);
    return {};
  }
};

Status TakePayloads(const std::string& file, PubOptions* options) {
  if (!file.empty() && !options->messages.empty()) {
    return Fail(ErrorCode::kInvalid, "--message and --file exclude each other");
  }
  if (!file.empty()) {
    Result<std::string> content = ReadFile(file, kMaxPublishBytes);
    if (!content) return Fail(content.error().code, "--file: {}", content.error().message);
    options->messages.push_back(std::move(*content));
  }
  options->from_stdin = options->messages.empty();
  return {};
}

constexpr const char* kSpoolHelp =
    "folder that keeps what the server does not take now, for the next start with it";

}  // namespace

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = "";
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

Result<PubOptions> ParsePub(int argc, const char* const* argv) {
  PubOptions options;
  CommonFlags common;
  std::string file;
  Flags flags("cloud_client pub",
              "Publishes packets; without --message and --file, a packet of each "
              "line of standard input.");
  flags.Add("topic,t", &options.topic, "topic to publish to");
  flags.Add("message,m", &options.messages, "payload of a packet; repeatable");
  flags.Add("file,f", &file, "file that is the payload of one packet");
  flags.AddSwitch("retain,r", &options.retain, "have the server keep the last packet of the topic");
  flags.Add("spool", &common.link.spool, kSpoolHelp);
  common.AddTo(&flags);
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  if (Status good = common.Take("pub", &options.link, &options.id, &options.qos); !good) {
    return Forward(good.error());
  }
  if (!mqtt::IsValidTopicName(options.topic) || !mqtt::IsValidUtf8(options.topic)) {
    return Fail(ErrorCode::kInvalid,
                "--topic: \"{}\" is not a topic to publish to (write a/b/c: no + and no #)",
                options.topic);
  }
  if (Status taken = TakePayloads(file, &options); !taken) return Forward(taken.error());
  return options;
}

Result<PubOptions> ParseSend(int argc, const char* const* argv) {
  PubOptions options;
  CommonFlags common;
  common.qos = 1;
  std::string file;
  Flags flags("cloud_client send",
              "Sends packets to one client, which gets them on the topic to/CLIENT/ID; without "
              "--message and --file, a packet of each line of standard input.");
  flags.Add("to", &options.to, "client id of the receiver");
  flags.Add("message,m", &options.messages, "payload of a packet; repeatable");
  flags.Add("file,f", &file, "file that is the payload of one packet");
  common.AddTo(&flags);
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  if (Status good = common.Take("send", &options.link, &options.id, &options.qos); !good) {
    return Forward(good.error());
  }
  if (options.to.empty() || !mqtt::IsValidUtf8(options.to)) {
    return Fail(ErrorCode::kInvalid, "--to: \"{}\" is no client id", options.to);
  }
  options.topic =
      fmt::format("to/{}/{}", mqtt::EncodeClientId(options.to), mqtt::EncodeClientId(options.id));
  if (Status taken = TakePayloads(file, &options); !taken) return Forward(taken.error());
  return options;
}

Result<SubOptions> ParseSub(int argc, const char* const* argv) {
  SubOptions options;
  CommonFlags common;
  Flags flags("cloud_client sub", "Prints the payload of each packet that comes, a line each.");
  flags.Add("topic,t", &options.topics, "topic filter, with + and # as wildcards; repeatable");
  flags.Add("count,C", &options.count, "end after so many packets; 0: never");
  flags.AddSwitch("verbose,v", &options.verbose, "print \"TOPIC PAYLOAD\"");
  flags.AddSwitch("keep-session,c", &options.keep_session,
                  "have the server keep what comes while this client is away; needs --id");
  common.AddTo(&flags);
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  if (Status good = common.Take("sub", &options.link, &options.id, &options.qos); !good) {
    return Forward(good.error());
  }
  if (options.topics.empty())
    return Fail(ErrorCode::kInvalid, "--topic: needed (write a/+/c or #)");
  for (const std::string& topic : options.topics) {
    if (!mqtt::IsValidTopicFilter(topic) || !mqtt::IsValidUtf8(topic)) {
      return Fail(ErrorCode::kInvalid,
                  "--topic: \"{}\" is not a topic filter (+ and # only as a whole level, # only as "
                  "the last)",
                  topic);
    }
  }
  if (options.count < 0) {
    return Fail(ErrorCode::kInvalid, "--count: {} is less than 0", options.count);
  }
  if (options.keep_session && common.id.empty()) {
    return Fail(ErrorCode::kInvalid, "--keep-session: needs --id");
  }
  return options;
}

}  // namespace atalaya::cloud_client
