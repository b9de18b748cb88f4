// Accelerators of a machine, and which engine runs models on them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inference/measure/tuning.h"

namespace holdfast::inference {

struct Accelerator {
  std::string name;  // "Intel GPU"
  std::string node;  // what a process opens: "/dev/dri/renderD128"
};
// As the kernel shows them below `root`, without a library: NVIDIA's by its driver, Intel's by the
// vendor of their render and accelerator nodes.
std::vector<Accelerator> accelerators(const std::filesystem::path& root = "/");

// One way to use one of them.
struct Offer {
  std::string accelerator, engine, device;  // as in Tuning
  std::string why_not;                      // empty: the engine's library can
};
// Two for each of NVIDIA's, one for another. Opens the libraries where there is something to ask
// them for.
std::vector<Offer> offers(const std::filesystem::path& root = "/");

// What is worth measuring of an offer that can be used; reduced precision only where asked for.
std::vector<Tuning> candidates_of(const Offer& offer, bool reduced_precision);

}  // namespace holdfast::inference
