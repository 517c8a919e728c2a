#include "base/smtp_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "base/check.h"
#include "base/curl_init.h"

namespace atalaya {
namespace {

constexpr std::size_t kMaxReplyBytes = 4096;  // Of the last reply's text; the rest is cut.

struct Upload {
  std::string_view rest;
};

std::size_t OnRead(char* buffer, std::size_t, std::size_t room, void* source) {
  auto* upload = static_cast<Upload*>(source);
  const std::size_t length = std::min(room, upload->rest.size());
  std::copy_n(upload->rest.data(), length, buffer);
  upload->rest.remove_prefix(length);
  return length;
}

// libcurl asks at least once a second; anything but 0 ends the transfer.
int OnProgress(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::stop_token*>(stop)->stop_requested() ? 1 : 0;
}

// libcurl hands each line that the server sends to the header callback. A reply of several lines is
// `250-first`, `250 last` (RFC 5321 section 4.2.1).
struct ReplyText {
  std::string text;
  bool continued = false;
};

std::size_t OnReplyLine(char* data, std::size_t, std::size_t length, void* target) {
  auto* reply = static_cast<ReplyText*>(target);
  std::string_view line(data, length);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  // 221 only answers the QUIT that libcurl sends after a refusal.
  if (line.starts_with("221")) return length;
  if (!reply->continued) reply->text.clear();
  reply->continued = line.size() > 3 && line[3] == '-';
  if (line.size() > 4 && reply->text.size() + line.size() <= kMaxReplyBytes) {
    if (!reply->text.empty()) reply->text += ' ';
    reply->text += line.substr(4);
  }
  return length;
}

// The address goes into a command line of the protocol as it stands.
Status CheckAddress(std::string_view name, std::string_view address) {
  const bool bad = std::any_of(address.begin(), address.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>';
  });
  if (!bad && !address.empty()) return {};
  return Fail(ErrorCode::kInvalid, "{}: \"{}\" is not a mail address (write ops@example.org)", name,
              address);
}

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

void SetServer(CURL* easy, const SmtpServer& server) {
  curl_easy_setopt(easy, CURLOPT_URL, server.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  const long timeout_ms = std::max<long>(1, static_cast<long>(server.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  if (server.starttls) curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  if (!server.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, server.ca_file.c_str());
  if (!server.username.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, server.username.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, server.password.c_str());
  }
}

Result<SmtpReply> Outcome(CURL* easy, CURLcode code, const SmtpServer& server,
                          const char* error_text, std::string reply_text) {
  long reply_code = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply_code);
  // With an error, a last reply below 400 means that the connection broke after it.
  if (code == CURLE_OK || reply_code >= 400) {
    return SmtpReply{static_cast<int>(reply_code), std::move(reply_text)};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Fail(ErrorCode::kTimeout, "{}: the mail was not accepted within {} ms", server.url,
                server.timeout.count());
  }
  if (code == CURLE_ABORTED_BY_CALLBACK) {
    return Fail(ErrorCode::kIo, "{}: stopped before the mail was accepted", server.url);
  }
  if (code == CURLE_USE_SSL_FAILED) {
    return Fail(ErrorCode::kIo, "{}: STARTTLS is required and the server does not offer it",
                server.url);
  }
  const bool wrong_url = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
  return Fail(wrong_url ? ErrorCode::kInvalid : ErrorCode::kIo, "{}: {}", server.url,
              error_text[0] != '\0' ? error_text : curl_easy_strerror(code));
}

}  // namespace

Result<SmtpReply> SmtpSend(const SmtpServer& server, const std::string& from, const std::string& to,
                           const std::string& message, const std::stop_token& stop) {
  if (Status good = CheckAddress("from", from); !good) return Forward(good.error());
  if (Status good = CheckAddress("to", to); !good) return Forward(good.error());
  InitCurl();
  const Easy easy(curl_easy_init(), &curl_easy_cleanup);
  ATALAYA_CHECK(easy != nullptr);
  const List recipients(curl_slist_append(nullptr, to.c_str()), &curl_slist_free_all);
  ATALAYA_CHECK(recipients != nullptr);
  char error_text[CURL_ERROR_SIZE] = "";
  ReplyText reply;
  Upload upload{message};

  SetServer(easy.get(), server);
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(easy.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy.get(), CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(easy.get(), CURLOPT_XFERINFODATA, &stop);
  curl_easy_setopt(easy.get(), CURLOPT_MAIL_FROM, from.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_MAIL_RCPT, recipients.get());
  curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, &OnReplyLine);
  curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, &reply);
  curl_easy_setopt(easy.get(), CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_READFUNCTION, &OnRead);
  curl_easy_setopt(easy.get(), CURLOPT_READDATA, &upload);
  curl_easy_setopt(easy.get(), CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(message.size()));

  const CURLcode code = curl_easy_perform(easy.get());
  Result<SmtpReply> outcome = Outcome(easy.get(), code, server, error_text, std::move(reply.text));
  // The cleanup's QUIT would write into what is gone by then.
  curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, nullptr);
  curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, nullptr);
  curl_easy_setopt(easy.get(), CURLOPT_NOPROGRESS, 1L);
  return outcome;
}

}  // namespace atalaya
