#pragma once

#include <string>

#include "alertd/notify/notice.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxAlertsInMessage = 20;  // More are counted; the page shows them.

// What a notice is about: the name that its alerts share, or how many they are.
std::string NoticeName(const Notice& notice);

// "[FIRING:2] DiskSpaceLow", "[RESOLVED] DiskSpaceLow".
std::string NoticeTitle(const Notice& notice);

// "Firing since 2026-01-02T03:04:05.000Z: /srv has 3 % left (value 0.03)": one line.
std::string AlertLine(const NoticeAlert& alert);

// How many alerts a message with kMaxAlertsInMessage of them leaves out.
std::size_t LeftOutOfMessage(const Notice& notice);

// A line for each alert, then how many are left out.
std::string PlainText(const Notice& notice);

}  // namespace atalaya::alertd
