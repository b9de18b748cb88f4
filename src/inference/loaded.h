// One version of a model in memory, and what is known about it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "inference/breaker.h"
#include "inference/drift/slot.h"
#include "inference/engine.h"
#include "inference/pictures.h"
#include "inference/queue.h"
#include "inference/running.h"
#include "inference/statistics.h"

namespace holdfast::inference {

class Pipeline;

struct Loaded {
  std::string name;
  int64_t version = 0;
  std::string digest;  // "sha256:…" of model.onnx
  std::string run;     // of the training that made it; empty: nobody said
  std::unique_ptr<Model> model;
  Signature accepts;                     // the model's, with what is decoded for it
  std::optional<PictureInput> pictures;  // where a recipe lies beside the model
  uint64_t bytes = 0;                    // of memory, as far as that can be told
  uint64_t loaded_ms = 0;                // since 1970
  bool mergeable = false;                // its requests may be run together
  bool takes_zeros = false;              // ran on zeros, free sizes as 1: so may an example
  int64_t load_ns = 0;                   // reading, loading and warming up
  std::atomic<int64_t> p99_ns{0};        // of a run, followed from the warm-up on
  mutable Statistics statistics;
  ModelQueue queue;
  Breaker breaker;
  // Its steps, where it is one: requests go through these, and `model` does the same by itself.
  std::shared_ptr<const Pipeline> pipeline;
  RunningPtr running;   // null: its runs are not marked
  ProfileSlot profile;  // what its requests are compared with, where there is one
};
using LoadedPtr = std::shared_ptr<Loaded>;

}  // namespace holdfast::inference
