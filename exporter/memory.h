#pragma once

namespace atalaya::exporter {

// Call before the first thread: all threads share one heap.
void ShareOneHeap();

// Gives back what only the start needed: freed memory, and program code, which the kernel maps
// again where it is run. Does nothing where /proc/self/maps cannot be read.
void ReleaseStartupMemory();

}  // namespace atalaya::exporter
