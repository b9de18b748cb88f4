#include "cli/measure.h"

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/value_to.hpp>
#include <filesystem>

#include "base/files.h"
#include "cli/answer.h"
#include "cli/measure_child.h"
#include "cli/measure_place.h"
#include "cli/progress.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

MeasureOptions measure_options;

void add(std::vector<std::string>& words, const std::string& flag, const std::string& value) {
  if (value.empty()) return;
  words.push_back(flag);
  words.push_back(value);
}

std::vector<std::string> words_of(Context& context, const std::string& what, const Place& place) {
  std::vector<std::string> words = {what};
  add(words, "--model", place.file);
  add(words, "--url", place.url);
  add(words, "--server", place.base);
  add(words, "--name", place.name);
  add(words, "--version", place.version);
  add(words, "--store", place.store);
  add(words, "--samples", measure_options.samples);
  add(words, "--shape", measure_options.shape);
  add(words, "--seed", std::to_string(measure_options.seed));
  // Files: what is in them stands in no argument.
  add(words, "--ca", context.globals().ca);
  add(words, "--client-certificate", context.globals().certificate);
  add(words, "--client-key", context.globals().key);
  add(words, "--token-file", context.globals().serve_token_file);
  return words;
}

Result<Measured> run_with_progress(Context& context, const std::vector<std::string>& words) {
  Share share("Measuring", context.globals().quiet);
  auto done =
      run_measure(words, [&](double part, const std::string& what) { share.at(part, what); });
  share.done();
  return done;
}

Task<Result<int>> verify(Context& context) {
  CO_TRY(const Place place, co_await place_of(context, measure_options, true));
  CO_TRY_VOID(check_file(place));
  CO_TRY(const Measured done, run_with_progress(context, words_of(context, "verify", place)));
  if (context.form() == Form::table || context.form() == Form::tsv) {
    context.print(done.result.at("outputs"), {{"OUTPUT", "output"},
                                              {"DATATYPE", "datatype"},
                                              {"EQUAL", "equal"},
                                              {"MAX ABS", "max_abs"},
                                              {"MAX ULP", "max_ulp"}});
  } else {
    context.print(json::value(done.result), {});
  }
  const std::string count = cell(json::value(done.result), "samples", false);
  context.note((done.status == 0 ? "Equal bit for bit on " : "Not equal on ") + count +
               " samples: " + place.url + " and " +
               cell(json::value(done.result), "runtime", false));
  co_return done.status == 0 ? kDone : kFailed;
}

std::string number_in(const json::value& row, std::string_view field) {
  const json::value* value = row.as_object().if_contains(field);
  return value == nullptr || !value->is_number() ? "" : figure(value->to_number<double>());
}

Task<Result<int>> bench(Context& context) {
  CO_TRY(const Place place, co_await place_of(context, measure_options, true));
  std::vector<std::string> words = words_of(context, "bench", place);
  add(words, "--connections", std::to_string(measure_options.connections));
  add(words, "--duration", measure_options.duration);
  CO_TRY(const Measured done, run_with_progress(context, words));
  if (context.form() != Form::table && context.form() != Form::tsv) {
    context.print(json::value(done.result), {});
    co_return kDone;
  }
  json::array rows;
  for (const json::value& stage : done.result.at("stages").as_array()) {
    json::object row{{"stage", stage.at("stage")}, {"count", stage.at("count")}};
    for (const char* field : {"mean_us", "p50_us", "p90_us", "p99_us"})
      row[field] = number_in(stage, field);
    rows.push_back(std::move(row));
  }
  context.print(rows, {{"STAGE", "stage"},
                       {"COUNT", "count"},
                       {"MEAN µs", "mean_us"},
                       {"P50 µs", "p50_us"},
                       {"P90 µs", "p90_us"},
                       {"P99 µs", "p99_us"}});
  context.note(number_in(json::value(done.result), "per_second") + " requests/s on " +
               std::to_string(measure_options.connections) + " connections, " +
               cell(json::value(done.result), "errors", false) + " errors");
  co_return kDone;
}

