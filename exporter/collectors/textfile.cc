#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/file.h"
#include "base/log.h"
#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "telemetry/text_reader.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::size_t kTextfileLimitBytes = 16u << 20;
constexpr std::size_t kTextfileSampleLimit = 200'000;
constexpr std::int64_t kTextfileNoTime = std::numeric_limits<std::int64_t>::min();

struct TextfileSample {
  std::string suffix;  // "_bucket" and the like; else "".
  std::string labels;
  double value;
};
struct TextfileFamily {
  MetricType type = MetricType::kUntyped;
  std::string help;
  std::vector<TextfileSample> samples;
};

// One file as it was when it was last looked at.
struct Textfile {
  timespec changed{};
  off_t bytes = -1;
  Status status;
  std::map<std::string, TextfileFamily> families;
};

// The family that a sample belongs to: its name, or that of a histogram or summary without
// "_bucket", "_sum" or "_count".
std::string_view TextfileFamilyOf(std::string_view metric,
                                  const std::map<std::string, TextfileFamily>& families) {
  for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
    if (!metric.ends_with(suffix)) continue;
    const std::string_view stem = metric.substr(0, metric.size() - suffix.size());
    const auto found = families.find(std::string(stem));
    if (found == families.end()) continue;
    const MetricType type = found->second.type;
    if (type == MetricType::kHistogram || (type == MetricType::kSummary && suffix != "_bucket"))
      return stem;
  }
  return metric;
}

Status ParseTextfile(const fs::path& path, Textfile& file) {
  const Result<std::string> content = ReadFile(path, kTextfileLimitBytes);
  if (!content) return Forward(content.error());
  telemetry::TextReaderOptions options;
  options.time_ms = kTextfileNoTime;
  options.sample_limit = kTextfileSampleLimit;
  const Result<telemetry::TextPage> page = telemetry::ReadTextPage(*content, options);
  if (!page) return Fail(page.error().code, "{}: {}", path.string(), page.error().message);
  for (const telemetry::FamilyMetadata& family : page->families)
    file.families[family.name] = {family.type, family.help, {}};
  std::set<telemetry::Labels> seen;
  for (const telemetry::LabelledSample& sample : page->samples) {
    const std::string_view metric = sample.labels.Get(telemetry::kMetricName);
    if (sample.sample.time_ms != kTextfileNoTime) {
      return Fail(ErrorCode::kInvalid, "{}: {} has a timestamp, which a textfile cannot have",
                  path.string(), metric);
    }
    if (!seen.insert(sample.labels).second) {
      return Fail(ErrorCode::kInvalid, "{}: {} stands there twice", path.string(),
                  sample.labels.ToString());
    }
    const std::string_view stem = TextfileFamilyOf(metric, file.families);
    LabelText labels;
    for (const auto& [name, value] : sample.labels) {
      if (name != telemetry::kMetricName) labels.Add(name, value);
    }
    file.families[std::string(stem)].samples.push_back(
        {std::string(metric.substr(stem.size())), std::string(labels.text()), sample.sample.value});
  }
  for (auto& [name, family] : file.families) {
    if (family.help.empty()) family.help = "Read from " + path.string() + ".";
  }
  return {};
}

// Serves what other programs leave in a folder as NAME.prom. A file is parsed again only when it
// changed; one that is broken is said once, and left out whole.
class TextfileCollector final : public Collector {
 public:
  explicit TextfileCollector(const CollectorOptions& options)
      : directory_(options.textfile_directory) {}

  Status Collect(TextWriter& out) override {
    bool failed = false;
    std::map<std::string, Textfile> now;
    for (const std::string& folder : Folders()) {
      const std::optional<std::vector<std::string>> names = ListFolder(folder);
      if (!names) failed = true;
      Note(folder, names ? Status() : Fail(ErrorCode::kIo, "{}: cannot list", folder));
      for (const std::string& name : names.value_or(std::vector<std::string>())) {
        if (name.ends_with(".prom")) Look(fs::path(folder) / name, now);
      }
    }
    files_ = std::move(now);
    Write(out, failed);
    return {};
  }

