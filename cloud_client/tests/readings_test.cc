#include "cloud_client/readings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "cloud_client/disk_reading.h"
#include "cloud_client/temperature_reading.h"

namespace atalaya::cloud_client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A machine made of files.
class Machine {
 public:
  ~Machine() { std::filesystem::remove_all(root_); }

  MachineRoots roots() const { return {root_ / "proc", root_ / "sys", root_ / "root"}; }
  std::filesystem::path root() const { return root_; }

  void Put(const std::string& file, const std::string& text) {
    const std::filesystem::path path = root_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  // "topic fields" of each packet of one kind, or the error.
  std::vector<std::string> Take(const std::string& name) {
    for (ReadingKind& kind : kinds_) {
      if (kind.name != name) continue;
      const auto readings = kind.take();
      if (!readings) return {readings.error().message};
      std::vector<std::string> packets;
      for (const Reading& reading : *readings) {
        packets.push_back(reading.topic + " " + reading.fields.Text());
      }
      return packets;
    }
    return {"no such kind"};
  }

 private:
  static std::filesystem::path NewFolder() {
    char folder[] = "/tmp/atalaya-machine-XXXXXX";
    return mkdtemp(folder);
  }

  std::filesystem::path root_ = NewFolder();
  std::vector<ReadingKind> kinds_ = MachineReadings(roots());
};

TEST(CpuReading, IsTheShareSinceTheLastTime) {
  Machine machine;
  machine.Put("proc/stat", "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n");
  EXPECT_THAT(machine.Take("cpu"), ElementsAre());
  machine.Put("proc/stat", "cpu  110 5 60 860 60 0 3 2 0 0\ncpu0 1 2 3\n");
  EXPECT_THAT(machine.Take("cpu"), ElementsAre(R"(cpu {"used_share":0.3})"));
  EXPECT_THAT(machine.Take("cpu"), ElementsAre());
}

TEST(CpuReading, NamesTheFileThatMakesNoSense) {
  Machine machine;
  EXPECT_THAT(machine.Take("cpu"), ElementsAre(HasSubstr("proc/stat")));
  machine.Put("proc/stat", "intr 12\n");
  EXPECT_THAT(machine.Take("cpu"), ElementsAre(HasSubstr("proc/stat: expected a first line")));
}

TEST(LoadMemoryAndUptimeReadings, AreTheKernelsFigures) {
  Machine machine;
  machine.Put("proc/loadavg", "0.25 1.5 12.00 3/500 4711\n");
  machine.Put("proc/meminfo", "MemTotal:  4000 kB\nMemFree: 1 kB\nMemAvailable:  3000 kB\n");
  machine.Put("proc/uptime", "4954.75 9000.00\n");
  EXPECT_THAT(machine.Take("load"), ElementsAre(R"(load {"1m":0.25,"5m":1.5,"15m":12})"));
  EXPECT_THAT(
      machine.Take("memory"),
      ElementsAre(R"(memory {"used_share":0.25,"used_bytes":1024000,"total_bytes":4096000})"));
  EXPECT_THAT(machine.Take("uptime"), ElementsAre(R"(uptime {"seconds":4954.75})"));
  machine.Put("proc/meminfo", "MemTotal: 4000 kB\n");
  EXPECT_THAT(machine.Take("memory"), ElementsAre(HasSubstr("meminfo: expected MemTotal")));
}

std::string MountLine(const std::string& device, const std::string& point,
                      const std::string& type) {
  return "22 1 " + device + " / " + point + " rw,relatime shared:1 - " + type + " /dev/x rw\n";
}

TEST(DiskMounts, AreOnDisksAndEachFileSystemOnce) {
  const std::vector<Mount> mounts = DiskMounts(
      MountLine("0:21", "/proc", "proc") + MountLine("8:1", "/", "ext4") +
      MountLine("0:30", "/run", "tmpfs") + MountLine("8:2", "/mnt/bound/deep", "xfs") +
      MountLine("8:2", "/srv", "xfs") + MountLine("0:40", "/net", "nfs4") +
      MountLine("0:41", "/cloud", "fuse.sshfs") + MountLine("0:42", "/layer", "overlay") +
      MountLine("0:43", "/my\\040disk", "btrfs") + "broken line\n");
  std::vector<std::string> points;
  for (const Mount& mount : mounts) points.push_back(mount.point);
  EXPECT_THAT(points, ElementsAre("/", "/srv", "/my disk"));
  EXPECT_EQ(DiskMounts(MountLine("0:50", "/", "overlay")).size(), 1u);
}

TEST(DiskReading, IsAPacketForEachMount) {
  Machine machine;
  machine.Put("root/data/file", "x");
  machine.Put("proc/self/mountinfo", MountLine("8:1", "/", "ext4") +
                                         MountLine("8:2", "/data", "ext4") +
                                         MountLine("8:3", "/gone", "ext4"));
  EXPECT_THAT(machine.Take("disk"),
              ElementsAre(testing::StartsWith(R"(disk/rootfs {"mount":"/","used_share":0.)"),
                          testing::StartsWith(R"(disk/data {"mount":"/data","used_share":0.)")));
}

TEST(TemperatureReading, NamesEachSensorAndTheHottest) {
  Machine machine;
  machine.Put("sys/class/hwmon/hwmon0/name", "coretemp\n");
  machine.Put("sys/class/hwmon/hwmon0/temp1_input", "61500\n");
  machine.Put("sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n");
  machine.Put("sys/class/hwmon/hwmon0/temp2_input", "58000\n");
  machine.Put("sys/class/hwmon/hwmon0/temp3_input", "-273150\n");
  machine.Put("sys/class/hwmon/hwmon0/fan1_input", "900\n");
  machine.Put("sys/class/hwmon/hwmon1/name", "nvme\n");
  machine.Put("sys/class/hwmon/hwmon1/temp1_input", "40000\n");
  machine.Put("sys/class/hwmon/hwmon2/name", "nvme\n");
  machine.Put("sys/class/hwmon/hwmon2/temp1_input", "nonsense\n");
  machine.Put("sys/class/hwmon/hwmon3/name", "nvme\n");
  machine.Put("sys/class/hwmon/hwmon3/temp1_input", "41000\n");
  machine.Put("sys/class/thermal/thermal_zone0/type", "acpitz\n");
  machine.Put("sys/class/thermal/thermal_zone0/temp", "27800\n");
  machine.Put("sys/class/thermal/cooling_device0/type", "Processor\n");
  EXPECT_THAT(machine.Take("temperature"),
              ElementsAre(R"(temperature {"celsius":61.5,"acpitz":27.8,)"
                          R"("coretemp_package_id_0":61.5,"coretemp_temp2":58,)"
                          R"("nvme_temp1":40,"nvme_temp1_2":41})"));
}

TEST(TemperatureReading, SaysWhereItLookedInVain) {
  Machine machine;
  EXPECT_THAT(machine.Take("temperature"), ElementsAre(HasSubstr("no temperature sensor under")));
}

TEST(JsonObject, EscapesTextAndWritesNumbersShort) {
  EXPECT_EQ(JsonObject().Text(), "{}");
  EXPECT_EQ(JsonObject()
                .Add("a\"\\\n", std::string_view("x\ty"))
                .Add("n", 0.1)
                .Add("u", std::uint64_t{18446744073709551615u})
                .Text(),
            R"({"a\"\\\u000a":"x\u0009y","n":0.1,"u":18446744073709551615})");
}

}  // namespace
}  // namespace atalaya::cloud_client
