#pragma once

#include <string>
#include <string_view>

#include "alertd/notify/notice.h"

namespace atalaya::alertd {

struct MailAddresses {
  std::string from;  // Bare addresses, as receiver_config checked them.
  std::string to;    // One, or several with "," and a folded line between them.
};

// `notice` as a whole message with CRLF lines: headers, a text part and an HTML part, UTF-8.
// Nothing that an alert carries can add a header or markup. All mails of one group's trouble share
// a subject but for its [FIRING] or [RESOLVED], and refer to the first one, so that mailers show
// one thread. Sources: RFC 5322, RFC 2045 to 2047; RFC 5256 section 2.1 on subjects.
std::string RenderMail(const Notice& notice, const MailAddresses& addresses,
                       std::string_view external_url);

// `text` as a header's value: itself where it is short printable ASCII, else RFC 2047 encoded words
// on folded lines. Control characters become spaces.
std::string EncodeHeaderText(std::string_view text);

// RFC 2045 section 6.7, with CRLF lines of at most 76 characters. `text` has \n or \r\n lines.
std::string EncodeQuotedPrintable(std::string_view text);

// "Sat, 21 Nov 2026 00:36:06 +0000".
std::string FormatMailDate(std::int64_t utc_ms);

}  // namespace atalaya::alertd
