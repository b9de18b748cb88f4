// holdfast model canary: a candidate version beside the current one.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/answer.h"
#include "cli/context.h"
#include "cli/send_model.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct CanaryOptions {
  std::string name, file, version, promote_time;
  double share = 0, shadow = 0;
  // Negative: as the server's configuration says.
  double max_error_rate = -1, max_latency_ratio = -1, max_disagreement = -1, tolerance = -1;
  int64_t min_requests = -1, promote_after = -1;
  bool compare_values = false;
};
CanaryOptions canary_options;

const std::vector<Column> kColumns = {{"MODEL", "model"},
                                      {"CANDIDATE", "version"},
                                      {"CURRENT", "current"},
                                      {"STATE", "state"},
                                      {"REQUESTS", "candidate_figures.requests"},
                                      {"ERRORS", "candidate_figures.errors"},
                                      {"P95 US", "candidate_figures.p95_us"},
                                      {"BEFORE US", "current_figures.p95_us"},
                                      {"COMPARED", "compared"},
                                      {"DISAGREED", "disagreed"},
                                      {"REASON", "reason"}};

std::string path(const std::string& verb = "") {
  return "/api/v1/models/" + percent_encode(canary_options.name) + "/canary" + verb;
}

json::object asked() {
  json::object out;
  out["share"] = canary_options.share;
  out["shadow"] = canary_options.shadow;
  const auto put = [&out](const char* name, auto value) {
    if (value >= 0) out[name] = value;
  };
  put("max_error_rate", canary_options.max_error_rate);
  put("max_latency_ratio", canary_options.max_latency_ratio);
  put("max_disagreement", canary_options.max_disagreement);
  put("tolerance", canary_options.tolerance);
  put("min_requests", canary_options.min_requests);
  put("promote_after", canary_options.promote_after);
  if (canary_options.compare_values) out["compare_values"] = true;
  return out;
}

Task<Result<int>> start(Context& context) {
  json::object body = asked();
  if (canary_options.share <= 0 && canary_options.shadow <= 0)
    co_return fail(Code::invalid_argument, "usage", "--share or --shadow says how many requests");
  if (canary_options.file.empty() && canary_options.version.empty())
    co_return fail(Code::invalid_argument, "usage", "--version or --file names the candidate");
  if (!canary_options.promote_time.empty()) {
    CO_TRY(const auto time, parse_duration(canary_options.promote_time));
    body["promote_time_ms"] = time.count();
  }
  std::string version = canary_options.version;
  if (!canary_options.file.empty()) {
    CO_TRY(const json::value sent,
           co_await send_model(context, canary_options.name, canary_options.file, version, true));
    CO_TRY(version, text_of(sent, "version"));
  }
  body["version"] = version;
  CO_TRY(const json::value begun,
         co_await context.serve_call("POST", path(), json::serialize(body)));
  context.print(begun, kColumns);
  co_return kDone;
}

Task<Result<int>> status(Context& context) {
  if (canary_options.name.empty()) {
    CO_TRY(const json::value answer, co_await context.serve_call("GET", "/api/v1/canaries"));
    CO_TRY(const json::array rows, list_of(answer, "canaries"));
    context.print(rows, kColumns);
    co_return kDone;
  }
  CO_TRY(const json::value answer, co_await context.serve_call("GET", path()));
  context.print(answer, kColumns);
  co_return kDone;
}

Task<Result<int>> finish(Context& context, std::string verb) {
  CO_TRY(const json::value ended, co_await context.serve_call("POST", path(verb)));
  context.print(ended, kColumns);
  co_return kDone;
}

}  // namespace

void add_canary(CLI::App& model, Chosen& chosen) {
  CLI::App* canary =
      model.add_subcommand("canary", "A candidate version on a share of the requests")
          ->require_subcommand(1);
  CLI::App* verb =
      add_verb(*canary, chosen, "start",
               "Gives a candidate a share of the requests; it is rolled back when it is worse",
               "  holdfast model canary start digits --file better.onnx --share 10\n  holdfast "
               "model canary start digits --version 7 --share 5 --shadow 50 --promote-after 10000",
               start);
  verb->add_option("NAME", canary_options.name, "The model")->required();
  verb->add_option("--version", canary_options.version, "The candidate; with --file its number");
  verb->add_option("--file", canary_options.file, "Sends this ONNX file in as the candidate")
      ->check(CLI::ExistingFile);
  verb->add_option("--share", canary_options.share, "Percent of the requests that it answers");
  verb->add_option("--shadow", canary_options.shadow,
                   "Percent that the other one runs too, to compare");
  verb->add_option("--min-requests", canary_options.min_requests, "Requests before it is judged");
  verb->add_option("--max-error-rate", canary_options.max_error_rate,
                   "Over the current one's: 0.01");
  verb->add_option("--max-latency-ratio", canary_options.max_latency_ratio,
                   "Of the 95th percentiles: 2; 0: not judged");
  verb->add_option("--max-disagreement", canary_options.max_disagreement,
                   "Of the comparisons: 0.05");
  verb->add_option("--tolerance", canary_options.tolerance, "Of floats: 0.001");
  verb->add_flag("--compare-values", canary_options.compare_values,
                 "Compares all floats, not the largest of a row alone");
  verb->add_option("--promote-after", canary_options.promote_after,
                   "Good requests after which it takes over; never without it");
  verb->add_option("--promote-time", canary_options.promote_time, "And not before: 500ms, 2h");
  verb = add_verb(*canary, chosen, "status", "What the candidate did, and what came of it",
                  "  holdfast model canary status\n  holdfast model canary status digits -o json",
                  status);
  verb->add_option("NAME", canary_options.name, "The model; all without it");
  verb = add_verb(*canary, chosen, "promote", "Lets the candidate take over now",
                  "  holdfast model canary promote digits\n  holdfast model canary promote digits "
                  "-o json",
                  [](Context& context) { return finish(context, "/promote"); });
  verb->add_option("NAME", canary_options.name, "The model")->required();
  verb = add_verb(*canary, chosen, "abort", "Ends it; the current version answers everything",
                  "  holdfast model canary abort digits\n  holdfast model canary abort digits -q",
                  [](Context& context) { return finish(context, "/abort"); });
  verb->add_option("NAME", canary_options.name, "The model")->required();
}

}  // namespace holdfast::cli
