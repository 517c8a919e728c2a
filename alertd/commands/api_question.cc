#include "alertd/commands/api_question.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/http_client.h"

namespace atalaya::alertd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxAnswerBytes = 1u << 30;
constexpr std::chrono::minutes kTimeout{3};

void AddField(std::string& form, std::string_view name, std::string_view value) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  if (value.empty()) return;
  if (!form.empty()) form += '&';
  form.append(name) += '=';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') {
      form += c;
    } else if (byte >= '0' && byte <= '9') {
      form += c;
    } else {
      form += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
}

}  // namespace

Result<std::string> AskApi(const ApiServer& server, const std::string& path,
                           const std::vector<std::pair<std::string, std::string>>& fields) {
  HttpClientRequest request;
  request.method = "POST";
  request.url = server.url + path;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.timeout = kTimeout;
  request.body_limit_bytes = kMaxAnswerBytes;
  request.bearer_token = server.token;
  for (const auto& [name, value] : fields) AddField(request.body, name, value);
  HttpClient client;
  Result<HttpClientReply> reply = client.SendAndWait(std::move(request));
  if (!reply) return Forward(reply.error());
  const json answer = json::parse(reply->body, nullptr, false);
  if (!answer.is_object()) {
    return Fail(ErrorCode::kInvalid, "{}: status {}, and no answer of a Prometheus API", server.url,
                reply->status);
  }
  if (answer.value("status", "") != "success")
    return Fail(ErrorCode::kInvalid, "{}", answer.value("error", "the query failed"));
  if (!answer.contains("data"))
    return Fail(ErrorCode::kInvalid, "{}: the answer has no data", server.url);
  return std::move(reply->body);
}

}  // namespace atalaya::alertd
