// A sample of what models were asked and answered, as files of JSON lines for a share's directory,
// so that the uplink carries them to where models are watched and trained.
//
// Two lines a request, its inputs and its outputs, each an event of CloudEvents 1.0 with the names
// of Azure ML's data collector (type azureml.inference.model_inputs and …model_outputs, joined by
// correlationid; https://learn.microsoft.com/azure/machine-learning/how-to-collect-production-data,
// "Store collected data in Blob Storage"). A request never waits for it: what the writing thread
// cannot take is dropped and counted.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/line_file.h"
#include "inference/background.h"
#include "inference/observer.h"

namespace holdfast::inference {

struct CaptureOptions {
  std::string directory;                   // empty: nothing is captured
  double share = 100;                      // percent of the requests
  std::vector<std::string> models;         // empty: all
  size_t lines = 1000;                     // a file is closed with them,
  std::chrono::milliseconds after{10000};  // or so long after it was begun
  uint64_t tensor = 64 << 10;              // bytes; a larger one is summarised
  uint64_t disk = 256 << 20;               // bytes of files in the directory, the open one included
  uint64_t memory = 32 << 20;              // bytes of tensors that wait to be written
  std::string agent = "holdfast-serve";    // who writes: "NAME/VERSION"
};

// One of a request's two lines.
struct Captured {
  std::string id, correlation, model, digest, run, time, agent;
  std::string request_id;  // the client's; empty: the correlation stands for it
  int64_t version = 0;
  bool input = false;
  std::vector<Tensor> tensors;
  std::vector<std::string> summaries;  // of tensors that are too large; else empty
};
std::string line_of(const Captured& captured);

// Count, smallest, largest and mean of a tensor's numbers that are finite, as JSON; of BYTES the
// number and the sum of their lengths.
std::string summary_of(const TensorView& tensor);

class Capture final : public Observer {
 public:
  // Takes up the file that an earlier life left open. `clock` must outlive it. As LineFile::open().
  static Result<std::unique_ptr<Capture>> open(CaptureOptions options, const Clock& clock);

  void answered(const Loaded& loaded, const Inputs& inputs, const Outputs& outputs,
                const RunOptions& options) noexcept override;
  std::string metrics() const override;

 private:
  using Request = std::vector<Captured>;
  Capture(CaptureOptions options, const Clock& clock, LineFile file);
  bool wanted(const Loaded& loaded) const;
  void run();
  void write(std::vector<Request> requests);
  void close_where_due(bool ending);
  bool disk_full() const;

  const CaptureOptions options_;
  const Clock& clock_;
  LineFile file_;  // of the thread
  bool failing_ = false;
  std::atomic<uint64_t> written_{0}, no_disk_{0};
  Background<Request> requests_;  // at the end it writes what waits, and closes the file
};

}  // namespace holdfast::inference