Task<Result<int>> tune(Context& context) {
  CO_TRY(const Place place, co_await place_of(context, measure_options, false));
  CO_TRY_VOID(check_file(place));
  std::vector<std::string> words = words_of(context, "tune", place);
  add(words, "--budget", measure_options.budget);
  add(words, "--goal", measure_options.goal);
  add(words, "--tolerance", measure_options.tolerance);
  CO_TRY(Measured done, run_with_progress(context, words));
  json::object& result = done.result;
  result["applied"] = false;
  result["kept_in"] = place.store;
  if (!place.url.empty() && !place.store.empty()) {
    CO_TRY_VOID(co_await context.call("POST",
                                      place.base + "/api/v1/models/" + percent_encode(place.name) +
                                          "/versions/" + place.version + "/retune",
                                      place.token));
    result["applied"] = true;
  }
  if (!measure_options.report.empty()) {
    const std::string title = place.name.empty() ? fs::path(place.file).filename().string()
                                                 : place.name + " " + place.version;
    CO_TRY_VOID(replace_file(measure_options.report, as_bytes(tune_report(result, title))));
  }
  if (context.form() != Form::table && context.form() != Form::tsv) {
    context.print(json::value(result), {});
    co_return kDone;
  }
  json::array rows;
  for (const json::value& candidate : result.at("candidates").as_array()) {
    json::object row{{"candidate", candidate.at("candidate")}};
    for (const char* field :
         {"p50_us", "p99_us", "per_second", "latency_ratio", "throughput_ratio"})
      row[field] = number_in(candidate, field);
    row["choice"] = candidate.at("chosen").as_bool()  ? "chosen"
                    : candidate.at("usual").as_bool() ? "untuned"
                                                      : candidate.at("why_not");
    rows.push_back(std::move(row));
  }
  context.print(rows, {{"CANDIDATE", "candidate"},
                       {"P50 µs", "p50_us"},
                       {"P99 µs", "p99_us"},
                       {"RUNS/s", "per_second"},
                       {"FASTER", "latency_ratio"},
                       {"MORE", "throughput_ratio"},
                       {"CHOICE", "choice"}});
  context.note(result.at("kept").as_bool()
                   ? "Nothing is better than the untuned settings by more "
                     "than the noise: they stay."
                   : "The chosen settings are better by more than the noise.");
  if (result.contains("quantized"))
    context.note(cell(result.at("quantized"), "layers", false) + " of " +
                 cell(result.at("quantized"), "of", false) +
                 " layers answer alike in 8 bits; the others are in the model's own precision.");
  if (place.store.empty())
    context.note("Not kept: there is no server's data at " + serve_data(context, measure_options) +
                 "; name it with --serve-data.");
  co_return kDone;
}

void add_common(CLI::App* verb, const char* model) {
  verb->add_option("MODEL", measure_options.model, model)->required();
  verb->add_option("--server", measure_options.server, "The inference server's URL");
  verb->add_option("--serve-data", measure_options.serve_data,
                   "The inference server's data directory; that of 'holdfast up' without it");
  verb->add_option("--samples", measure_options.samples,
                   "A .npz file with an array for each input, or a folder of them; else made up");
  verb->add_option("--shape", measure_options.shape,
                   "Of made-up inputs where sizes are free: 'x=1,3,224,224;y=1,4'");
  verb->add_option("--seed", measure_options.seed, "Of made-up inputs");
}

}  // namespace

void add_measuring(CLI::App& model, Chosen& chosen) {
  constexpr const char* kEither = "A served model's name, or an ONNX file";
  CLI::App* verb = add_verb(model, chosen, "verify",
                            "Compares a server's answers with the raw runtime's, bit for bit",
                            "  holdfast model verify digits\n  holdfast model verify digits.onnx "
                            "--samples samples.npz --server http://127.0.0.1:8000",
                            verify);
  add_common(verb, kEither);
  verb = add_verb(model, chosen, "bench", "Latency by stage and throughput of a served model",
                  "  holdfast model bench digits\n  holdfast model bench digits --connections 8 "
                  "--duration 10s -o json",
                  bench);
  add_common(verb, kEither);
  verb->add_option("--connections", measure_options.connections, "Callers at the same time")
      ->check(CLI::Range(1, 256));
  verb->add_option("--duration", measure_options.duration, "How long");
  verb = add_verb(model, chosen, "tune",
                  "Finds the best engine, threads, lanes, batch and precision for a model on this "
                  "machine, by measuring",
                  "  holdfast model tune digits --budget 30s\n  holdfast model tune net.onnx "
                  "--samples samples/ --report tune.html",
                  tune);
  add_common(verb, kEither);
  verb->add_option("--budget", measure_options.budget, "Time to measure in, beside loading");
  verb->add_option("--goal", measure_options.goal, "What counts")
      ->check(CLI::IsMember({"both", "latency", "throughput"}));
  verb->add_option("--tolerance", measure_options.tolerance,
                   "How far answers of a lower precision may be off, of the largest value; else "
                   "0.02")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_option("--report", measure_options.report, "Writes an HTML file with plots");
}

}  // namespace holdfast::cli
