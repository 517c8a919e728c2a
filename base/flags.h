#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace atalaya {

// A program's flags, `--like-this VALUE` or `--like-this=VALUE`; `--like-this=` is an empty value.
// Every program answers --help and --version.
//
//   Flags flags("cloud_server", "Exchanges packets between clients over MQTT.");
//   flags.Add("listen", &options.listen, "HOST:PORT to accept clients on; repeatable");
//   if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
class Flags {
 public:
  Flags(std::string program, std::string summary);
  ~Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  // `name` is "long-name", or "long-name,l" where it has a letter too. The target keeps its value
  // where the flag is not given; that value is shown as the default. It must outlive Parse.
  void Add(const std::string& name, std::string* value, const std::string& help);
  void Add(const std::string& name, std::int64_t* value, const std::string& help);
  void Add(const std::string& name, double* value, const std::string& help);
  void Add(const std::string& name, std::vector<std::string>* values,
           const std::string& help);  // Repeatable.
  void AddSwitch(const std::string& name, bool* value, const std::string& help);
  void AddPositional(const std::string& name, std::string* value, const std::string& help,
                     bool required);
  void AddPositionals(const std::string& name, std::vector<std::string>* values,
                      const std::string& help);

  // --help and --version print and end the process with 0. A bad flag is kInvalid and says what was
  // near: `unknown flag --lisen; did you mean "--listen"?`.
  Status Parse(int argc, const char* const* argv);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya
