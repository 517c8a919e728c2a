#include "cloud_server/admin_api.h"

#include <sodium.h>

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/file.h"
#include "cloud_server/loop.h"
#include "mqtt/client_level.h"

namespace atalaya::cloud_server {
namespace {

using nlohmann::json;

constexpr int kAdminThreads = 4;
constexpr std::size_t kAdminBodyBytes = 4096;
constexpr std::size_t kMinTokenBytes = 16;
constexpr std::size_t kMaxTokenFileBytes = 4096;
constexpr std::string_view kClients = "/api/v1/clients";

HttpResponse Json(int status, const json& body) {
  // What a request held may be no UTF-8, and comes back in messages.
  const std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return {status, "application/json", text + "\n", {}};
}

HttpResponse Fault(int status, std::string_view message) {
  return Json(status, {{"error", message}});
}

HttpResponse NotAllowed(const char* methods) {
  HttpResponse response = Fault(405, fmt::format("use {}", methods));
  response.headers.emplace_back("Allow", methods);
  return response;
}

const char* ProtocolName(mqtt::Version version) {
  switch (version) {
    case mqtt::Version::k31:
      return "3.1";
    case mqtt::Version::k311:
      return "3.1.1";
    default:
      return "5.0";
  }
}

json ToJson(const ClientReport& report) {
  json client = {{"id", report.id},
                 {"user", report.user.empty() ? json() : json(report.user)},
                 {"connected", report.connected},
                 {"since", FormatRfc3339(report.since_ms)},
                 {"reason", report.reason},
                 {"expirySeconds", report.expiry_s},
                 {"subscriptions", report.subscriptions},
                 {"queuePackets", report.queue_packets},
                 {"queueBytes", report.queue_bytes},
                 {"inFlight", report.in_flight}};
  if (report.connected) {
    client["address"] = report.address;
    client["protocol"] = ProtocolName(report.protocol);
    client["keepAliveSeconds"] = report.keep_alive_s;
    client["receivedBytes"] = report.received_bytes;
    client["sentBytes"] = report.sent_bytes;
  }
  return client;
}

// Asks one loop, with `ask(loop, answer)`, and waits for its answer; empty at the deadline.
template <typename Answer, typename AskFunction>
std::optional<Answer> AskLoop(Loop* loop, const AskFunction& ask) {
  auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> answer = promise->get_future();
  ask(loop, [promise](Answer value) { promise->set_value(std::move(value)); });
  if (answer.wait_for(kAdminDeadline) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

// The same of all loops at once: every answer, or nothing.
template <typename Answer, typename AskFunction>
std::optional<std::vector<Answer>> AskAll(Hub* hub, const AskFunction& ask) {
  std::vector<std::future<Answer>> answers;
  for (const auto& loop : hub->loops) {
    auto promise = std::make_shared<std::promise<Answer>>();
    answers.push_back(promise->get_future());
    ask(loop.get(), [promise](Answer value) { promise->set_value(std::move(value)); });
  }
  const auto deadline = std::chrono::steady_clock::now() + kAdminDeadline;
  std::vector<Answer> all;
  for (std::future<Answer>& answer : answers) {
    if (answer.wait_until(deadline) != std::future_status::ready) return std::nullopt;
    all.push_back(answer.get());
  }
  return all;
}

HttpResponse NoAnswer() { return Fault(503, "an event loop did not answer in time"); }

}  // namespace

AdminConfig AdminConfig::Read(ConfigTable* root) {
  AdminConfig config;
  config.enabled = root->Has("admin");
  ConfigTable table = root->Table("admin");
  Result<HostPort> listen = ParseHostPort(table.String("listen", config.listen.ToString()));
  if (!listen) {
    table.Fault("listen", listen.error().message);
    return config;
  }
  config.listen = *listen;
  if (table.Has("token_file")) {
    config.token_file = table.RequiredString("token_file");
    config.token_place = table.Place("token_file").ToString() + ": token_file: ";
  }
  if (!table.Bool("allow_remote", false) && !IsLoopback(config.listen.host)) {
    table.Fault("listen",
                fmt::format("\"{}\" can be reached from other machines, and the token travels as "
                            "it is: that needs allow_remote = true",
                            config.listen.host));
  }
  return config;
}

Result<std::string> LoadAdminToken(const AdminConfig& config, const std::string& data_dir) {
  const std::string path =
      config.token_file.empty() ? data_dir + "/admin.token" : config.token_file;
  const Status secret = CheckSecretFile(path);
  if (!secret && secret.error().code == ErrorCode::kNotFound && config.token_file.empty()) {
    ATALAYA_CHECK(sodium_init() >= 0);
    std::array<unsigned char, 32> random{};
    randombytes_buf(random.data(), random.size());
    std::array<char, 2 * random.size() + 1> hex{};
    sodium_bin2hex(hex.data(), hex.size(), random.data(), random.size());
    std::string token(hex.data());
    if (Status written = WriteFileAtomic(path, token + "\n", 0600); !written) {
      return Forward(written.error());
    }
    return token;
  }
  if (!secret) {
    return Fail(secret.error().code, "{}{}", config.token_place, secret.error().message);
  }
  Result<std::string> token = ReadFile(path, kMaxTokenFileBytes);
  if (!token) return Forward(token.error());
  while (!token->empty() && (token->back() == '\n' || token->back() == '\r')) token->pop_back();
  if (token->size() < kMinTokenBytes || token->find_first_of(" \t\r\n") != std::string::npos) {
    return Fail(ErrorCode::kInvalid,
                "{}{}: must hold one token of at least {} characters, without spaces",
                config.token_place, path, kMinTokenBytes);
  }
  return token;
}

Result<ClientQuery> ParseClientQuery(std::string_view text) {
  ClientQuery query;
  for (const auto& [key, value] : ParseForm(text)) {
    if (key == "prefix") {
      query.prefix = value;
    } else if (key == "cursor") {
      query.after = value;
    } else if (key == "user") {
      query.user = value;
    } else if (key == "connected" && (value == "true" || value == "false")) {
      query.connected = value == "true";
    } else if (key == "protocol" && value == "3.1") {
      query.protocol = mqtt::Version::k31;
    } else if (key == "protocol" && value == "3.1.1") {
      query.protocol = mqtt::Version::k311;
    } else if (key == "protocol" && (value == "5" || value == "5.0")) {
      query.protocol = mqtt::Version::k5;
    } else if (key == "limit") {
      const bool is_number = !value.empty() && value.size() <= 4 &&
                             value.find_first_not_of("0123456789") == std::string::npos;
      query.limit = is_number ? static_cast<std::size_t>(std::stoul(value)) : 0;
      if (query.limit == 0 || query.limit > kMaxListedClients) {
        return Fail(ErrorCode::kInvalid, "limit: \"{}\" is not a number from 1 to {}", value,
                    kMaxListedClients);
      }
    } else if (key == "connected" || key == "protocol") {
      return Fail(ErrorCode::kInvalid, "{}: \"{}\" is none of {}", key, value,
                  key == "connected" ? "true, false" : "3.1, 3.1.1, 5.0");
    } else {
      return Fail(ErrorCode::kInvalid,
                  "\"{}\" is none of prefix, connected, user, protocol, cursor, limit", key);
    }
  }
  return query;
}

Result<DrainOrder> ParseDrainOrder(const std::string& body) {
  DrainOrder order;
  if (body.empty()) return order;
  const json wanted = json::parse(body, nullptr, false);
  if (!wanted.is_object()) return Fail(ErrorCode::kInvalid, "the body is not a JSON object");
  for (const auto& [key, value] : wanted.items()) {
    if (key == "within" && value.is_string()) {
      const Result<std::chrono::milliseconds> within = ParseDuration(value.get<std::string>());
      if (!within) return Fail(ErrorCode::kInvalid, "within: {}", within.error().message);
      if (*within < std::chrono::milliseconds(0) || *within > kLongestDrain) {
        return Fail(ErrorCode::kInvalid, "within: at most 1h");
      }
      order.within = *within;
    } else if (key == "useServer" && value.is_string()) {
      order.use_server = value.get<std::string>();
    } else if (key == "end" && value.is_boolean()) {
      order.end = value.get<bool>();
    } else {
      return Fail(
          ErrorCode::kInvalid,
          "\"{}\" is none of within (\"30s\"), useServer (\"host:port\"), end (true, false)", key);
    }
  }
  return order;
}

AdminApi::AdminApi(std::string token, Hub* hub, std::function<void(const DrainOrder&)> drain)
    : hub_(hub), drain_(std::move(drain)), token_(std::move(token)) {}

Result<std::unique_ptr<AdminApi>> AdminApi::Start(const AdminConfig& config, std::string token,
                                                  Hub* hub,
                                                  std::function<void(const DrainOrder&)> drain) {
  std::unique_ptr<AdminApi> api(new AdminApi(std::move(token), hub, std::move(drain)));
  HttpServerOptions options;
  options.listen = {config.listen};
  options.threads = kAdminThreads;
  options.body_limit_bytes = kAdminBodyBytes;
  Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(
      options, [&raw = *api](const HttpRequest& request) { return raw.Answer(request); });
  if (!server) return Fail(server.error().code, "[admin] listen: {}", server.error().message);
  api->server_ = std::move(*server);
  return api;
}

void AdminApi::SetToken(std::string token) {
  const std::lock_guard lock(mutex_);
  token_ = std::move(token);
}

bool AdminApi::HasToken(const HttpRequest& request) const {
  const std::string given = request.Header("authorization");
  const std::lock_guard lock(mutex_);
  const std::string wanted = "Bearer " + token_;
  return given.size() == wanted.size() &&
         sodium_memcmp(given.data(), wanted.data(), wanted.size()) == 0;
}

HttpResponse AdminApi::Answer(const HttpRequest& request) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.path == "/-/healthy") return reads ? Healthy() : NotAllowed("GET");
  if (!HasToken(request)) {
    HttpResponse response = Fault(401, "the token is missing or wrong");
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  if (request.path == kClients) return reads ? List(request) : NotAllowed("GET");
  if (request.path == "/api/v1/drain") {
    return request.method == "POST" ? Drain(request) : NotAllowed("POST");
  }
  std::string_view client = request.path;
  if (client.starts_with(kClients) && client.size() > kClients.size() + 1 &&
      client[kClients.size()] == '/') {
    client.remove_prefix(kClients.size() + 1);
    // The path comes decoded, so the id's own slashes stand in it.
    if (request.method == "DELETE") return Disconnect(std::string(client));
    return reads ? Inspect(std::string(client)) : NotAllowed("GET, DELETE");
  }
  return Fault(404, "there is no such page");
}

HttpResponse AdminApi::Healthy() {
  const auto alive = AskAll<bool>(
      hub_, [](Loop* loop, auto answer) { loop->events().Post([answer] { answer(true); }); });
  return alive ? HttpResponse{200, "text/plain; charset=utf-8", "healthy\n", {}} : NoAnswer();
}

HttpResponse AdminApi::List(const HttpRequest& request) {
  const Result<ClientQuery> query = ParseClientQuery(request.query);
  if (!query) return Fault(400, query.error().message);
  ClientQuery one_more = *query;  // Tells whether there is a further page.
  ++one_more.limit;
  auto pages = AskAll<std::vector<ClientReport>>(
      hub_, [&](Loop* loop, auto answer) { loop->ListClients(one_more, answer); });
  if (!pages) return NoAnswer();
  std::vector<ClientReport> all;
  for (std::vector<ClientReport>& page : *pages) {
    std::move(page.begin(), page.end(), std::back_inserter(all));
  }
  std::sort(all.begin(), all.end(),
            [](const ClientReport& a, const ClientReport& b) { return a.id < b.id; });
  const bool has_more = all.size() > query->limit;
  if (has_more) all.resize(query->limit);
  json body = {{"clients", json::array()}, {"next", nullptr}};
  for (const ClientReport& report : all) body["clients"].push_back(ToJson(report));
  if (has_more) body["next"] = all.back().id;
  return Json(200, body);
}

HttpResponse AdminApi::Inspect(const std::string& client_id) {
  Loop* const owner = hub_->loops[hub_->loops.front()->OwnerOf(client_id)].get();
  const auto report = AskLoop<std::optional<ClientReport>>(
      owner, [&](Loop* loop, auto answer) { loop->InspectClient(client_id, answer); });
  if (!report) return NoAnswer();
  if (!*report) return Fault(404, "no client of that id has a session");
  json body = ToJson(**report);
  body["filters"] = json::array();
  for (const auto& [filter, qos] : (*report)->filters) {
    body["filters"].push_back({{"filter", filter}, {"qos", static_cast<int>(qos)}});
  }
  return Json(200, body);
}

HttpResponse AdminApi::Disconnect(const std::string& client_id) {
  Loop* const owner = hub_->loops[hub_->loops.front()->OwnerOf(client_id)].get();
  const auto found = AskLoop<bool>(
      owner, [&](Loop* loop, auto answer) { loop->DisconnectClient(client_id, answer); });
  if (!found) return NoAnswer();
  return *found ? Json(200, {{"disconnected", client_id}})
                : Fault(404, "no client of that id is connected");
}

HttpResponse AdminApi::Drain(const HttpRequest& request) {
  const Result<DrainOrder> order = ParseDrainOrder(request.body);
  if (!order) return Fault(400, order.error().message);
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return Fault(409, "the server is being drained already");
    draining_ = true;
  }
  drain_(*order);
  return Json(202, {{"draining", true},
                    {"withinSeconds", static_cast<double>(order->within.count()) / 1000},
                    {"end", order->end}});
}

}  // namespace atalaya::cloud_server
