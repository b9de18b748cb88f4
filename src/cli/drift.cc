// holdfast model profile, holdfast model drift.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <filesystem>

#include "base/files.h"
#include "cli/answer.h"
#include "cli/measure.h"
#include "cli/measure_child.h"
#include "cli/measure_place.h"
#include "cli/progress.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

MeasureOptions drift_options;
std::string file;

// The file beside the model, where nobody serves it.
std::string file_beside(const Place& place) {
  if (!file.empty() || !place.url.empty()) return file;
  return (fs::path(place.file).parent_path() / "profile.json").string();
}

Task<Result<int>> profile(Context& context) {
  CO_TRY(const Place place, co_await place_of(context, drift_options, false));
  CO_TRY_VOID(check_file(place));
  const std::vector<std::string> words = {"profile", "--model", place.file, "--samples",
                                          drift_options.samples};
  Share share("Profiling", context.globals().quiet);
  auto measured =
      run_measure(words, [&](double part, const std::string& what) { share.at(part, what); });
  share.done();
  CO_TRY(Measured done, std::move(measured));
  CO_TRY(const std::string text, text_of(json::value(done.result), "profile"));
  json::object& result = done.result;
  result.erase("profile");
  result["model"] = place.name.empty() ? place.file : place.name;
  result["version"] = place.version;
  result["file"] = file_beside(place);
  result["applied"] = !place.url.empty();
  if (const std::string to = file_beside(place); !to.empty()) {
    CO_TRY_VOID(replace_file(to, as_bytes(text)));
  }
  if (!place.url.empty()) {
    CO_TRY_VOID(co_await context.call("PUT",
                                      place.base + "/api/v1/models/" + percent_encode(place.name) +
                                          "/versions/" + place.version + "/profile",
                                      "", text));
  }
  context.print(json::value(result), {{"MODEL", "model"},
                                      {"VERSION", "version"},
                                      {"ROWS", "rows"},
                                      {"SAMPLE", "sample_rows"},
                                      {"FEATURES", "features"},
                                      {"CLASSES", "classes"}});
  if (const std::string skipped = cell(json::value(result), "skipped", false); skipped != "0")
    context.note(skipped + " captured requests were too large to be captured whole; left out.");
  context.note(place.url.empty() ? "Kept as " + file_beside(place) + "."
                                 : "The server compares live requests with it from now on.");
  co_return kDone;
}

std::string figure_at(const json::value& from, std::string_view field) {
  const json::value* value = from.as_object().if_contains(field);
  return value != nullptr && value->is_number() ? figure(value->to_number<double>()) : "";
}

// The features and class mixes of one model's last window, those over their limits first.
json::array rows_of(const json::value& answer) {
  json::array rows;
  const json::value* last = answer.as_object().if_contains("last");
  if (last == nullptr) return rows;
  for (const json::value& one : last->at("features").as_array())
    rows.push_back(json::object{{"name", one.at("name")},
                                {"psi", figure_at(one, "psi")},
                                {"psi_limit", figure_at(one, "psi_limit")},
                                {"ks", figure_at(one, "ks")},
                                {"ks_limit", figure_at(one, "ks_limit")},
                                {"rows", one.at("rows")},
                                {"over", one.at("over")}});
  for (const json::value& one : last->at("classes").as_array())
    rows.push_back(json::object{{"name", one.at("name")},
                                {"classes", figure_at(one, "distance")},
                                {"classes_limit", figure_at(one, "distance_limit")},
                                {"rows", one.at("rows")},
                                {"over", one.at("over")}});
  json::array sorted;
  for (const bool over : {true, false})
    for (const json::value& row : rows)
      if (row.at("over").as_bool() == over) sorted.push_back(row);
  return sorted;
}

Task<Result<int>> drift(Context& context) {
  CO_TRY(const std::string server, server_url(context, drift_options));
  if (drift_options.model.empty()) {
    CO_TRY(const json::value answer, co_await context.call("GET", server + "/api/v1/drift"));
    CO_TRY(json::array rows, list_of(answer, "models"));
    const bool people = context.form() == Form::table;
    for (json::value& row : rows) {
      json::value* most = row.as_object().if_contains("most");
      if (!people || most == nullptr) continue;
      for (const char* field : {"psi", "ks", "classes"})
        most->as_object()[field] = figure_at(*most, field);
    }
    context.print(rows, {{"MODEL", "model"},
                         {"VERSION", "version"},
                         {"STATE", "state"},
                         {"WINDOWS", "windows"},
                         {"ROWS", "rows"},
                         {"OVER", "most.over"},
                         {"PSI", "most.psi"},
                         {"KS", "most.ks"},
                         {"CLASSES", "most.classes"},
                         {"REASON", "reason"}});
    co_return kDone;
  }
  CO_TRY(const json::value answer,
         co_await context.call(
             "GET", server + "/api/v1/models/" + percent_encode(drift_options.model) + "/drift"));
  if (context.form() != Form::table && context.form() != Form::tsv) {
    context.print(answer, {});
    co_return kDone;
  }
  context.print(rows_of(answer), {{"FEATURE", "name"},
                                  {"PSI", "psi"},
                                  {"LIMIT", "psi_limit"},
                                  {"KS", "ks"},
                                  {"LIMIT", "ks_limit"},
                                  {"CLASSES", "classes"},
                                  {"LIMIT", "classes_limit"},
                                  {"ROWS", "rows"},
                                  {"OVER", "over"}});
  const std::string state = cell(answer, "state", false), reason = cell(answer, "reason", false);
  context.note("Version " + cell(answer, "version", false) + " of " + drift_options.model + ": " +
               state + (reason.empty() ? "" : " (" + reason + ")") + ", " +
               cell(answer, "windows", false) + " windows, " + cell(answer, "rows", false) +
               " rows in the next one");
  co_return kDone;
}

}  // namespace

void add_drift(CLI::App& model, Chosen& chosen) {
  CLI::App* verb = add_verb(
      model, chosen, "profile",
      "Notes what training data look like, so that live requests can be compared with them",
      "  holdfast model profile digits --samples training/\n  holdfast model profile "
      "digits.onnx --samples train.npz --file digits-profile.json",
      profile);
  verb->add_option("MODEL", drift_options.model, "A served model's name, or an ONNX file")
      ->required();
  verb->add_option("--samples", drift_options.samples,
                   "The data: a .npz or .npy file, .jsonl of requests, or a folder of them")
      ->required();
  verb->add_option("--file", file, "Where to keep it; beside an ONNX file without it");
  verb->add_option("--server", drift_options.server, "The inference server's URL");
  verb->add_option("--serve-data", drift_options.serve_data,
                   "The inference server's data directory; that of 'holdfast up' without it");
  verb = add_verb(model, chosen, "drift",
                  "How far live requests are from the training data of their models",
                  "  holdfast model drift\n  holdfast model drift digits -o json", drift);
  verb->add_option("MODEL", drift_options.model, "One model, by feature; all without it");
  verb->add_option("--server", drift_options.server, "The inference server's URL");
  verb->add_option("--serve-data", drift_options.serve_data,
                   "The inference server's data directory; that of 'holdfast up' without it");
}

}  // namespace holdfast::cli
