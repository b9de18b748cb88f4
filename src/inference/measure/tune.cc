#include "inference/measure/tune.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "base/cores.h"
#include "inference/measure/difference.h"

namespace holdfast::inference {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRounds = 7;
constexpr uint64_t kMostRows = 16;

struct Loading {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Model> model;
};

void tell(const TuneOptions& options, double done, const std::string& what) {
  if (options.progress) options.progress(done, what);
}

double us(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

// Runs until the time is over, once at least; what each took, in µs.
Result<std::vector<double>> run_for(Model& model, const std::vector<Inputs>& requests,
                                    Clock::duration time) {
  std::vector<double> out;
  const auto end = Clock::now() + time;
  do {
    const auto start = Clock::now();
    TRY_VOID(model.run(requests[out.size() % requests.size()], {}));
    out.push_back(us(Clock::now() - start));
  } while (Clock::now() < end);
  std::ranges::sort(out);
  return out;
}

// Runs a second, of so many callers at once.
double rate_of(Model& model, const std::vector<Inputs>& requests, unsigned lanes,
               Clock::duration time) {
  std::atomic<uint64_t> runs{0};
  const auto start = Clock::now();
  std::vector<std::thread> callers;
  callers.reserve(lanes);
  for (unsigned i = 0; i < lanes; ++i)
    callers.emplace_back([&] {
      if (const auto ran = run_for(model, requests, time)) runs += ran->size();
    });
  for (std::thread& caller : callers) caller.join();
  return static_cast<double>(runs) / std::chrono::duration<double>(Clock::now() - start).count();
}

unsigned lanes_of(const Tuning& tuning) {
  return tuning.lanes > 0 ? tuning.lanes : usable_cores();
}

// Empty: its answers are as those of the model's own precision, but for the tolerance.
Result<std::string> not_accurate(Model& usual, Model& candidate,
                                 const std::vector<Inputs>& requests, double tolerance,
                                 bool classes_too) {
  std::vector<Difference> differences;
  for (const Inputs& request : requests) {
    TRY(const auto wanted, usual.run(request, {}));
    TRY(const auto got, candidate.run(request, {}));
    compare(wanted, got, differences);
  }
  for (const Difference& of : differences) {
    if (!of.comparable) return "'" + of.output + "' has another shape";
    const bool real = of.datatype.starts_with("FP");
    if (real && of.most > tolerance * of.scale)
      return "'" + of.output + "' is off by " + std::to_string(100 * of.most / of.scale) +
             " % of its largest value";
    if (!real && !of.equal) return "'" + of.output + "' says something else";
    if (classes_too && of.rows > 0 && of.same_best * 100 < of.rows * 99)
      return "the largest of '" + of.output + "' is elsewhere in " +
             std::to_string(of.rows - of.same_best) + " of " + std::to_string(of.rows) + " rows";
  }
  return std::string();
}

struct Bench {
  std::vector<Inputs> requests;
  std::vector<Loading> loaded;                 // as the candidates
  std::optional<Result<Quantized>> quantized;  // once a candidate has asked for it
};

Result<bool> is_accurate(const TuneOptions& options, Bench& bench, const std::string& file) {
  TRY(const auto engine, options.open(options.usual));
  TRY(const auto model, engine->load(file));
  TRY(const std::string why_not,
      not_accurate(*bench.loaded[0].model, *model, bench.requests, options.tolerance, true));
  return why_not.empty();
}

// The file that a candidate runs; the one in 8 bits is made for the first that does.
Result<std::string> file_for(const std::string& path, const TuneOptions& options,
                             const Tuning& tuning, Bench& bench) {
  if (!tuning.in_8_bits()) return path;
  if (!bench.quantized) {
    tell(options, 0, "quantising");
    bench.quantized = options.quantize(
        bench.requests, [&](const std::string& file) { return is_accurate(options, bench, file); });
  }
  TRY(const Quantized made, *bench.quantized);
  return made.file;
}

// Loads the candidate and lets it show that it answers; sets why_not where it may not be chosen.
Result<void> prepare(const std::string& path, const TuneOptions& options, Candidate& candidate,
                     Bench& bench) {
  Loading loading;
  TRY(loading.engine, options.open(candidate.tuning));
  TRY(const std::string file, file_for(path, options, candidate.tuning, bench));
  const auto start = Clock::now();
  TRY(loading.model, loading.engine->load(file));
  candidate.load_ms = us(Clock::now() - start) / 1000;
  if (!bench.requests.empty()) {
    TRY_VOID(run_for(*loading.model, bench.requests, Clock::duration(0)));
    // Another order of sums is no other answer, and made-up values have no clear winner.
    const bool reduced = candidate.tuning.precision != options.usual.precision;
    TRY(candidate.why_not, not_accurate(*bench.loaded[0].model, *loading.model, bench.requests,
                                        reduced ? options.tolerance : 1e-3, reduced));
  }
  bench.loaded.push_back(std::move(loading));
  return {};
}

// Copies of one request, as merging makes them.
Inputs copies(const Inputs& request, uint64_t rows, Merged& keep) {
  const std::vector<const Inputs*> same(rows, &request);
  keep = merge_rows(same);
  return keep.inputs;
}

std::vector<Batch> measure_batches(Model& model, const Inputs& request, unsigned lanes,
                                   Clock::duration each) {
  std::vector<Batch> out;
  for (uint64_t rows = 1; rows <= kMostRows; rows *= 2) {
    Merged keep;
    const std::vector<Inputs> requests = {copies(request, rows, keep)};
    const double rate = rate_of(model, requests, lanes, each);
    out.push_back({rows, rate * static_cast<double>(rows)});
  }
  return out;
}

// The largest size that is within a tenth of the best; no limit where that is the largest of all.
uint64_t rows_for(const std::vector<Batch>& batches) {
  double best = 0;
  uint64_t rows = 0;
  for (const Batch& batch : batches) best = std::max(best, batch.rate);
  for (const Batch& batch : batches) {
    if (batch.rate >= 0.9 * best) rows = batch.rows;
  }
  return rows == kMostRows ? 0 : rows;
}

}  // namespace

Result<Findings> tune(const std::string& path, const TuneOptions& options) {
  Findings out;
  out.generated = options.samples.path.empty();
  Bench bench;
  out.candidates.push_back({.tuning = options.usual});
  tell(options, 0, "loading");
  TRY_VOID(prepare(path, options, out.candidates[0], bench));
  const Signature& signature = bench.loaded[0].model->signature();
  TRY(const auto samples, samples_for(signature, options.samples));
  out.samples = samples.size();
  bench.requests.reserve(samples.size());
  for (const Sample& sample : samples) bench.requests.push_back(views_of(sample));
  auto first = run_for(*bench.loaded[0].model, bench.requests, Clock::duration(0));
  if (!first)
    return std::unexpected(first.error().with_context(
        out.generated ? "the model refuses what was made up for it; give --samples or --shape"
                      : "the model refuses the samples"));

  auto candidates = options.candidates;
  if (candidates.empty())
    candidates = candidates_for(usable_cores(), !out.generated, options.quantize != nullptr);
  candidates.insert(candidates.end(), options.devices.begin(), options.devices.end());
  for (const Tuning& tuning : candidates) {
    Tuning same = options.usual;
    same.lanes = lanes_of(options.usual);
    if (tuning == same) continue;
    Candidate candidate{.tuning = tuning};
    if (auto done = prepare(path, options, candidate, bench); !done) {
      candidate.why_not = done.error().message();
      bench.loaded.emplace_back();
    }
    out.candidates.push_back(std::move(candidate));
  }

  const auto able =
      std::ranges::count_if(out.candidates, [](const Candidate& c) { return c.why_not.empty(); });
  // A part of the time is for the batches; loading has taken its own.
  const auto slice =
      std::chrono::duration_cast<Clock::duration>(options.budget) / (kRounds * able * 2 + kRounds);
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < out.candidates.size(); ++i) {
      Candidate& candidate = out.candidates[i];
      if (!candidate.why_not.empty()) continue;
      tell(options, (round + static_cast<double>(i) / out.candidates.size()) / (kRounds + 1),
           describe(candidate.tuning));
      Model& model = *bench.loaded[i].model;
      TRY(const auto times, run_for(model, bench.requests, slice));
      candidate.p50_us.push_back(times[times.size() / 2]);
      candidate.p99_us.push_back(times[times.size() * 99 / 100]);
      candidate.rate.push_back(rate_of(model, bench.requests, lanes_of(candidate.tuning), slice));
    }
  }
  double best = 0;
  for (size_t i = 1; i < out.candidates.size(); ++i) {
    Candidate& candidate = out.candidates[i];
    if (!candidate.why_not.empty() || !better(out.candidates[0], candidate, options.goal)) continue;
    if (candidate.gain > best) out.chosen = i;
    best = std::max(best, candidate.gain);
  }
  out.tuning = out.candidates[out.chosen].tuning;
  if (can_merge(signature) && rows_of(bench.requests[0]) == 1) {
    tell(options, static_cast<double>(kRounds) / (kRounds + 1), "batches");
    out.batches = measure_batches(*bench.loaded[out.chosen].model, bench.requests[0],
                                  lanes_of(out.tuning), slice);
    out.tuning.rows = rows_for(out.batches);
  }
  if (bench.quantized && *bench.quantized) out.quantized = **bench.quantized;
  tell(options, 1, "done");
  return out;
}

}  // namespace holdfast::inference
