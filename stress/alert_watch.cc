#include "stress/alert_watch.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace atalaya::stress {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::milliseconds kEvery{100};
constexpr std::chrono::milliseconds kTimeout{2'000};

std::string TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The alerts that fire in an answer of /api/v1/alerts: name and the other labels.
Result<std::vector<AlertEvent>> FiringIn(const std::string& body) {
  const Json answer = Json::parse(body, nullptr, false);
  const Json* alerts = nullptr;
  if (answer.is_object() && answer.contains("data") && answer["data"].is_object() &&
      answer["data"].contains("alerts") && answer["data"]["alerts"].is_array()) {
    alerts = &answer["data"]["alerts"];
  }
  if (alerts == nullptr) return Fail(ErrorCode::kInvalid, "the answer is no list of alerts");
  std::vector<AlertEvent> firing;
  for (const Json& alert : *alerts) {
    if (!alert.is_object() || TextOf(alert, "state") != "firing") continue;
    AlertEvent event;
    const Json labels = alert.value("labels", Json::object());
    event.name = TextOf(labels, "alertname");
    for (const auto& [name, value] : labels.items()) {
      if (name == "alertname" || !value.is_string()) continue;
      event.labels +=
          fmt::format("{}{}={}", event.labels.empty() ? "" : ", ", name, value.get<std::string>());
    }
    firing.push_back(std::move(event));
  }
  return firing;
}

}  // namespace

AlertWatch::AlertWatch(std::string url, std::string token)
    : url_(std::move(url)), token_(std::move(token)) {
  while (url_.ends_with('/')) url_.pop_back();
}

Result<std::unique_ptr<AlertWatch>> AlertWatch::Start(const std::string& url,
                                                         const std::string& token) {
  std::unique_ptr<AlertWatch> watch(new AlertWatch(url, token));
  if (Status asked = watch->Ask(true); !asked) {
    return Fail(asked.error().code, "--alertd: {}: {}", url, asked.error().message);
  }
  watch->thread_ = std::thread([raw = watch.get()] { raw->Run(); });
  return watch;
}

AlertWatch::~AlertWatch() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
}

void AlertWatch::Run() {
  while (!stopping_.load()) {
    if (!Ask(false)) failures_.fetch_add(1);
    std::this_thread::sleep_for(kEvery);
  }
}

Status AlertWatch::Ask(bool first) {
  HttpClientRequest request;
  request.url = url_ + "/api/v1/alerts";
  request.bearer_token = token_;
  request.timeout = kTimeout;
  const Result<HttpClientReply> reply = client_.SendAndWait(std::move(request));
  if (!reply) return Forward(reply.error());
  if (reply->status != 200) return Fail(ErrorCode::kIo, "status {}", reply->status);
  Result<std::vector<AlertEvent>> firing = FiringIn(reply->body);
  if (!firing) return Forward(firing.error());
  const std::int64_t now_ns = SystemClock().SteadyNs();
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::size_t> still;
  for (AlertEvent& event : *firing) {
    const std::string key = event.name + "\n" + event.labels;
    if (const auto known = firing_.find(key); known != firing_.end()) {
      still.insert(*known);
      continue;
    }
    event.from_before = first;
    event.fired_ns = now_ns;
    still.emplace(key, events_.size());
    events_.push_back(std::move(event));
  }
  for (const auto& [key, index] : firing_) {
    if (still.count(key) == 0) events_[index].resolved_ns = now_ns;
  }
  firing_ = std::move(still);
  return {};
}

std::vector<AlertEvent> AlertWatch::Events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

}  // namespace atalaya::stress
