#pragma once

#include "exporter/collector.h"

// One function per file of collectors/: what collector_table.cc lists.
namespace atalaya::exporter {

using CollectorResult = Result<std::unique_ptr<Collector>>;

CollectorResult CreateCloudServer(const CollectorOptions& options);
CollectorResult CreateCpu(const CollectorOptions& options);
CollectorResult CreateDiskstats(const CollectorOptions& options);
CollectorResult CreateEntropy(const CollectorOptions& options);
CollectorResult CreateFilefd(const CollectorOptions& options);
CollectorResult CreateFilesystem(const CollectorOptions& options);
CollectorResult CreateHwmon(const CollectorOptions& options);
CollectorResult CreateLoadavg(const CollectorOptions& options);
CollectorResult CreateMeminfo(const CollectorOptions& options);
CollectorResult CreateNetdev(const CollectorOptions& options);
CollectorResult CreateNetstat(const CollectorOptions& options);
CollectorResult CreateOs(const CollectorOptions& options);
CollectorResult CreatePressure(const CollectorOptions& options);
CollectorResult CreateSockstat(const CollectorOptions& options);
CollectorResult CreateSoftnet(const CollectorOptions& options);
CollectorResult CreateStat(const CollectorOptions& options);
CollectorResult CreateThermalZone(const CollectorOptions& options);
CollectorResult CreateTime(const CollectorOptions& options);
CollectorResult CreateUname(const CollectorOptions& options);
CollectorResult CreateVmstat(const CollectorOptions& options);

}  // namespace atalaya::exporter
