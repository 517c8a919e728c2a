#include "exporter/collector_table.h"

namespace atalaya::exporter {

const std::vector<CollectorInfo>& AllCollectors() {
  static const std::vector<CollectorInfo> collectors = {
      {"cloud_server", "the packet server's own figures", true, &CreateCloudServer},
      {"cpu", "time of each CPU by mode", true, &CreateCpu},
      {"diskstats", "reads, writes and times of disks", true, &CreateDiskstats},
      {"entropy", "the kernel's pool of entropy", true, &CreateEntropy},
      {"filefd", "open files of the machine", true, &CreateFilefd},
      {"filesystem", "space and files of each mount", true, &CreateFilesystem},
      {"hwmon", "temperatures, fans and voltages", true, &CreateHwmon},
      {"loadavg", "load averages", true, &CreateLoadavg},
      {"meminfo", "memory", true, &CreateMeminfo},
      {"netdev", "bytes, packets and errors of network devices", true, &CreateNetdev},
      {"netstat", "IP, TCP, UDP and ICMP statistics", true, &CreateNetstat},
      {"os", "what /etc/os-release says", true, &CreateOs},
      {"pressure", "time lost to waiting for CPU, disk and memory", true, &CreatePressure},
      {"sockstat", "sockets by protocol", true, &CreateSockstat},
      {"softnet", "packets by CPU", true, &CreateSoftnet},
      {"stat", "boot time, forks, interrupts, context switches", true, &CreateStat},
      {"thermal_zone", "thermal zones and cooling devices", true, &CreateThermalZone},
      {"time", "the machine's clock", true, &CreateTime},
      {"uname", "name and version of the system", true, &CreateUname},
      {"vmstat", "paging and OOM kills", true, &CreateVmstat},
  };
  return collectors;
}

}  // namespace atalaya::exporter
