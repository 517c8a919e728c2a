#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/alert.h"
#include "base/result.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

// What a notice carries at most; the rest is cut, and said where it is a whole alert.
inline constexpr std::size_t kMaxAlertsPerNotice = 1'000;
inline constexpr std::size_t kMaxLabelBytes = 1'024;
inline constexpr std::size_t kMaxAnnotationBytes = 8'192;
inline constexpr std::size_t kMaxPairsPerAlert = 64;  // Labels, and annotations.
inline constexpr std::size_t kMaxSummaryBytes = 300;

// One episode of one alert, as told to people: valid UTF-8 within the limits above.
struct NoticeAlert {
  std::uint64_t fingerprint = 0;  // Of the alert's whole label set, before anything was cut.
  telemetry::Labels labels;
  std::map<std::string, std::string> annotations;
  bool firing = false;
  std::int64_t starts_ms = 0;
  std::int64_t ends_ms = 0;  // 0 while it fires.
  double value = 0;
  std::string generator_url;  // "" of our own alerts.

  friend bool operator==(const NoticeAlert&, const NoticeAlert&) = default;
};

// What one notice tells one receiver.
struct Notice {
  std::string id;         // Stable over attempts: `webhook-id`, and part of the Message-ID.
  std::string thread_id;  // The id of the notice that began this group's trouble; may be `id`.
  std::string receiver;
  std::string group_key;  // `{}:{alertname="DiskSpaceLow"}`; names the group among all.
  telemetry::Labels group_labels;
  std::vector<NoticeAlert> alerts;  // Firing ones first, then by start and labels.
  std::uint64_t truncated = 0;      // Alerts left out for kMaxAlertsPerNotice.
  std::int64_t created_ms = 0;
  std::string
      undelivered;  // `ops: HTTP status 404`: who refused it, where this is a fallback; or "".

  bool firing() const;  // Whether any alert fires.
  std::size_t FiringCount() const;

  friend bool operator==(const Notice&, const Notice&) = default;
};

// "firing" or "resolved".
std::string_view NoticeStatus(const Notice& notice);

NoticeAlert MakeNoticeAlert(const Alert& alert);

// Sorts `notice.alerts`, and cuts them to kMaxAlertsPerNotice.
void ArrangeAlerts(Notice& notice);

// Adds to `newer` each episode (an alert and when it began) of `older` that it does not tell of.
void MergeInto(Notice& newer, const Notice& older);

// What the group is about, the same in all its notices: its alertname, or where it is grouped by
// others its labels, `{server="a"}`; "alerts" where by none.
std::string GroupName(const Notice& notice);

// The labels and annotations that all alerts share.
telemetry::Labels CommonLabels(const Notice& notice);
std::map<std::string, std::string> CommonAnnotations(const Notice& notice);

// One line for people: the first alert's summary or labels, and how many more there are. No control
// characters; at most kMaxSummaryBytes.
std::string NoticeSummary(const Notice& notice);

// The form that the outbox keeps. Decode fails with kInvalid on anything Encode did not write.
std::string EncodeNotice(const Notice& notice);
Result<Notice> DecodeNotice(std::string_view encoded);
std::string EncodeNoticeAlert(const NoticeAlert& alert);
Result<NoticeAlert> DecodeNoticeAlert(std::string_view encoded);
std::string EncodeLabels(const telemetry::Labels& labels);
Result<telemetry::Labels> DecodeLabels(std::string_view encoded);

// `text` as valid UTF-8 (what is not becomes U+FFFD), cut on a character to `max_bytes`.
std::string CutText(std::string_view text, std::size_t max_bytes);

// `text` with each control character replaced by a space: for headers and lines.
std::string OneLine(std::string_view text);

}  // namespace atalaya::alertd
