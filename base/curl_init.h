#pragma once

namespace atalaya {

// Readies libcurl once for the process; every user of it calls this first. Threads: any.
void InitCurl();

}  // namespace atalaya
