#include "alertd/templates/template_functions.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "alertd/templates/template_humanize.h"
#include "base/duration.h"

namespace atalaya::alertd {
namespace {

using Args = std::vector<TemplateValue>;
using telemetry::LabelledSample;
using List = TemplateValue::List;

constexpr std::size_t kMany = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kMaxPrintfWidth = 1'000;

struct Function {
  std::size_t least;
  std::size_t most;
  std::function<Result<TemplateValue>(const Args&, const TemplateQuery&)> call;
};

TemplateValue Text(std::string text) { return {std::move(text)}; }

// Set in its place: g++ 12 takes a moved variant's other kinds for uninitialized.
template <typename T>
Result<TemplateValue> Plain(T data) {
  Result<TemplateValue> value;
  value->data = data;
  return value;
}

Function OfNumber(std::string (*format)(double)) {
  return {1, 1, [format](const Args& args, const TemplateQuery&) -> Result<TemplateValue> {
            const Result<double> number = args[0].ToNumber();
            if (!number) return Forward(number.error());
            return Text(format(*number));
          }};
}

Function OfText(std::string (*change)(std::string)) {
  return {1, 1, [change](const Args& args, const TemplateQuery&) -> Result<TemplateValue> {
            return Text(change(args[0].ToText()));
          }};
}

Function Compare(bool (*holds)(int)) {
  return {2, 2, [holds](const Args& args, const TemplateQuery&) -> Result<TemplateValue> {
            const auto* a = args[0].As<double>();
            const auto* b = args[1].As<double>();
            if (a != nullptr && b != nullptr) return Plain(holds(*a < *b ? -1 : *a > *b ? 1 : 0));
            return Plain(holds(args[0].ToText().compare(args[1].ToText())));
          }};
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string Title(std::string text) {
  bool begins = true;
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (begins) c = static_cast<char>(std::toupper(byte));
    begins = byte < 0x80 && !std::isalnum(byte) && c != '_' && c != '\'';
  }
  return text;
}

std::string StripPort(std::string text) {
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != std::string::npos && (text.find(':') == colon || text[0] == '[');
  return has_port ? text.substr(0, colon) : text;
}

// One verb of printf, such as "%-8.2f", applied to `arg`.
std::string Format(std::string verb, const TemplateValue& arg) {
  const char kind = verb.back();
  if (kind == 'v' || kind == 's') {
    verb.back() = 's';
    std::string out(kMaxPrintfWidth + arg.ToText().size() + 1, '\0');
    const int size = std::snprintf(out.data(), out.size(), verb.c_str(), arg.ToText().c_str());
    return out.substr(0, static_cast<std::size_t>(std::max(0, size)));
  }
  if (kind == 'q') return fmt::format("\"{}\"", arg.ToText());
  const Result<double> number = arg.ToNumber();
  if (!number) return fmt::format("%!{}(string={})", kind, arg.ToText());
  std::string out(2 * kMaxPrintfWidth, '\0');
  int size = 0;
  if (kind == 'd' || kind == 'x' || kind == 'X' || kind == 'o') {
    verb.insert(verb.size() - 1, "ll");
    const double bounded = std::clamp(*number, -9e18, 9e18);
    size = std::snprintf(out.data(), out.size(), verb.c_str(), static_cast<long long>(bounded));
  } else {
    size = std::snprintf(out.data(), out.size(), verb.c_str(), *number);
  }
  return out.substr(0, static_cast<std::size_t>(std::max(0, size)));
}

Result<TemplateValue> Printf(const Args& args, const TemplateQuery&) {
  static const RE2 kVerb(R"(%[-+ 0#]*(\d{0,3})(?:\.(\d{0,3}))?([a-zA-Z%]))");
  const std::string format = args[0].ToText();
  std::string out;
  std::size_t next = 1;
  re2::StringPiece rest(format);
  for (std::size_t at = 0; at < format.size();) {
    re2::StringPiece verb[4];
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    if (!kVerb.Match(rest, at, format.size(), RE2::ANCHOR_START, verb, 4))
      return Fail(ErrorCode::kInvalid, "\"{}\" has no verb after %", format);
    at += verb[0].size();
    const char kind = verb[3][0];
    if (kind == '%') {
      out += '%';
    } else if (std::string_view("vsqdxXofFeEgG").find(kind) == std::string_view::npos) {
      return Fail(ErrorCode::kInvalid, "%{} is no verb that numbers or text have", kind);
    } else if (next == args.size()) {
      return Fail(ErrorCode::kInvalid, "\"{}\" has more verbs than arguments", format);
    } else {
      out += Format(std::string(verb[0]), args[next++]);
    }
  }
  return Text(std::move(out));
}

Result<TemplateValue> Query(const Args& args, const TemplateQuery& query) {
  if (!query) return Fail(ErrorCode::kInvalid, "nothing can be asked here");
  Result<std::vector<LabelledSample>> samples = query(args[0].ToText());
  if (!samples) return Forward(samples.error());
  List list;
  for (LabelledSample& sample : *samples) list.push_back({std::move(sample)});
  return TemplateValue{std::move(list)};
}

Result<TemplateValue> First(const Args& args, const TemplateQuery&) {
  const auto* list = args[0].As<List>();
  if (list == nullptr || list->empty())
    return Fail(ErrorCode::kInvalid, "there is no first element");
  return list->front();
}

Result<TemplateValue> ValueOf(const Args& args, const TemplateQuery&) {
  const auto* sample = args[0].As<LabelledSample>();
  if (sample == nullptr) return Fail(ErrorCode::kInvalid, "{} is no sample", args[0].ToText());
  return Plain(sample->sample.value);
}

Result<TemplateValue> LabelOf(const Args& args, const TemplateQuery&) {
  const auto* sample = args[1].As<LabelledSample>();
  if (sample == nullptr) return Fail(ErrorCode::kInvalid, "{} is no sample", args[1].ToText());
  return Text(std::string(sample->labels.Get(args[0].ToText())));
}

Result<TemplateValue> SortByLabel(const Args& args, const TemplateQuery&) {
  const auto* list = args[1].As<List>();
  if (list == nullptr) return Fail(ErrorCode::kInvalid, "{} is no list", args[1].ToText());
  List sorted = *list;
  const std::string name = args[0].ToText();
  const auto key = [&](const TemplateValue& each) {
    const auto* sample = each.As<LabelledSample>();
    return sample == nullptr ? std::string_view() : sample->labels.Get(name);
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return TemplateValue{std::move(sorted)};
}

Result<TemplateValue> MatchText(const Args& args, const TemplateQuery&) {
  const RE2 pattern(args[0].ToText(), RE2::Quiet);
  if (!pattern.ok()) return Fail(ErrorCode::kInvalid, "{}", pattern.error());
  return Plain(RE2::PartialMatch(args[1].ToText(), pattern));
}

// "$1" and "${1}" of Go as RE2's "\1"; names are not known to RE2's rewriting.
std::string GoReplacement(const std::string& text) {
  std::string out = text;
  RE2::GlobalReplace(&out, R"(\\)", R"(\\\\)");
  RE2::GlobalReplace(&out, R"(\$\{?(\d)\}?)", R"(\\\1)");
  return out;
}

Result<TemplateValue> ReplaceAll(const Args& args, const TemplateQuery&) {
  const RE2 pattern(args[0].ToText(), RE2::Quiet);
  std::string error;
  const std::string replacement = GoReplacement(args[1].ToText());
  if (!pattern.ok() || !pattern.CheckRewriteString(replacement, &error))
    return Fail(ErrorCode::kInvalid, "{}", pattern.ok() ? error : pattern.error());
  std::string text = args[2].ToText();
  RE2::GlobalReplace(&text, pattern, replacement);
  return Text(std::move(text));
}

Result<TemplateValue> And(const Args& args, const TemplateQuery&) {
  for (const TemplateValue& each : args) {
    if (!each.IsTrue()) return each;
  }
  return args.back();
}

Result<TemplateValue> Or(const Args& args, const TemplateQuery&) {
  for (const TemplateValue& each : args) {
    if (each.IsTrue()) return each;
  }
  return args.back();
}

Result<TemplateValue> Length(const Args& args, const TemplateQuery&) {
  if (const auto* list = args[0].As<List>()) return Plain(static_cast<double>(list->size()));
  return Plain(static_cast<double>(args[0].ToText().size()));
}

Result<TemplateValue> Duration(const Args& args, const TemplateQuery&) {
  const Result<std::chrono::milliseconds> duration = ParseDuration(args[0].ToText());
  if (!duration) return Forward(duration.error());
  return Plain(static_cast<double>(duration->count()) / 1000);
}

Result<TemplateValue> Print(const Args& args, const TemplateQuery&) {
  std::string out;
  for (const TemplateValue& each : args) out += each.ToText();
  return Text(std::move(out));
}

Result<TemplateValue> Join(const Args& args, const TemplateQuery&) {
  const auto* list = args[1].As<List>();
  if (list == nullptr) return Fail(ErrorCode::kInvalid, "{} is no list", args[1].ToText());
  std::string out;
  for (const TemplateValue& each : *list)
    out += (&each == &list->front() ? "" : args[0].ToText()) + each.ToText();
  return Text(std::move(out));
}

nlohmann::ordered_json JsonOf(const TemplateValue& value) {
  nlohmann::ordered_json json;
  if (const auto* truth = value.As<bool>()) {
    json = *truth;
  } else if (const auto* number = value.As<double>(); number != nullptr && std::isfinite(*number)) {
    json = *number;
  } else if (const auto* labels = value.As<telemetry::Labels>()) {
    json = nlohmann::ordered_json::object();
    for (const auto& [name, text] : *labels) json[name] = text;
  } else if (const auto* list = value.As<List>()) {
    json = nlohmann::ordered_json::array();
    for (const TemplateValue& each : *list) json.push_back(JsonOf(each));
  } else if (const auto* object = value.As<TemplateValue::Object>()) {
    json = nlohmann::ordered_json::object();
    for (const auto& [name, field] : *object) json[name] = JsonOf(field);
  } else if (value.As<std::monostate>() == nullptr) {
    json = value.ToText();
  }
  return json;
}

Result<TemplateValue> ToJson(const Args& args, const TemplateQuery&) {
  using nlohmann::ordered_json;
  return Text(JsonOf(args[0]).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

const std::map<std::string, Function, std::less<>>& Functions() {
  static const std::map<std::string, Function, std::less<>> functions = {
      {"and", {1, kMany, And}},
      {"eq", Compare([](int order) { return order == 0; })},
      {"first", {1, 1, First}},
      {"ge", Compare([](int order) { return order >= 0; })},
      {"gt", Compare([](int order) { return order > 0; })},
      {"humanize", OfNumber(Humanize)},
      {"humanize1024", OfNumber(Humanize1024)},
      {"humanizeDuration", OfNumber(HumanizeDuration)},
      {"humanizePercentage", OfNumber(HumanizePercentage)},
      {"humanizeTimestamp", OfNumber(HumanizeTimestamp)},
      {"join", {2, 2, Join}},
      {"label", {2, 2, LabelOf}},
      {"le", Compare([](int order) { return order <= 0; })},
      {"len", {1, 1, Length}},
      {"lt", Compare([](int order) { return order < 0; })},
      {"match", {2, 2, MatchText}},
      {"ne", Compare([](int order) { return order != 0; })},
      {"not",
       {1, 1,
        [](const Args& args, const TemplateQuery&) -> Result<TemplateValue> {
          return Plain(!args[0].IsTrue());
        }}},
      {"or", {1, kMany, Or}},
      {"parseDuration", {1, 1, Duration}},
      {"print", {0, kMany, Print}},
      {"printf", {1, kMany, Printf}},
      {"query", {1, 1, Query}},
      {"reReplaceAll", {3, 3, ReplaceAll}},
      {"sortByLabel", {2, 2, SortByLabel}},
      {"stripPort", OfText(StripPort)},
      {"title", OfText(Title)},
      {"toJson", {1, 1, ToJson}},
      {"toLower", OfText(Lower)},
      {"toUpper", OfText(Upper)},
      {"value", {1, 1, ValueOf}}};
  return functions;
}

}  // namespace

const std::vector<std::string>& TemplateFunctionNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, function] : Functions()) all.push_back(name);
    return all;
  }();
  return names;
}

Result<TemplateValue> CallTemplateFunction(std::string_view name, const Args& args,
                                           const TemplateQuery& query) {
  const Function& function = Functions().find(name)->second;
  if (args.size() < function.least || args.size() > function.most)
    return Fail(ErrorCode::kInvalid, "{}: {} arguments do not fit", name, args.size());
  Result<TemplateValue> result = function.call(args, query);
  if (!result) return Fail(result.error().code, "{}: {}", name, result.error().message);
  return result;
}

}  // namespace atalaya::alertd