 private:
  std::vector<std::string> Folders() const {
    std::vector<std::string> folders;
    if (directory_.empty()) return folders;
    glob_t found{};
    if (glob(directory_.c_str(), 0, nullptr, &found) == 0) {
      for (std::size_t i = 0; i < found.gl_pathc; ++i) folders.emplace_back(found.gl_pathv[i]);
    }
    globfree(&found);
    if (folders.empty()) folders.push_back(directory_);
    return folders;
  }

  void Look(const fs::path& path, std::map<std::string, Textfile>& now) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) status.st_size = -1;
    Textfile& file = now[path.string()];
    if (status.st_size >= 0 && !S_ISREG(status.st_mode)) {  // A pipe would block whoever opens it.
      file.status = Fail(ErrorCode::kInvalid, "{}: no regular file", path.string());
      return;
    }
    const auto known = files_.find(path.string());
    if (known != files_.end() && known->second.bytes == status.st_size &&
        known->second.changed.tv_sec == status.st_mtim.tv_sec &&
        known->second.changed.tv_nsec == status.st_mtim.tv_nsec) {
      file = std::move(known->second);
      return;
    }
    file.changed = status.st_mtim;
    file.bytes = status.st_size;
    file.status = ParseTextfile(path, file);
    if (!file.status) file.families.clear();
  }

  // Families of all files together: one that is there already with another type, or a series that
  // another file has, leaves the later file out.
  void Write(TextWriter& out, bool failed) {
    std::map<std::string_view, const TextfileFamily*> first;
    std::map<std::string_view, std::vector<const TextfileSample*>> samples;
    std::set<std::string> seen;
    std::vector<std::pair<std::string, std::int64_t>> times;
    for (auto& [path, file] : files_) {
      const Status fits = file.status ? Fits(path, file, first, seen) : file.status;
      Note(path, fits);
      if (!fits) {
        failed = true;
        continue;
      }
      times.emplace_back(path, file.changed.tv_sec);
      for (const auto& [name, family] : file.families) {
        first.emplace(name, &family);
        for (const TextfileSample& sample : family.samples) {
          seen.insert(SeriesOf(name, sample));
          samples[name].push_back(&sample);
        }
      }
    }
    for (const auto& [name, family] : first) {
      out.Family(name, family->type, family->help);
      for (const TextfileSample* sample : samples[name])
        out.SuffixedSample(sample->suffix, sample->labels, sample->value);
    }
    out.Family("node_textfile_mtime_seconds", MetricType::kGauge,
               "When a textfile was last changed, in seconds since 1970.");
    for (const auto& [path, time] : times) out.Sample(LabelText("file", path).text(), time);
    out.Family("node_textfile_scrape_error", MetricType::kGauge,
               "Whether a textfile, or their folder, could not be read.");
    out.Sample("", failed ? 1 : 0);
  }

  static std::string SeriesOf(std::string_view family, const TextfileSample& sample) {
    return std::string(family).append(sample.suffix).append("{").append(sample.labels);
  }

  static Status Fits(const std::string& path, const Textfile& file,
                     const std::map<std::string_view, const TextfileFamily*>& first,
                     const std::set<std::string>& seen) {
    for (const auto& [name, family] : file.families) {
      const auto known = first.find(name);
      if (known != first.end() && known->second->type != family.type)
        return Fail(ErrorCode::kInvalid, "{}: {} has another type in another file", path, name);
      for (const TextfileSample& sample : family.samples) {
        if (seen.contains(SeriesOf(name, sample)))
          return Fail(ErrorCode::kInvalid, "{}: {} is in another file, too", path, name);
      }
    }
    return {};
  }

  // Says each trouble once, until it is over or another.
  void Note(const std::string& place, const Status& status) {
    std::string& said = said_[place];
    const std::string now = status ? "" : status.error().message;
    if (now != said && !now.empty()) LogWarning("textfile: {}; left out", now);
    if (now.empty()) {
      said_.erase(place);
    } else {
      said = now;
    }
  }

  std::string directory_;
  std::map<std::string, Textfile> files_;    // By path.
  std::map<std::string, std::string> said_;  // By path; as long as the trouble lasts.
};

}  // namespace

CollectorResult CreateTextfile(const CollectorOptions& options) {
  return std::make_unique<TextfileCollector>(options);
}

}  // namespace atalaya::exporter
