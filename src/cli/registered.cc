#include "cli/registered.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>

#include "cli/answer.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr size_t kShown = 5;  // source files in a table; json and yaml have all of them

// The first `limit` files where `all` is not wanted.
Task<Result<json::array>> files_of(Context& context, const json::value& data, size_t limit,
                                   bool all) {
  const std::string path = "/api/v1/data/" + percent_encode(cell(data, "asset", false)) +
                           "/versions/" + percent_encode(cell(data, "version", false)) + "/files";
  json::array out;
  std::string after;
  do {
    CO_TRY(const json::value page,
           co_await context.hub_call("GET", path + "?limit=" + std::to_string(limit) +
                                                "&after=" + percent_encode(after)));
    CO_TRY(const json::array files, list_of(page, "files"));
    out.insert(out.end(), files.begin(), files.end());
    CO_TRY(after, text_of(page, "next"));
  } while (all && !after.empty());
  co_return out;
}

std::string joined(const json::value& names) {
  std::string out;
  if (!names.is_array()) return out;
  for (const json::value& name : names.get_array())
    out += (out.empty() ? "" : ", ") + (name.is_string() ? std::string(name.get_string()) : "");
  return out;
}

// "unseen 0.95, old 0.98": of a run's metrics, as many as fit a line.
std::string metrics_of(const json::value& trace) {
  std::string out;
  const json::object& run = trace.at("run").as_object();
  const json::value* metrics = run.if_contains("metrics");
  if (metrics == nullptr || !metrics->is_object()) return out;
  for (const auto& [name, value] : metrics->get_object()) {
    if (out.size() > 60) return out + ", …";
    char number[32];
    std::snprintf(number, sizeof number, "%.4g", value.is_number() ? value.to_number<double>() : 0);
    out += (out.empty() ? "" : ", ") + std::string(name) + " " + number;
  }
  return out;
}

void add(json::array& rows, std::string what, std::string value) {
  rows.push_back(json::object{{"what", what}, {"value", value}});
}

Task<Result<void>> add_data(Context& context, const json::value& data, json::array& rows) {
  if (data.as_object().contains("model")) {
    add(rows, "read model",
        cell(data, "model", false) + " version " + cell(data, "version", false));
    co_return Result<void>();
  }
  const bool there = data.as_object().contains("files");
  add(rows, "data version",
      cell(data, "asset", false) + ":" + cell(data, "version", false) + "  " +
          cell(data, "digest", false) + (there ? "" : "  (deleted since)"));
  if (!there) co_return Result<void>();
  add(rows, "source",
      cell(data, "account", false) + "/" + cell(data, "container", false) + "/" +
          cell(data, "prefix", false) + "  " + cell(data, "files", false) + " files, " +
          cell(data, "bytes", true));
  CO_TRY(const json::array files, co_await files_of(context, data, kShown, false));
  for (const json::value& file : files)
    add(rows, "source file", cell(file, "path", false) + "  " + cell(file, "size", true));
  const uint64_t all = parse_u64(cell(data, "files", false)).value_or(0);
  if (all > files.size())
    add(rows, "",
        "… and " + std::to_string(all - files.size()) + " more: holdfast data show " +
            cell(data, "asset", false) + " --version " + cell(data, "version", false) + " -o json");
  co_return Result<void>();
}

Task<Result<int>> print_trace(Context& context, json::value trace) {
  CO_TRY(json::array data, list_of(trace, "data"));
  if (context.form() != Form::table && context.form() != Form::tsv) {
    for (json::value& one : data) {
      if (!one.is_object() || !one.as_object().contains("files")) continue;
      CO_TRY(json::array files, co_await files_of(context, one, 5000, true));
      one.as_object()["manifest"] = std::move(files);
    }
    trace.as_object()["data"] = std::move(data);
    context.print(trace, {});
    co_return kDone;
  }
  json::array rows;
  const std::string aliases = joined(trace.at("aliases"));
  add(rows, "model",
      cell(trace, "name", false) + " version " + cell(trace, "version", false) +
          (aliases.empty() ? "" : " (" + aliases + ")") + "  " + cell(trace, "created", false));
  const std::string reference = cell(trace, "image.reference", false);
  const std::string none = cell(trace, "image.error", false);
  add(rows, "image",
      !reference.empty() ? reference
      : none.empty()     ? "not built yet"
                         : "none: " + none);
  if (!reference.empty()) {
    add(rows, "model layer",
        cell(trace, "image.layer", false) + "  " + cell(trace, "image.layer_bytes", true));
    add(rows, "model digest", cell(trace, "image.model_digest", false));
  }
  if (trace.at("run").is_object()) {
    add(rows, "run", cell(trace, "run.id", false) + "  " + cell(trace, "run.status", false));
    if (const std::string metrics = metrics_of(trace); !metrics.empty())
      add(rows, "metrics", metrics);
  }
  if (trace.at("job").is_string()) add(rows, "job", cell(trace, "job", false));
  if (const std::string code = cell(trace, "code", false); !code.empty())
    add(rows, "code", "sha256:" + code);
  for (const json::value& one : data) CO_TRY_VOID(co_await add_data(context, one, rows));
  context.print(rows, {{"WHAT", "what"}, {"VALUE", "value"}});
  co_return kDone;
}

Task<Result<int>> fetch_trace(Context& context, std::string path) {
  CO_TRY(json::value trace, co_await context.hub_call("GET", std::move(path)));
  for (const char* field : {"aliases", "run", "job", "data"}) CO_TRY_VOID(field_of(trace, field));
  co_return co_await print_trace(context, std::move(trace));
}

}  // namespace

bool is_digest(std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Task<Result<int>> trace_digest(Context& context, std::string digest) {
  return fetch_trace(context, "/api/v1/trace/" + percent_encode(digest));
}

Task<Result<int>> trace_version(Context& context, std::string model, std::string version) {
  return fetch_trace(
      context, "/api/v1/models/" + percent_encode(model) + "/versions/" + percent_encode(version));
}

Task<Result<int>> list_registered(Context& context, std::string model) {
  const bool all = model.empty();
  CO_TRY(const json::value found,
         co_await context.hub_call("GET",
                                   "/api/v1/models" + (all ? "" : "/" + percent_encode(model))));
  CO_TRY(json::array rows, list_of(found, all ? "models" : "versions"));
  for (json::value& row : rows) {
    json::object shown = row.as_object();
    const json::value* aliases = shown.if_contains("aliases");
    std::string text;
    if (aliases != nullptr && aliases->is_object()) {
      for (const auto& [alias, number] : aliases->get_object())
        text += (text.empty() ? "" : ", ") + std::string(alias) + " → " +
                (number.is_int64() ? std::to_string(number.get_int64()) : "");
    } else if (aliases != nullptr) {
      text = joined(*aliases);
    }
    shown["named"] = text;
    if (const json::value* tags = shown.if_contains("tags"); tags != nullptr && tags->is_object())
      if (const json::value* data = tags->get_object().if_contains("holdfast.data"))
        shown["read"] = *data;
    row = std::move(shown);
  }
  context.print(rows, {{"MODEL", "name"},
                       {"VERSION", "version"},
                       {"ALIASES", "named"},
                       {"DATA", "read"},
                       {"RUN", "run"},
                       {"CREATED", "created"}});
  co_return kDone;
}

}  // namespace holdfast::cli
