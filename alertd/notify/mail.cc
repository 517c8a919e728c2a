#include "alertd/notify/mail.h"

#include <algorithm>

#include "base/clock.h"
#include "base/html_text.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxSubjectBytes = 150;
constexpr std::size_t kMaxAlertsInMail = 50;  // More are counted; the page shows them.

std::string Domain(const std::string& address) {
  const std::size_t at = address.rfind('@');
  return at == std::string::npos ? "localhost" : address.substr(at + 1);
}

// The part that a group's mails share: mailers leave out the bracketed word when they thread.
std::string Subject(const Notice& notice) {
  return fmt::format("[{}] {}", notice.firing() ? "FIRING" : "RESOLVED",
                     CutText(GroupName(notice), kMaxSubjectBytes));
}

std::string Headline(const Notice& notice) {
  const std::size_t firing = notice.FiringCount();
  return fmt::format("{}: {} firing, {} resolved", OneLine(GroupName(notice)), firing,
                     notice.alerts.size() - firing);
}

std::size_t LeftOut(const Notice& notice) {
  const std::size_t shown = std::min(notice.alerts.size(), kMaxAlertsInMail);
  return notice.alerts.size() - shown + notice.truncated;
}

std::string Period(const NoticeAlert& alert) {
  std::string period = "since " + FormatRfc3339(alert.starts_ms);
  if (!alert.firing)
    period =
        fmt::format("from {} to {}", FormatRfc3339(alert.starts_ms), FormatRfc3339(alert.ends_ms));
  return period;
}

std::string TextPart(const Notice& notice, std::string_view external_url) {
  std::string text = Headline(notice) + "\n";
  for (std::size_t i = 0; i < std::min(notice.alerts.size(), kMaxAlertsInMail); ++i) {
    const NoticeAlert& alert = notice.alerts[i];
    text += fmt::format("\n{}  {}\n", alert.firing ? "FIRING" : "RESOLVED", Period(alert));
    for (const auto& [name, value] : alert.annotations)
      text += fmt::format("  {}: {}\n", OneLine(name), value);
    text +=
        fmt::format("  value: {}\n  labels: {}\n", alert.value, OneLine(alert.labels.ToString()));
  }
  if (const std::size_t left_out = LeftOut(notice); left_out > 0)
    text += fmt::format("\n... and {} more.\n", left_out);
  if (!notice.undelivered.empty())
    text += fmt::format("\nNot delivered to {}\n", OneLine(notice.undelivered));
  if (!external_url.empty()) text += fmt::format("\n{}\n", external_url);
  return text;
}

std::string HtmlAlert(const NoticeAlert& alert) {
  std::string html = fmt::format(
      "<h3 style=\"margin:16px 0 4px;color:{}\">{}</h3>\n<p style=\"margin:0 0 4px\">{}</p>\n",
      alert.firing ? "#b3261e" : "#1b6e35", alert.firing ? "Firing" : "Resolved", Period(alert));
  html += "<table style=\"border-collapse:collapse\">\n";
  const auto row = [&html](std::string_view name, std::string_view value) {
    html += fmt::format(
        "<tr><th style=\"text-align:left;vertical-align:top;padding:2px 12px 2px "
        "0\">{}</th><td>{}</td></tr>\n",
        EscapeHtml(name), EscapeHtml(value));
  };
  for (const auto& [name, value] : alert.annotations) row(name, value);
  row("value", fmt::format("{}", alert.value));
  for (const auto& [name, value] : alert.labels) row(name, value);
  return html + "</table>\n";
}

std::string HtmlPart(const Notice& notice, std::string_view external_url) {
  std::string html =
      fmt::format("<!DOCTYPE html>\n<html><body style=\"font-family:sans-serif\">\n<h2>{}</h2>\n",
                  EscapeHtml(Headline(notice)));
  for (std::size_t i = 0; i < std::min(notice.alerts.size(), kMaxAlertsInMail); ++i)
    html += HtmlAlert(notice.alerts[i]);
  if (const std::size_t left_out = LeftOut(notice); left_out > 0)
    html += fmt::format("<p>... and {} more.</p>\n", left_out);
  if (!notice.undelivered.empty())
    html += fmt::format("<p>Not delivered to {}</p>\n", EscapeHtml(OneLine(notice.undelivered)));
  if (!external_url.empty())
    html += fmt::format("<p><a href=\"{0}\">{0}</a></p>\n", EscapeHtml(external_url));
  return html + "</body></html>\n";
}

std::string Headers(const Notice& notice, const MailAddresses& addresses) {
  const std::string domain = Domain(addresses.from);
  std::string headers =
      fmt::format("From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\n",
                  addresses.from, addresses.to, EncodeHeaderText(Subject(notice)),
                  FormatMailDate(notice.created_ms), notice.id, domain);
  if (notice.thread_id != notice.id)
    headers += fmt::format("In-Reply-To: <{0}@{1}>\r\nReferences: <{0}@{1}>\r\n", notice.thread_id,
                           domain);
  return headers + "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
}

std::string Part(std::string_view type, std::string_view content) {
  return fmt::format(
      "Content-Type: {}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}",
      type, EncodeQuotedPrintable(content));
}

}  // namespace

std::string RenderMail(const Notice& notice, const MailAddresses& addresses,
                       std::string_view external_url) {
  // Quoted-printable writes every "=" as "=3D", so no content can hold this line.
  const std::string boundary = fmt::format("=_{}", notice.id);
  return fmt::format(
      "{0}Content-Type: multipart/alternative; boundary=\"{1}\"\r\n\r\n"
      "--{1}\r\n{2}\r\n--{1}\r\n{3}\r\n--{1}--\r\n",
      Headers(notice, addresses), boundary, Part("text/plain", TextPart(notice, external_url)),
      Part("text/html", HtmlPart(notice, external_url)));
}

}  // namespace atalaya::alertd
