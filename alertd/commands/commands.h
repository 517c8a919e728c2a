#pragma once

namespace atalaya::alertd {

// The program's commands besides serving. Each reads its own flags (bad: says so, 2), prints to
// stdout, and returns the process's exit code.

// `cloud_alertd query EXPR`: asks a running cloud_alertd, or anything with Prometheus's HTTP API. 1
// where it cannot be reached or refuses.
int RunQueryCommand(int argc, const char* const* argv);

// `cloud_alertd promqltest FILE...`: runs files in Prometheus's test format; the last line is
// `N passed, N failed, N skipped`. 1 where anything failed or a file cannot be read.
int RunPromqlTestCommand(int argc, const char* const* argv);

// `cloud_alertd import FILE`: prints a Prometheus rule file as TOML. 1 where it cannot be read.
int RunImportCommand(int argc, const char* const* argv);

// `cloud_alertd export FILE...`: prints rule files as Prometheus's YAML, and to stderr what that
// cannot say. 1 where they cannot be read.
int RunExportCommand(int argc, const char* const* argv);

// `cloud_alertd test FILE...`: runs unit tests of rules; the last line is `N passed, N failed`. 1
// where anything failed or a file cannot be read.
int RunTestCommand(int argc, const char* const* argv);

}  // namespace atalaya::alertd
