#include "stress/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/html_text.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

constexpr double kLeft = 64, kRight = 14, kTop = 18, kBottom = 40;
constexpr double kDotRadius = 2.5;
constexpr double kStripHeight = 6;
constexpr double kLetterWidth = 6.6;  // Of 12 px, at most.

struct Frame {
  double left, right, top, bottom;
};

double Share(const Axis& axis, double value) {
  const double low = axis.logarithmic ? std::log10(axis.min) : axis.min;
  const double high = axis.logarithmic ? std::log10(axis.max) : axis.max;
  const double at = axis.logarithmic ? std::log10(std::max(value, axis.min)) : value;
  return high > low ? std::clamp((at - low) / (high - low), 0.0, 1.0) : 0.0;
}

double X(const Chart& chart, const Frame& frame, double value) {
  return frame.left + Share(chart.x, value) * (frame.right - frame.left);
}

double Y(const Chart& chart, const Frame& frame, double value) {
  return frame.bottom - Share(chart.y, value) * (frame.bottom - frame.top);
}

std::string Axes(const Chart& chart, const Frame& frame) {
  std::string svg;
  for (const Tick& tick : chart.y.ticks) {
    const double y = Y(chart, frame, tick.at);
    svg += fmt::format(R"(<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)",
                       frame.left, y, frame.right, y);
    svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", frame.left - 6,
                       y + 4, EscapeHtml(tick.label));
  }
  for (const Tick& tick : chart.x.ticks) {
    const double x = X(chart, frame, tick.at);
    svg += fmt::format(R"(<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)", x,
                       frame.top, x, frame.bottom);
    const bool at_edge = x > frame.right - kRight;
    svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", x,
                       frame.bottom + 16, at_edge ? "end" : "middle", EscapeHtml(tick.label));
  }
  svg += fmt::format(R"(<path class="axis" d="M{:.1f} {:.1f}V{:.1f}H{:.1f}"/>)", frame.left,
                     frame.top, frame.bottom, frame.right);
  svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", frame.right,
                     frame.bottom + 33, EscapeHtml(chart.x.title));
  return svg;
}

std::string Dot(const ChartSeries& series, double x, double y) {
  return fmt::format(R"(<circle class="s{} dot" cx="{:.1f}" cy="{:.1f}" r="{}"/>)", series.colour,
                     x, y, kDotRadius);
}

// Stretches without a gap, each as a closed path from the line to the floor.
std::string Area(const Chart& chart, const Frame& frame, const ChartSeries& series) {
  std::string path, back;
  const auto close = [&] {
    if (!back.empty()) path += back + "Z";
    back.clear();
  };
  for (std::size_t i = 0; i < std::min(series.points.size(), series.floor.size()); ++i) {
    const ChartPoint& top = series.points[i];
    if (std::isnan(top.y) || std::isnan(series.floor[i].y)) {
      close();
      continue;
    }
    const double x = X(chart, frame, top.x);
    path += fmt::format("{}{:.1f} {:.1f}", back.empty() ? "M" : "L", x, Y(chart, frame, top.y));
    back = fmt::format("L{:.1f} {:.1f}", x, Y(chart, frame, series.floor[i].y)) + back;
  }
  close();
  return fmt::format(R"(<path class="area s{}" d="{}"/>)", series.colour, path);
}

std::string Line(const Chart& chart, const Frame& frame, const ChartSeries& series) {
  std::string path, dots;
  std::size_t run = 0;  // Points since the last gap.
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    const ChartPoint& point = series.points[i];
    if (std::isnan(point.y)) {
      run = 0;
      continue;
    }
    const double x = X(chart, frame, point.x);
    const double y = Y(chart, frame, point.y);
    path += fmt::format("{}{:.1f} {:.1f}", run == 0 ? "M" : "L", x, y);
    ++run;
    const bool last = i + 1 == series.points.size() || std::isnan(series.points[i + 1].y);
    if ((run == 1 && last) || series.dots) dots += Dot(series, x, y);
  }
  return fmt::format(R"(<path class="line s{}" d="{}"/>)", series.colour, path) + dots;
}

