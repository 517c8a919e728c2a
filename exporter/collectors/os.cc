#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <map>

#include "base/file.h"
#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::array<std::string_view, 12> kInfoLabels = {
    "build_id",    "id",      "id_like",    "image_id", "image_version",    "name",
    "pretty_name", "variant", "variant_id", "version",  "version_codename", "version_id"};

// The value of an assignment as a shell would take it (os-release(5)).
std::string Unquote(std::string_view value) {
  std::string plain;
  char quote = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < value.size()) {
      plain += value[++i];
    } else {
      plain += c;
    }
  }
  return plain;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

class Os final : public Collector {
 public:
  explicit Os(const CollectorOptions& options)
      : etc_(options.rootfs / "etc/os-release"), usr_(options.rootfs / "usr/lib/os-release") {}

  Status Collect(TextWriter& out) override {
    struct stat now {};
    if (stat(etc_.c_str(), &now) != 0 && stat(usr_.c_str(), &now) != 0) {
      return Fail(ErrorCode::kNotFound, "{}: cannot find it: {}", etc_.string(), ErrnoText(errno));
    }
    if (now.st_ino != read_.st_ino || now.st_mtim.tv_sec != read_.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != read_.st_mtim.tv_nsec || now.st_size != read_.st_size) {
      if (Status read = Read(); !read) return read;
      read_ = now;
    }
    out.Family("node_os_info", MetricType::kGauge, "What os-release says, as labels.");
    out.Sample(info_.text(), 1);
    if (version_) {
      out.Family("node_os_version", MetricType::kGauge, "Major and minor version of the system.");
      out.Sample(version_labels_.text(), *version_);
    }
    return {};
  }

 private:
  Status Read() {
    Result<std::string> content = ReadFile(etc_);
    if (!content) content = ReadFile(usr_);
    if (!content) return Forward(content.error());
    std::map<std::string, std::string> values;
    std::string_view rest = *content;
    while (!rest.empty()) {
      const std::string_view line = TrimSpace(TakeLine(rest));
      const std::size_t equals = line.find('=');
      if (line.starts_with('#') || equals == std::string_view::npos) continue;
      values[LowerCase(line.substr(0, equals))] = Unquote(line.substr(equals + 1));
    }
    info_.Clear();
    for (const std::string_view label : kInfoLabels) info_.Add(label, values[std::string(label)]);
    version_ = MajorMinor(values["version_id"]);
    version_labels_ = LabelText("id", values["id"]);
    version_labels_.Add("id_like", values["id_like"]).Add("name", values["name"]);
    return {};
  }

  // "12.4.1" is 12.4.
  static std::optional<double> MajorMinor(std::string_view version) {
    const std::size_t dot = version.find('.');
    const std::size_t second = dot == std::string_view::npos ? dot : version.find('.', dot + 1);
    return ParseNumber<double>(version.substr(0, second));
  }

  std::filesystem::path etc_;
  std::filesystem::path usr_;
  struct stat read_ {};  // Of the file that the rest was made of.
  LabelText info_;
  std::optional<double> version_;
  LabelText version_labels_;
};

}  // namespace

CollectorResult CreateOs(const CollectorOptions& options) { return std::make_unique<Os>(options); }

}  // namespace atalaya::exporter
