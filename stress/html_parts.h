#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stress/svg_chart.h"

// Pieces of the report's page. What they are given is text, and escaped; what they return is
// markup.
namespace atalaya::stress {

using Cells = std::vector<std::string>;

inline constexpr ChartSize kWideChart{1050, 270};
inline constexpr ChartSize kFlatChart{1050, 180};

std::string Lower(std::string_view text);

// A section with a heading; `content` is markup.
std::string Section(std::string_view title, const std::string& content);

// A table whose first column names the row and whose others are figures.
std::string FigureTable(const std::string& caption, const Cells& head,
                        const std::vector<Cells>& rows);
// A table of words. On a narrow screen each row becomes a block in which a cell is led by its
// column's name.
std::string WordTable(const Cells& head, const std::vector<Cells>& rows);
// Names and what they stand for; those without a value are left out.
std::string FactTable(const std::vector<std::pair<std::string, std::string>>& facts);

std::string Details(const std::string& summary, const std::string& content);

// A chart for wide screens and one for narrow ones, with its key above.
std::string Figure(const Chart& chart, const ChartSize& size);

}  // namespace atalaya::stress
