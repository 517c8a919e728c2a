#include "base/flags.h"

#include <CLI/CLI.hpp>

#include "base/suggest.h"
#include "base/version.h"

namespace atalaya {
namespace {

// `--flag=` is `--flag ""`: CLI11 would take the next word for the value.
std::vector<std::string> SplitEmptyValues(int argc, const char* const* argv) {
  std::vector<std::string> words;
  bool flags_ended = false;
  for (int i = 0; i < argc; ++i) {
    std::string word = argv[i];
    flags_ended = flags_ended || word == "--";
    const bool empty_value =
        !flags_ended && word.starts_with("--") && word.find('=') == word.size() - 1;
    if (empty_value) word.pop_back();
    words.push_back(std::move(word));
    if (empty_value) words.emplace_back();
  }
  return words;
}

// "topic,t" is --topic and -t.
std::string CliNames(const std::string& name) {
  const std::size_t comma = name.find(',');
  if (comma == std::string::npos) return "--" + name;
  return "-" + name.substr(comma + 1) + ",--" + name.substr(0, comma);
}

}  // namespace

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
  impl_->app.add_option(CliNames(name), *value, help)->capture_default_str()->take_last();
}
void Flags::Add(const std::string& name, std::int64_t* value, const std::string& help) {
  impl_->app.add_option(CliNames(name), *value, help)->capture_default_str()->take_last();
}
void Flags::Add(const std::string& name, double* value, const std::string& help) {
  impl_->app.add_option(CliNames(name), *value, help)->capture_default_str()->take_last();
}
void Flags::Add(const std::string& name, std::vector<std::string>* values,
                const std::string& help) {
  impl_->app.add_option(CliNames(name), *values, help)->expected(1)->take_all();
}
void Flags::AddSwitch(const std::string& name, bool* value, const std::string& help) {
  impl_->app.add_flag(CliNames(name), *value, help);
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
  const std::vector<std::string> split = SplitEmptyValues(argc, argv);
  std::vector<const char*> words;
  for (const std::string& word : split) words.push_back(word.c_str());
  try {
    impl_->app.parse(static_cast<int>(words.size()), words.data());
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
