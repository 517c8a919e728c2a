// Answers an HTTP request as it grows: what was no whole request must not have been answered, but
// where it could never become one, and the answer is a reply that names nothing the client wrote.

#include <cstdint>
#include <string>

#include "base/check.h"
#include "cloud_server/ws_upgrade.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atalaya::cloud_server;
  if (size == 0) return 0;
  OriginRule origins;
  if ((data[0] & 1) != 0) origins.allowed.emplace_back("https://dash.example.org");
  const std::string request(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Upgrade whole = AnswerUpgrade(request, origins);
  if (whole.head_bytes == 0) {
    ATALAYA_CHECK(whole.reply.empty() && !whole.accepted);
    return 0;
  }
  ATALAYA_CHECK(whole.head_bytes <= request.size());
  ATALAYA_CHECK(whole.reply.starts_with("HTTP/1.1 ") && whole.reply.size() < 512);
  ATALAYA_CHECK(whole.accepted == whole.reply.starts_with("HTTP/1.1 101 "));
  // What comes after the head changes nothing; without its last byte it is not whole.
  const Upgrade head = AnswerUpgrade(std::string_view(request).substr(0, whole.head_bytes), origins);
  ATALAYA_CHECK(head.reply == whole.reply);
  if (whole.accepted) {
    const Upgrade less =
        AnswerUpgrade(std::string_view(request).substr(0, whole.head_bytes - 1), origins);
    ATALAYA_CHECK(less.head_bytes == 0);
  }
  return 0;
}
