#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace atalaya {

enum class ErrorCode {
  kInvalid,   // The input is wrong: a flag, a config, a packet, a query. Trying again as it stands
              // will fail again.
  kNotFound,  // What was asked for is not there.
  kIo,        // The kernel, a disk or a peer failed; `message` carries its words.
  kBusy,      // In use by someone else: a port, a lock.
  kVersion,   // Written by a newer program than this one.
  kDamaged,   // Stored bytes are no longer what was written.
  kLimit,     // A named limit was reached.
  kTimeout,   // A deadline passed.
  kRefused,   // Understood, and not permitted.
};

// An error as a value. `message` names the place first, then what is wrong, then what would have
// been right.
struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

// Makes an error that converts to any Result: `return Fail(ErrorCode::kIo, "{}: cannot open: {}",
// path, why);`
template <typename... Args>
tl::unexpected<Error> Fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// Hands an error on to the caller, whatever its own Result carries.
inline tl::unexpected<Error> Forward(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// "No such file or directory" for ENOENT; safe from any thread.
std::string ErrnoText(int error_number);

}  // namespace atalaya
