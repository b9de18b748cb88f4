#include "measure.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "base/log.h"
#include "inference/devices/devices.h"
#include "inference/measure/profile.h"
#include "inference/measure/server.h"
#include "inference/measure/tune.h"
#include "inference/pipeline.h"
#include "inference/quantize/quantize.h"
#include "inference/warm_up.h"
#include "measure_flags.h"
#include "net/runtime.h"
#include "try_load.h"

namespace holdfast {
namespace {

namespace json = boost::json;
using namespace inference;  // NOLINT(google-build-using-namespace): this file is about nothing else

// A folder that goes with the measurement.
struct Scratch {
  std::string path = (std::filesystem::temp_directory_path() / "holdfast-tune-XXXXXX").string();
  bool made = ::mkdtemp(path.data()) != nullptr;
  ~Scratch() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
};

void print(const json::object& line) {
  std::puts(json::serialize(line).c_str());
  std::fflush(stdout);
}
void tell(double done, const std::string& what) {
  print({{"progress", done}, {"what", what}});
}

json::object row_of(const Candidate& candidate) {
  const auto median = [](std::vector<double> of) {
    std::ranges::sort(of);
    return of.empty() ? 0 : of[of.size() / 2];
  };
  const Tuning& tuning = candidate.tuning;
  json::object out{{"candidate", describe(tuning)}, {"engine", tuning.engine},
                   {"precision", tuning.precision}, {"device", tuning.device},
                   {"threads", tuning.threads},     {"lanes", tuning.lanes},
                   {"load_ms", candidate.load_ms},  {"why_not", candidate.why_not}};
  if (candidate.p50_us.empty()) return out;
  out["p50_us"] = median(candidate.p50_us);
  out["p99_us"] = median(candidate.p99_us);
  out["per_second"] = median(candidate.rate);
  out["rounds"] = json::object{{"p50_us", json::value_from(candidate.p50_us)},
                               {"per_second", json::value_from(candidate.rate)}};
  out["latency_ratio"] = candidate.faster;
  out["throughput_ratio"] = candidate.more;
  out["gain"] = candidate.gain;
  out["least_gain"] = candidate.least;
  return out;
}

Result<json::object> run_tune(const Flags& flags) {
  TuneOptions options;
  const std::string model = flag(flags, "model"), goal = flag(flags, "goal", "both");
  TRY(options.usual, usual_of(flags));
  TRY(options.samples, sample_options(flags));
  TRY(options.budget, parse_duration(flag(flags, "budget", "30s")));
  options.goal = goal == "latency"      ? Goal::latency
                 : goal == "throughput" ? Goal::throughput
                                        : Goal::both;
  TRY(options.tolerance, fraction(flags, "tolerance", options.tolerance));
  options.progress = tell;
  for (const Offer& offer : offers()) {
    if (!offer.why_not.empty()) continue;
    const auto more = candidates_of(offer, !options.samples.path.empty());
    options.devices.insert(options.devices.end(), more.begin(), more.end());
  }
  const Scratch scratch;
  if (!scratch.made) return std::unexpected(errno_error(errno, "a temporary folder"));
  options.quantize = [&](const std::vector<Inputs>& requests, const Accept& accept) {
    return quantize(model, requests, accept, scratch.path + "/model.onnx");
  };
  TRY(const std::string digest, digest_of(model));
  TRY(const Findings found, tune(model, options));
  json::object out{{"model", model}, {"digest", digest},         {"hardware", hardware()},
                   {"goal", goal},   {"samples", found.samples}, {"generated", found.generated}};
  json::array candidates, batches;
  for (size_t i = 0; i < found.candidates.size(); ++i) {
    json::object row = row_of(found.candidates[i]);
    row["usual"] = i == 0;
    row["chosen"] = i == found.chosen;
    candidates.push_back(std::move(row));
  }
  for (const Batch& batch : found.batches)
    batches.push_back(json::object{{"rows", batch.rows}, {"rows_per_second", batch.rate}});
  out["candidates"] = std::move(candidates);
  out["batches"] = std::move(batches);
  out["most_rows"] = found.tuning.rows;
  out["kept"] = found.chosen == 0;
  if (found.quantized)
    out["quantized"] = {{"layers", found.quantized->layers}, {"of", found.quantized->of}};
  if (const std::string store = flag(flags, "store"); !store.empty()) {
    TuningStore::Known known;
    if (found.chosen != 0) known.tuning = found.tuning;
    TRY_VOID(TuningStore(store).write(digest, known, json::serialize(out),
                                      found.quantized ? found.quantized->file : ""));
  }
  return out;
}

// The server's authorities, the certificate to show it, and its token, by their files.
Result<ServerAccess> access_of(const Flags& flags) {
  const auto file = [&flags](std::string_view name) -> Result<std::string> {
    std::string path = flag(flags, name);
    if (path.empty()) return path;
    return read_file(path, 1 << 20);
  };
  ServerAccess access;
  TRY(const std::string ca, file("ca"));
  TRY(const std::string certificate, file("client-certificate"));
  TRY(const std::string key, file("client-key"));
  TRY(const std::string token, file("token-file"));
  access.token = trim(std::string_view(token).substr(0, token.find('\n')));
  if (ca.empty() && certificate.empty()) return access;
  TRY(access.tls, TlsContext::client(ca, certificate, key));
  return access;
}

// The raw runtime as the server has it: its own settings, or those that were tuned.
Result<json::object> run_verify(const Flags& flags, bool& equal) {
  const std::string file = flag(flags, "model"), url = flag(flags, "url");
  TRY(const ServerAccess access, access_of(flags));
  TRY(const Served served, run_task(ask_served(access, url)));
  TRY(Tuning tuning, usual_of(flags));
  TRY(const std::string digest, digest_of(file));
  std::string run = file;
  if (const std::string store = flag(flags, "store"); !store.empty()) {
    const auto known = TuningStore(store).read(digest);
    if (known && known->tuning) {
      tuning = *known->tuning;
      TRY(run, TuningStore(store).file_for(digest, *known, file));
    }
  }
  if (!flags.contains("engine") || tuning.engine != flag(flags, "engine"))
    tuning.engine = served.platform == "openvino" ? "openvino" : "onnxruntime";
  TRY(const auto engine, open_engine(tuning));
  TRY(const auto model, engine->load(run));
  TRY(const SampleOptions samples_wanted, sample_options(flags));
  TRY(const auto samples, samples_for(model->signature(), samples_wanted));
  TRY(const auto differences, verify(*model, samples, access, url));
  json::array rows;
  equal = true;
  for (const Difference& of : differences) {
    json::object row{{"output", of.output}, {"datatype", of.datatype}, {"equal", of.equal}};
    row["max_abs"] = of.comparable && std::isfinite(of.most) ? json::value(of.most) : nullptr;
    row["max_ulp"] = of.comparable ? json::value(of.ulps) : nullptr;
    row["same_shape"] = of.comparable;
    rows.push_back(std::move(row));
    equal = equal && of.equal;
  }
  return json::object{{"outputs", std::move(rows)},  {"samples", samples.size()}, {"equal", equal},
                      {"runtime", describe(tuning)}, {"digest", digest},          {"url", url}};
}

Result<json::object> run_bench(const Flags& flags) {
  const std::string url = flag(flags, "url");
  TRY(const ServerAccess access, access_of(flags));
  TRY(const Served served, run_task(ask_served(access, url)));
  TRY(const SampleOptions wanted, sample_options(flags));
  TRY(const auto samples, samples_for(served.signature, wanted));
  BenchOptions options;
  TRY(const uint64_t connections, number(flags, "connections", 1));
  options.connections = static_cast<unsigned>(std::clamp<uint64_t>(connections, 1, 256));
  TRY(options.duration, parse_duration(flag(flags, "duration", "5s")));
  options.progress = [](double done) { tell(done, "load"); };
  TRY(const BenchFigures found, bench(access, flag(flags, "server"), url, flag(flags, "name"),
                                      flag(flags, "version"), samples, options));
  if (found.stages[0].count == 0)
    return fail(Code::internal, "no request was answered: " + found.error);
  json::array stages;
  for (const Stage& stage : found.stages) {
    json::object row{{"stage", stage.name}, {"count", stage.count}, {"mean_us", stage.mean_us}};
    if (stage.p50_us > 0 || stage.p99_us > 0) {
      row["p50_us"] = stage.p50_us;
      row["p90_us"] = stage.p90_us;
      row["p99_us"] = stage.p99_us;
    }
    stages.push_back(std::move(row));
  }
  return json::object{{"stages", std::move(stages)},
                      {"per_second", found.rate},
                      {"errors", found.errors},
                      {"error", found.error},
                      {"connections", options.connections},
                      {"platform", served.platform}};
}

Result<json::object> run_profile(const Flags& flags) {
  ProfileOptions options{.data = flag(flags, "samples")};
  TRY(options.usual, usual_of(flags));
  options.progress = [](double done) { tell(done, "rows"); };
  const SystemClock clock;
  TRY(MadeProfile made, make_profile(flag(flags, "model"), options, clock));
  return json::object{{"profile", std::move(made.text)}, {"rows", made.rows},
                      {"sample_rows", made.sample_rows}, {"skipped", made.skipped},
                      {"features", made.features},       {"classes", made.classes}};
}

// What accelerators are here, and whether they can be used.
Result<json::object> run_devices() {
  json::array rows;
  for (const Offer& offer : offers())
    rows.push_back(json::object{{"accelerator", offer.accelerator},
                                {"engine", offer.engine},
                                {"device", offer.device},
                                {"why_not", offer.why_not}});
  return json::object{{"devices", std::move(rows)}};
}

Result<json::object> run_load(const Flags& flags) {
  TRY_VOID(load_confined(flags));
  return json::object{{"loaded", true}};
}

}  // namespace

int measure(int argc, char** argv) {
  log::set_level(log::Level::error);
  const std::string what = argc > 1 ? argv[1] : "";
  Flags flags;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]).starts_with("--")) flags[argv[i] + 2] = argv[i + 1];
  }
  bool equal = true;
  Result<json::object> done =
      is_pipeline(flag(flags, "model"))
          ? fail(Code::unsupported, "this is a pipeline: measure its models, one by one")
      : what == "tune"    ? run_tune(flags)
      : what == "verify"  ? run_verify(flags, equal)
      : what == "bench"   ? run_bench(flags)
      : what == "profile" ? run_profile(flags)
      : what == "devices" ? run_devices()
      : what == "load"    ? run_load(flags)
                          : fail(Code::invalid_argument, "usage",
                                 "measure what: tune, verify, bench, profile, devices or load?");
  if (!done) {
    const Error& error = done.error();
    std::string why = error.message();
    std::ranges::replace(why, '\n', ' ');  // whoever reads it takes a line
    std::fprintf(stderr, "%s\n", why.c_str());
    return error.reason() == "usage" ? 2 : error.code() == Code::not_found ? 3 : 1;
  }
  print({{"result", std::move(*done)}});
  return equal ? 0 : 1;
}

}  // namespace holdfast
