#pragma once

#include "exporter/collector.h"

// One function per file of collectors/: what collector_table.cc lists.
namespace atalaya::exporter {

using CollectorResult = Result<std::unique_ptr<Collector>>;

CollectorResult CreateArp(const CollectorOptions& options);
CollectorResult CreateBcache(const CollectorOptions& options);
CollectorResult CreateBonding(const CollectorOptions& options);
CollectorResult CreateBtrfs(const CollectorOptions& options);
CollectorResult CreateCloudServer(const CollectorOptions& options);
CollectorResult CreateConntrack(const CollectorOptions& options);
CollectorResult CreateCpu(const CollectorOptions& options);
CollectorResult CreateCpufreq(const CollectorOptions& options);
CollectorResult CreateDiskstats(const CollectorOptions& options);
CollectorResult CreateDmi(const CollectorOptions& options);
CollectorResult CreateEdac(const CollectorOptions& options);
CollectorResult CreateEntropy(const CollectorOptions& options);
CollectorResult CreateFibreChannel(const CollectorOptions& options);
CollectorResult CreateFilefd(const CollectorOptions& options);
CollectorResult CreateFilesystem(const CollectorOptions& options);
CollectorResult CreateHwmon(const CollectorOptions& options);
CollectorResult CreateInfiniband(const CollectorOptions& options);
CollectorResult CreateInterrupts(const CollectorOptions& options);
CollectorResult CreateIpvs(const CollectorOptions& options);
CollectorResult CreateLoadavg(const CollectorOptions& options);
CollectorResult CreateMdadm(const CollectorOptions& options);
CollectorResult CreateMeminfo(const CollectorOptions& options);
CollectorResult CreateNetclass(const CollectorOptions& options);
CollectorResult CreateNetdev(const CollectorOptions& options);
CollectorResult CreateNetstat(const CollectorOptions& options);
CollectorResult CreateNfs(const CollectorOptions& options);
CollectorResult CreateNfsd(const CollectorOptions& options);
CollectorResult CreateNvme(const CollectorOptions& options);
CollectorResult CreateOs(const CollectorOptions& options);
CollectorResult CreatePowerSupplyClass(const CollectorOptions& options);
CollectorResult CreatePressure(const CollectorOptions& options);
CollectorResult CreateProcesses(const CollectorOptions& options);
CollectorResult CreateRapl(const CollectorOptions& options);
CollectorResult CreateSchedstat(const CollectorOptions& options);
CollectorResult CreateSelinux(const CollectorOptions& options);
CollectorResult CreateSockstat(const CollectorOptions& options);
CollectorResult CreateSoftnet(const CollectorOptions& options);
CollectorResult CreateStat(const CollectorOptions& options);
CollectorResult CreateTapestats(const CollectorOptions& options);
CollectorResult CreateTcpstat(const CollectorOptions& options);
CollectorResult CreateTextfile(const CollectorOptions& options);
CollectorResult CreateThermalZone(const CollectorOptions& options);
CollectorResult CreateTime(const CollectorOptions& options);
CollectorResult CreateTimex(const CollectorOptions& options);
CollectorResult CreateUdpQueues(const CollectorOptions& options);
CollectorResult CreateUname(const CollectorOptions& options);
CollectorResult CreateVmstat(const CollectorOptions& options);
CollectorResult CreateXfs(const CollectorOptions& options);
CollectorResult CreateZfs(const CollectorOptions& options);

}  // namespace atalaya::exporter
