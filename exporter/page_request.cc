#include "exporter/page_request.h"

#include <algorithm>

#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

bool IsTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

ParsedRequest BadRequest(int status) { return {ParsedRequest::kBad, status, 0, false}; }

// "GET /metrics?collect[]=cpu HTTP/1.1"; 0 where it is right, else the status.
int ParseRequestLine(std::string_view line, HttpRequest& request, bool& keep_alive) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == line.npos || last == first) return 400;
  request.method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (request.method.empty() ||
      !std::all_of(request.method.begin(), request.method.end(), IsTokenChar)) {
    return 400;
  }
  if (!version.starts_with("HTTP/")) return 400;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return 505;
  keep_alive = version == "HTTP/1.1";
  if (target.starts_with("http://")) {  // As a proxy asks.
    const std::size_t slash = target.find('/', 7);
    target = slash == target.npos ? "/" : target.substr(slash);
  }
  if (!target.starts_with('/') || target.find(' ') != target.npos) return 400;
  const std::size_t query = target.find('?');
  request.path = target.substr(0, query);
  if (query != target.npos) request.query = target.substr(query + 1);
  return 0;
}

}  // namespace

ParsedRequest ParsePageRequest(std::string_view text, HttpRequest& request) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == text.npos) return {};
  std::string_view head = text.substr(0, end + 2);
  ParsedRequest parsed;
  std::string_view line = TakeLine(head);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (const int status = ParseRequestLine(line, request, parsed.keep_alive); status != 0)
    return BadRequest(status);
  while (!head.empty()) {
    line = TrimSpace(TakeLine(head));
    const std::size_t colon = line.find(':');
    if (colon == line.npos || colon == 0 || !IsTokenChar(line[colon - 1])) return BadRequest(400);
    const std::string name = ToLower(line.substr(0, colon));
    const std::string_view value = TrimSpace(line.substr(colon + 1));
    if (name == "transfer-encoding" || (name == "content-length" && value != "0"))
      return BadRequest(request.method == "GET" || request.method == "HEAD" ? 413 : 405);
    if (name == "accept" || name == "accept-encoding") {
      std::string& kept = request.headers[name];
      if (!kept.empty()) kept += ',';
      kept += value;
    } else if (name == "connection") {
      const std::string options = ToLower(value);
      if (options.find("close") != options.npos) parsed.keep_alive = false;
      if (options.find("keep-alive") != options.npos) parsed.keep_alive = true;
    }
  }
  parsed.outcome = ParsedRequest::kWhole;
  parsed.bytes = end + 4;
  return parsed;
}

}  // namespace atalaya::exporter
