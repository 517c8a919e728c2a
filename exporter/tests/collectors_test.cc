#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "base/file.h"
#include "exporter/collector.h"
#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "telemetry/stats_segment.h"
#include "telemetry/text_reader.h"

namespace atalaya::exporter {
namespace {

using telemetry::TextFormat;
using telemetry::TextWriter;
using testing::HasSubstr;
using testing::Not;

constexpr char kTree[] = "exporter/tests/tree";        // With files that are broken in places.
constexpr char kMachine[] = "exporter/tests/machine";  // With every kind of device, and no fault.

CollectorOptions TreeOptions(const Clock* clock = &SystemClock(), const char* folder = kTree) {
  CollectorOptions options;
  const std::filesystem::path tree = folder;  // Some labels hold the path.
  options.procfs = tree / "proc";
  options.sysfs = tree / "sys";
  options.rootfs = tree / "root";
  options.udev_data = tree / "udev";
  options.clock = clock;
  return options;
}

struct Collected {
  std::string text;
  Status status;
};

Collected Collect(std::string_view name, const CollectorOptions& options,
                  TextFormat format = TextFormat::kPrometheus) {
  for (const CollectorInfo& info : AllCollectors()) {
    if (info.name != name) continue;
    Result<std::unique_ptr<Collector>> collector = info.create(options);
    if (!collector) return {"", Forward(collector.error())};
    TextWriter out(format);
    Status status = (*collector)->Collect(out);
    return {out.text(), std::move(status)};
  }
  return {"", Fail(ErrorCode::kNotFound, "no collector {}", name)};
}

// Every collector whose figures come from the tree alone. Set ATALAYA_UPDATE_GOLDEN to write the
// page anew.
void ExpectGoldenPage(const char* tree, const std::string& golden) {
  setenv("TZ", "UTC", 1);
  const FakeClock clock;
  CollectorOptions options = TreeOptions(&clock, tree);
  options.bcache_priority_stats = options.cpu_info = options.stat_softirq = true;
  options.textfile_directory = std::string(tree) + "/textfile";
  std::string page;
  for (const CollectorInfo& info : AllCollectors()) {
    const std::set<std::string_view> of_this_machine = {"cloud_server", "filesystem", "tcpstat",
                                                        "timex", "uname"};
    if (of_this_machine.contains(info.name)) continue;
    const Collected collected = Collect(info.name, options);
    if (!collected.status) {
      EXPECT_EQ(collected.status.error().code, ErrorCode::kNotFound)
          << collected.status.error().message;
    }
    page += fmt::format("### {}\n{}", info.name, collected.text);
  }
  // When the files of a checkout were written is not the page's affair.
  constexpr std::string_view kMtime = "\nnode_textfile_mtime_seconds{";
  for (std::size_t at = page.find(kMtime); at != page.npos; at = page.find(kMtime, at + 1)) {
    const std::size_t value = page.find("} ", at) + 2;
    page.replace(value, page.find('\n', value) - value, "0");
  }
  if (std::getenv("ATALAYA_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(WriteFileAtomic(golden, page));
  }
  EXPECT_EQ(page, ReadFile(golden).value_or("no golden page"));
}

TEST(Collectors, WriteTheGoldenPageOfAMachineWithEveryDevice) {
  ExpectGoldenPage(kMachine, "exporter/tests/golden/machine.txt");
}

TEST(Collectors, LeaveOutWhatIsBrokenAndGoOn) {
  ExpectGoldenPage(kTree, "exporter/tests/golden/page.txt");
}

TEST(Collectors, WritePagesThatReadBackInBothFormats) {
  CollectorOptions options;  // This machine.
  options.stats_files = {"/nowhere.stats"};
  for (const TextFormat format : {TextFormat::kPrometheus, TextFormat::kOpenMetrics}) {
    for (const CollectorInfo& info : AllCollectors()) {
      std::string page = Collect(info.name, options, format).text;
      if (format == TextFormat::kOpenMetrics) page += "# EOF\n";
      telemetry::TextReaderOptions reading;
      reading.format = format;
      const auto read = telemetry::ReadTextPage(page, reading);
      EXPECT_TRUE(read) << info.name << ": " << (read ? "" : read.error().message);
    }
  }
}

TEST(Collectors, OfAnEmptyMachineSayWhatIsMissing) {
  CollectorOptions options;
  options.procfs = options.sysfs = options.rootfs = "/nowhere";
  for (const CollectorInfo& info : AllCollectors()) {
    const Collected collected = Collect(info.name, options);
    // Some ask the kernel itself, and to some nothing is an answer; none fails in another way.
    if (collected.status) continue;
    EXPECT_EQ(collected.status.error().code, ErrorCode::kNotFound) << info.name;
    EXPECT_THAT(collected.status.error().message, HasSubstr("/nowhere"));
    EXPECT_EQ(collected.text, "");
  }
}

TEST(FilesystemCollector, NamesMountsAsInitSeesThem) {
  const std::string text = Collect("filesystem", TreeOptions()).text;
  EXPECT_THAT(text, HasSubstr("node_filesystem_readonly{device=\"rootfs\",fstype=\"ext4\","
                              "mountpoint=\"/\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("node_filesystem_readonly{device=\"/dev/sdb1\",fstype=\"xfs\","
                              "mountpoint=\"/data\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("node_filesystem_device_error{device=\"/dev/sdc1\",fstype=\"ext4\","
                              "mountpoint=\"/with blank\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("node_filesystem_size_bytes{device=\"/dev/sdb1\""));
  EXPECT_THAT(text, Not(HasSubstr("node_filesystem_size_bytes{device=\"/dev/sdc1\"")));
  for (const char* excluded : {"\"/proc\"", "/run/credentials", "docker"})
    EXPECT_THAT(text, Not(HasSubstr(excluded)));
}

TEST(FilesystemCollector, RefusesAPatternThatIsNone) {
  CollectorOptions options = TreeOptions();
  options.mount_points_exclude = "(";
  const Status status = Collect("filesystem", options).status;
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("--collector.filesystem.mount-points-exclude: "));
}

TEST(NetdevCollector, LeavesOutWhatThePatternNames) {
  CollectorOptions options = TreeOptions();
  options.netdevs.exclude = "^lo$";
  const std::string text = Collect("netdev", options).text;
  EXPECT_THAT(text, Not(HasSubstr("\"lo\"")));
  EXPECT_THAT(text, HasSubstr("{device=\"eth0\"}"));
}

TEST(TextfileCollector, DoesNotOpenAPipe) {
  const std::filesystem::path folder = testing::TempDir() + "atalaya-textfiles";
  std::filesystem::create_directories(folder);
  mkfifo((folder / "a.prom").c_str(), 0600);
  std::ofstream(folder / "b.prom") << "good 1\n";
  CollectorOptions options;
  options.textfile_directory = folder;
  const std::string text = Collect("textfile", options).text;
  EXPECT_THAT(text, HasSubstr("good 1\n"));
  EXPECT_THAT(text, HasSubstr("node_textfile_scrape_error 1\n"));
  std::filesystem::remove_all(folder);
}

// Their files stay open from scrape to scrape, and must not be taken for processes.
TEST(ProcessesCollector, ForgetsProcessesThatEnded) {
  const std::filesystem::path procfs = testing::TempDir() + "atalaya-processes";
  for (const char* pid : {"7", "8"}) {
    std::filesystem::create_directories(procfs / pid);
    std::ofstream(procfs / pid / "stat")
        << pid << " (a b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9 10 11\n";
  }
  CollectorOptions options;
  options.procfs = procfs;
  const CollectorResult collector = CreateProcesses(options);
  ASSERT_TRUE(collector);
  TextWriter out(TextFormat::kPrometheus);
  ASSERT_TRUE((*collector)->Collect(out));
  EXPECT_THAT(out.text(), HasSubstr("node_processes_pids 2\n"));
  std::filesystem::remove_all(procfs / "8");
  out.StartPage(TextFormat::kPrometheus);
  ASSERT_TRUE((*collector)->Collect(out));
  EXPECT_THAT(out.text(), HasSubstr("node_processes_pids 1\n"));
  std::filesystem::remove_all(procfs);
}

class CloudServerCollector : public testing::Test {
 protected:
  CloudServerCollector() : path_(fmt::format("/dev/shm/atalaya-exporter-test-{}.stats", getpid())) {
    options_.stats_files = {path_};
  }
  ~CloudServerCollector() override { std::filesystem::remove(path_); }
  std::string Page() { return Collect("cloud_server", options_).text; }

  std::filesystem::path path_;
  CollectorOptions options_;
};

TEST_F(CloudServerCollector, WritesTheFiguresOfALivingServer) {
  const auto writer = telemetry::StatsWriter::Create({path_, "alpha", 2});
  ASSERT_TRUE(writer);
  (*writer)->loop(0).Add(telemetry::Stat::kSentPublish, 40);
  (*writer)->loop(1).Add(telemetry::Stat::kSentPublish, 2);
  (*writer)->loop(1).Add(telemetry::Stat::kLoopBusyNs, 1'500'000'000);
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr("cloud_server_up{server=\"alpha\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("cloud_server_state{server=\"alpha\",state=\"up\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("cloud_server_state{server=\"alpha\",state=\"dead\"} 0\n"));
  EXPECT_THAT(page,
              HasSubstr("cloud_server_packets_sent_total{type=\"publish\",server=\"alpha\"} 42\n"));
  EXPECT_THAT(page, HasSubstr("cloud_server_loop_busy_seconds_total{server=\"alpha\"} 1.5\n"));
  EXPECT_THAT(page,
              HasSubstr("cloud_server_loop_heartbeat_age_seconds{loop=\"1\",server=\"alpha\"}"));
  EXPECT_THAT(page, HasSubstr("cloud_server_process_resident_memory_bytes{server=\"alpha\"} "));
  EXPECT_THAT(page, HasSubstr("cloud_server_process_open_fds{server=\"alpha\"} "));
  EXPECT_THAT(page, HasSubstr("cloud_server_uptime_seconds{server=\"alpha\"} "));
  (*writer)->MarkStopping();
  EXPECT_THAT(Page(), HasSubstr("cloud_server_state{server=\"alpha\",state=\"stopping\"} 1\n"));
  EXPECT_THAT(Page(), HasSubstr("cloud_server_up{server=\"alpha\"} 0\n"));
}

TEST_F(CloudServerCollector, OfAServerThatIsNotThereSaysTheStateAndNoFigures) {
  const std::string page = Page();
  const std::string name = fmt::format("exporter-test-{}", getpid());
  EXPECT_THAT(page, HasSubstr(fmt::format("cloud_server_up{{server=\"{}\"}} 0\n", name)));
  EXPECT_THAT(
      page, HasSubstr(fmt::format("cloud_server_state{{server=\"{}\",state=\"absent\"}} 1", name)));
  EXPECT_THAT(page, Not(HasSubstr("cloud_server_connections")));
}

TEST_F(CloudServerCollector, SaysWhySegmentCannotBeRead) {
  ASSERT_TRUE(WriteFileAtomic(path_, "no segment"));
  const Collected collected = Collect("cloud_server", options_);
  ASSERT_FALSE(collected.status);
  EXPECT_THAT(collected.status.error().message, HasSubstr("not a stats segment"));
  EXPECT_THAT(collected.text, HasSubstr("state=\"absent\"} 1\n"));
}

TEST(Reference, NamesEveryFigureAndCollector) {
  const std::string page = ReadFile("docs/reference/cloud_exporter.md").value_or("");
  for (const auto& family : telemetry::kStatFamilies)
    EXPECT_THAT(page, HasSubstr(fmt::format("| `{}` |", family.name)));
  for (const auto& stat : telemetry::kStats) {
    if (stat.label_name == "type") continue;  // The names of the packet types need no list.
    EXPECT_THAT(page, HasSubstr(std::string(stat.label_value)));
  }
  for (const CollectorInfo& info : AllCollectors())
    EXPECT_THAT(page, HasSubstr(fmt::format("`{}`", info.name)));
}

TEST(KernelFile, ReadsLongFilesAndFilesThatCameBack) {
  const std::filesystem::path path = fmt::format("/dev/shm/atalaya-kernel-file-{}", getpid());
  const std::string long_text(100'000, 'x');
  std::ofstream(path) << long_text;
  KernelFile file(path);
  EXPECT_EQ(file.Read().value_or("?"), long_text);
  std::ofstream(path) << "short";
  EXPECT_EQ(file.Read().value_or("?"), "short");
  std::filesystem::remove(path);
  EXPECT_EQ(KernelFile(path).Read().error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace atalaya::exporter
