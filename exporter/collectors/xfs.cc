#include <array>
#include <unordered_map>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

// Where a figure stands in a file of /sys/fs/xfs/DEVICE/stats/stats.
struct XfsFigure {
  std::string_view line;
  std::size_t column;
  std::string_view metric;
  std::string_view help;
};

constexpr std::array<XfsFigure, 39> kXfsFigures = {{
    {"extent_alloc", 0, "node_xfs_extent_allocation_extents_allocated_total", "Extents allocated."},
    {"extent_alloc", 1, "node_xfs_extent_allocation_blocks_allocated_total", "Blocks allocated."},
    {"extent_alloc", 2, "node_xfs_extent_allocation_extents_freed_total", "Extents freed."},
    {"extent_alloc", 3, "node_xfs_extent_allocation_blocks_freed_total", "Blocks freed."},
    {"abt", 0, "node_xfs_allocation_btree_lookups_total", "Look-ups in the allocation B-tree."},
    {"abt", 1, "node_xfs_allocation_btree_compares_total", "Compares in the allocation B-tree."},
    {"abt", 2, "node_xfs_allocation_btree_records_inserted_total",
     "Records put into the allocation B-tree."},
    {"abt", 3, "node_xfs_allocation_btree_records_deleted_total",
     "Records taken out of the allocation B-tree."},
    {"blk_map", 0, "node_xfs_block_mapping_reads_total", "Block maps read."},
    {"blk_map", 1, "node_xfs_block_mapping_writes_total", "Block maps written."},
    {"blk_map", 2, "node_xfs_block_mapping_unmaps_total", "Blocks unmapped."},
    {"blk_map", 3, "node_xfs_block_mapping_extent_list_insertions_total",
     "Extents put into lists."},
    {"blk_map", 4, "node_xfs_block_mapping_extent_list_deletions_total",
     "Extents taken out of lists."},
    {"blk_map", 5, "node_xfs_block_mapping_extent_list_lookups_total", "Look-ups in extent lists."},
    {"blk_map", 6, "node_xfs_block_mapping_extent_list_compares_total",
     "Compares in extent lists."},
    {"bmbt", 0, "node_xfs_block_map_btree_lookups_total", "Look-ups in block map B-trees."},
    {"bmbt", 1, "node_xfs_block_map_btree_compares_total", "Compares in block map B-trees."},
    {"bmbt", 2, "node_xfs_block_map_btree_records_inserted_total",
     "Records put into block map B-trees."},
    {"bmbt", 3, "node_xfs_block_map_btree_records_deleted_total",
     "Records taken out of block map B-trees."},
    {"dir", 0, "node_xfs_directory_operation_lookup_total",
     "Look-ups in directories that the name cache missed."},
    {"dir", 1, "node_xfs_directory_operation_create_total", "Directory entries made."},
    {"dir", 2, "node_xfs_directory_operation_remove_total", "Directory entries removed."},
    {"dir", 3, "node_xfs_directory_operation_getdents_total", "Listings of directories."},
    {"ig", 0, "node_xfs_inode_operation_attempts_total", "Look-ups in the inode cache."},
    {"ig", 1, "node_xfs_inode_operation_found_total", "Hits of the inode cache."},
    {"ig", 2, "node_xfs_inode_operation_recycled_total",
     "Inodes found in the cache while they were being dropped."},
    {"ig", 3, "node_xfs_inode_operation_missed_total", "Misses of the inode cache."},
    {"ig", 4, "node_xfs_inode_operation_duplicates_total",
     "Misses whose inode another had put there meanwhile."},
    {"ig", 5, "node_xfs_inode_operation_reclaims_total", "Inodes dropped from the cache."},
    {"ig", 6, "node_xfs_inode_operation_attribute_changes_total", "Changes of attributes."},
    {"rw", 0, "node_xfs_write_calls_total", "Calls of write(2)."},
    {"rw", 1, "node_xfs_read_calls_total", "Calls of read(2)."},
    {"vnodes", 0, "node_xfs_vnode_active_total", "Vnodes that are not free."},
    {"vnodes", 1, "node_xfs_vnode_allocate_total", "Vnodes allocated."},
    {"vnodes", 2, "node_xfs_vnode_get_total", "Vnodes fetched."},
    {"vnodes", 3, "node_xfs_vnode_hold_total", "Vnodes held."},
    {"vnodes", 4, "node_xfs_vnode_release_total", "Vnodes released."},
    {"vnodes", 5, "node_xfs_vnode_reclaim_total", "Vnodes reclaimed."},
    {"vnodes", 6, "node_xfs_vnode_remove_total", "Vnodes removed."},
}};

class Xfs final : public Collector {
 public:
  explicit Xfs(const CollectorOptions& options) : folder_(options.sysfs / "fs/xfs") {}

  Status Collect(telemetry::TextWriter& out) override {
    for (const std::string& device : ListFolder(folder_).value_or(std::vector<std::string>())) {
      const std::optional<std::string> content = ReadTrimmed(folder_ / device / "stats/stats");
      if (content) ReadStats(device, *content);
    }
    sheet_.Write(out);
    return {};
  }

 private:
  void ReadStats(const std::string& device, std::string_view content) {
    std::unordered_map<std::string_view, std::string_view> lines;
    while (!content.empty()) {
      std::string_view line = TakeLine(content);
      const std::string_view name = TakeWord(line);
      lines.emplace(name, line);
    }
    const telemetry::LabelText labels("device", device);
    for (const XfsFigure& figure : kXfsFigures) {
      const auto line = lines.find(figure.line);
      // node_exporter says 0 where a kernel has no such line.
      const std::optional<double> value =
          line == lines.end() ? 0 : Column(line->second, figure.column);
      if (!value) continue;
      sheet_.Add({figure.metric, telemetry::MetricType::kCounter, figure.help}, labels.text(),
                 *value);
    }
  }

  static std::optional<double> Column(std::string_view line, std::size_t column) {
    while (column-- > 0) TakeWord(line);
    return ParseValue<double>(TakeWord(line));
  }

  std::filesystem::path folder_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateXfs(const CollectorOptions& options) {
  return std::make_unique<Xfs>(options);
}

}  // namespace atalaya::exporter
