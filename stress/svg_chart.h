#pragma once

#include <string>
#include <utility>
#include <vector>

namespace atalaya::stress {

struct Tick {
  double at = 0;
  std::string label;
};

struct Axis {
  std::string title;
  double min = 0;
  double max = 1;
  bool logarithmic = false;  // `min` must then be above 0.
  std::vector<Tick> ticks;
};

struct ChartPoint {
  double x = 0;
  double y = 0;  // NaN: nothing was measured, the line has a gap.
};

struct ChartSeries {
  std::string name;
  int colour = 0;  // 0 to 3: the style sheet's classes s0 to s3.
  std::vector<ChartPoint> points;
  std::vector<ChartPoint> floor = {};  // Where not empty: the area down to it is shaded.
  bool dots = false;                   // A dot at each point.
};

struct ChartBand {                     // A shaded stretch of the x axis, with a word.
  enum class Kind { kFault, kAlert };  // Over the whole height; a strip at its foot.
  double from = 0;
  double to = 0;
  std::string label;
  Kind kind = Kind::kFault;
};

struct ChartMark {  // A dashed line up from the x axis, with a word.
  double at = 0;
  std::string label;
};

struct Chart {
  std::string title;  // For readers who cannot see it.
  Axis x, y;
  std::vector<ChartSeries> series;
  std::vector<ChartBand> bands = {};
  std::vector<ChartMark> marks = {};
};

struct ChartSize {
  int width = 720;
  int height = 260;
};

// The chart as an <svg> element that scales with its place. Colours are the page's: classes grid,
// axis, band, alert, mark and s0 to s3. Points outside an axis are drawn at its edge. All text is
// escaped.
std::string RenderSvg(const Chart& chart, const ChartSize& size);

// An axis from 0 to at least `max`, with 3 to 6 round ticks.
Axis LinearAxis(std::string title, double max);

// An axis over whole decades around `min` to `max` (both above 0), a tick at each, labelled in
// ns, us, ms or s.
Axis LatencyAxis(std::string title, double min_ns, double max_ns);

}  // namespace atalaya::stress
