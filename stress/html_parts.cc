#include "stress/html_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/html_text.h"

namespace atalaya::stress {
namespace {

constexpr ChartSize kNarrow{340, 200};

std::string Head(const Cells& head, bool figures) {
  std::string html = "<thead><tr>";
  for (std::size_t i = 0; i < head.size(); ++i) {
    html += fmt::format("<th scope=\"col\"{}>{}</th>", i > 0 && figures ? " class=\"num\"" : "",
                        EscapeHtml(head[i]));
  }
  return html + "</tr></thead>";
}

}  // namespace

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string Section(std::string_view title, const std::string& content) {
  return fmt::format("<section><h2>{}</h2>{}</section>\n", title, content);
}

std::string FigureTable(const std::string& caption, const Cells& head,
                        const std::vector<Cells>& rows) {
  std::string html = "<div class=\"scroll\" tabindex=\"0\"><table>";
  if (!caption.empty()) html += "<caption>" + EscapeHtml(caption) + "</caption>";
  html += Head(head, true) + "<tbody>";
  for (const Cells& row : rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      html += i == 0 ? fmt::format("<th scope=\"row\">{}</th>", EscapeHtml(row[i]))
                     : fmt::format("<td class=\"num\">{}</td>", EscapeHtml(row[i]));
    }
    html += "</tr>";
  }
  return html + "</tbody></table></div>";
}

std::string WordTable(const Cells& head, const std::vector<Cells>& rows) {
  std::string html = "<table class=\"words\">" + Head(head, false) + "<tbody>";
  for (const Cells& row : rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      // The words of a judgement carry its colour.
      const std::string tone = Lower(row[i]);
      constexpr std::string_view kTones[] = {"valid", "degraded", "invalid",
                                             "met",   "missed",   "worse"};
      const bool judged = std::find(std::begin(kTones), std::end(kTones), tone) != std::end(kTones);
      html += i == 0
                  ? fmt::format("<th scope=\"row\">{}</th>", EscapeHtml(row[i]))
                  : fmt::format("<td data-name=\"{}\"{}>{}</td>", EscapeHtml(head[i]),
                                judged ? " class=\"result " + tone + "\"" : "", EscapeHtml(row[i]));
    }
    html += "</tr>";
  }
  return html + "</tbody></table>";
}

std::string FactTable(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string html = "<table class=\"facts\"><tbody>";
  for (const auto& [name, value] : facts) {
    if (value.empty()) continue;
    html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", EscapeHtml(name),
                        EscapeHtml(value));
  }
  return html + "</tbody></table>";
}

std::string Details(const std::string& summary, const std::string& content) {
  return fmt::format("<details><summary>{}</summary>{}</details>", EscapeHtml(summary), content);
}

std::string Figure(const Chart& chart, const ChartSize& size) {
  std::string html = "<p class=\"key\">";
  for (const ChartSeries& series : chart.series) {
    html +=
        fmt::format("<span><i class=\"k{}\"></i>{}</span>", series.colour, EscapeHtml(series.name));
  }
  html += fmt::format("<span class=\"unit\">{}</span></p>", EscapeHtml(chart.y.title));
  return html + "<div class=\"wide\">" + RenderSvg(chart, size) + "</div><div class=\"narrow\">" +
         RenderSvg(chart, kNarrow) + "</div>";
}

}  // namespace atalaya::stress
