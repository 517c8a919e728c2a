#include "base/flags.h"

#include <CLI/CLI.hpp>

#include "base/suggest.h"
#include "base/version.h"

namespace atalaya {

struct Flags::Impl {
  Impl(const std::string& name, const std::string& summary) : program(name), app(summary, name) {
    app.set_version_flag("--version", fmt::format("{} {}", name, kVersion));
    app.set_help_flag("--help", "Print this help and exit");
    app.get_formatter()->column_width(36);
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
  }
  std::string program;
  CLI::App app;
};

Flags::Flags(std::string program, std::string summary)
    : impl_(std::make_unique<Impl>(program, summary)) {}
Flags::~Flags() = default;

void Flags::Add(const std::string& name, std::string* value, const std::string& help) {
  impl_->app.add_option("--" + name, *value, help)->capture_default_str()->take_last();
}
void Flags::Add(const std::string& name, std::int64_t* value, const std::string& help) {
  impl_->app.add_option("--" + name, *value, help)->capture_default_str()->take_last();
}
void Flags::Add(const std::string& name, double* value, const std::string& help) {
  impl_->app.add_option("--" + name, *value, help)->capture_default_str()->take_last();
}
void Flags::Add(const std::string& name, std::vector<std::string>* values,
                const std::string& help) {
  impl_->app.add_option("--" + name, *values, help)->expected(1)->take_all();
}
void Flags::AddSwitch(const std::string& name, bool* value, const std::string& help) {
  impl_->app.add_flag("--" + name, *value, help);
}
void Flags::AddPositional(const std::string& name, std::string* value, const std::string& help,
                          bool required) {
  impl_->app.add_option(name, *value, help)->required(required);
}
void Flags::AddPositionals(const std::string& name, std::vector<std::string>* values,
                           const std::string& help) {
  impl_->app.add_option(name, *values, help);
}

Status Flags::Parse(int argc, const char* const* argv) {
  try {
    impl_->app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(impl_->app.help().c_str(), stdout);
    std::exit(0);
  } catch (const CLI::CallForVersion&) {
    std::fputs((impl_->app.version() + "\n").c_str(), stdout);
    std::exit(0);
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> extras = impl_->app.remaining();
    const std::string word =
        extras.empty() ? "" : extras.front().substr(0, extras.front().find('='));
    if (word.starts_with("-")) {
      return Fail(ErrorCode::kInvalid, "unknown flag {}{}", word, DidYouMean(word, impl_->Names()));
    }
    return Fail(ErrorCode::kInvalid, "unexpected argument \"{}\"", word);
  } catch (const CLI::ParseError& error) {
    return Fail(ErrorCode::kInvalid, "{}", error.what());
  }
  return {};
}

}  // namespace atalaya
