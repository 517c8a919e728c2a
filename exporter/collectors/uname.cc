#include <sys/utsname.h>

#include "exporter/collector_table.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

class Uname final : public Collector {
 public:
  Status Collect(TextWriter& out) override {
    utsname names{};
    uname(&names);
    telemetry::LabelText labels("domainname", names.domainname);
    labels.Add("machine", names.machine).Add("nodename", names.nodename);
    labels.Add("release", names.release).Add("sysname", names.sysname);
    labels.Add("version", names.version);
    out.Family("node_uname_info", MetricType::kGauge, "What uname(2) says, as labels.");
    out.Sample(labels.text(), 1);
    return {};
  }
};

}  // namespace

CollectorResult CreateUname(const CollectorOptions&) { return std::make_unique<Uname>(); }

}  // namespace atalaya::exporter