// Words stand above the frame, and give way to one that is too near.
class TopLabels {
 public:
  explicit TopLabels(const Frame& frame) : frame_(frame) {}

  std::string At(double x, const std::string& label) {
    const double width = kLetterWidth * static_cast<double>(label.size());
    const double from = std::clamp(x, frame_.left, std::max(frame_.left, frame_.right - width));
    if (label.empty() || from < free_from_) return "";
    free_from_ = from + width + kLetterWidth;
    return fmt::format(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)", from, frame_.top - 4,
                       EscapeHtml(label));
  }

 private:
  Frame frame_;
  double free_from_ = 0;
};

std::string Bands(const Chart& chart, const Frame& frame) {
  std::string svg;
  TopLabels labels(frame);
  for (const ChartBand& band : chart.bands) {
    const bool fault = band.kind == ChartBand::Kind::kFault;
    const double from = X(chart, frame, band.from);
    const double to = std::max(X(chart, frame, band.to), from + 2);
    const double top = fault ? frame.top : frame.bottom - kStripHeight;
    svg += fmt::format(
        R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>)",
        fault ? "band" : "alert", from, top, to - from, frame.bottom - top, EscapeHtml(band.label));
    if (fault) svg += labels.At(from, band.label);
  }
  for (const ChartMark& mark : chart.marks) {
    const double x = X(chart, frame, mark.at);
    svg += fmt::format(R"(<path class="mark" d="M{:.1f} {:.1f}V{:.1f}"/>)", x, frame.bottom,
                       frame.top);
    if (chart.bands.empty()) svg += labels.At(x, mark.label);
  }
  return svg;
}

}  // namespace

std::string RenderSvg(const Chart& chart, const ChartSize& size) {
  const Frame frame{kLeft, size.width - kRight, kTop, size.height - kBottom};
  std::string svg =
      fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>)",
                  size.width, size.height, EscapeHtml(chart.title), EscapeHtml(chart.title));
  svg += Bands(chart, frame);
  svg += Axes(chart, frame);
  for (const ChartSeries& series : chart.series) {
    if (!series.floor.empty()) svg += Area(chart, frame, series);
  }
  for (const ChartSeries& series : chart.series) svg += Line(chart, frame, series);
  return svg + "</svg>";
}

Axis LinearAxis(std::string title, double max) {
  Axis axis;
  axis.title = std::move(title);
  const double top = max > 0 ? max : 1;
  double step = std::pow(10, std::floor(std::log10(top)));
  if (top / step < 1.5) {
    step /= 4;
  } else if (top / step < 3) {
    step /= 2;
  } else if (top / step > 6) {
    step *= 2;
  }
  // Ticks stand at whole steps; the last one is at or above the top.
  const int ticks = static_cast<int>(std::ceil(top / step - 1e-9));
  axis.max = step * ticks;
  for (int i = 0; i <= ticks; ++i) {
    const double at = step * i;
    axis.ticks.push_back({at, at >= 1000 ? WordNumber(at) : fmt::format("{:g}", at)});
  }
  return axis;
}

Axis LatencyAxis(std::string title, double min_ns, double max_ns) {
  Axis axis;
  axis.title = std::move(title);
  axis.logarithmic = true;
  const int low = static_cast<int>(std::floor(std::log10(std::max(min_ns, 1.0))));
  const int high =
      std::max(low + 1, static_cast<int>(std::ceil(std::log10(std::max(max_ns, 1.0)))));
  axis.min = std::pow(10, low);
  axis.max = std::pow(10, high);
  for (int power = low; power <= high; ++power) {
    const double at = std::pow(10, power);
    constexpr const char* kUnits[] = {"ns", "us", "ms", "s"};
    const int unit = std::min(power / 3, 3);
    axis.ticks.push_back(
        {at, fmt::format("{:.0f} {}", std::pow(10, power - 3 * unit), kUnits[unit])});
  }
  return axis;
}

}  // namespace atalaya::stress
