// Which engine, threads, lanes, precision and largest batch are the best for a model on this
// machine, by measuring them in turns.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "inference/measure/samples.h"
#include "inference/measure/tuned_engine.h"

namespace holdfast::inference {

enum class Goal { both, latency, throughput };

// Whether what a file answers is near enough to the model's own answers.
using Accept = std::function<Result<bool>(const std::string& file)>;
struct Quantized {
  std::string file;
  size_t layers = 0, of = 0;  // in 8 bits, of all that have weights
};

struct TuneOptions {
  Tuning usual;  // what is compared with: the server's own settings
  std::chrono::milliseconds budget{30000};
  Goal goal = Goal::both;
  SampleOptions samples;
  double tolerance = 0.02;  // of a lower precision's answers, relative to the largest value
  TunedEngine::Open open = open_engine;
  // Makes of the model one in 8 bits that is accepted; empty: none is tried.
  std::function<Result<Quantized>(const std::vector<Inputs>& requests, const Accept& accept)>
      quantize;
  std::vector<Tuning> candidates;  // besides the usual; empty: those of this machine's cores
  std::vector<Tuning> devices;     // and those of its accelerators
  // How much of the work is done, 0 to 1, and with what. May be empty.
  std::function<void(double, const std::string&)> progress;
};

struct Candidate {
  Tuning tuning;
  std::string why_not;                       // not measured, or not to be chosen; empty: it may be
  std::vector<double> p50_us, p99_us, rate;  // one a round: one caller; runs a second of all lanes
  double load_ms = 0;
  double faster = 1, more = 1;  // medians over the rounds of usual / its p50, its rate / usual
  double gain = 1, least = 1;   // of both, as the goal weighs them; the second worst round
};
struct Batch {
  uint64_t rows = 0;
  double rate = 0;  // rows a second of all lanes
};

struct Findings {
  std::vector<Candidate> candidates;  // the usual first
  size_t chosen = 0;
  std::vector<Batch> batches;  // of the chosen; empty: its requests are not merged
  Tuning tuning;               // the chosen, with its rows
  bool generated = true;       // the samples were made up
  size_t samples = 0;
  std::optional<Quantized> quantized;  // where one was made
};

// The candidates of a machine with so many cores; reduced precision only where asked for, 8 bits
// where there can be such a model.
std::vector<Tuning> candidates_for(unsigned cores, bool reduced_precision, bool quantized);
// Whether it may take the usual's place: better by more than 3 % and than the rounds differ, and
// not slower in what the goal counts. Sets the candidate's derived figures.
bool better(const Candidate& usual, Candidate& candidate, Goal goal);

// Blocking; uses all usable cores. The usual stays unless another is better().
Result<Findings> tune(const std::string& path, const TuneOptions& options);

}  // namespace holdfast::inference
