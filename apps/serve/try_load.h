// A model that was sent in is loaded and run once in a confined process first: what crashes an
// engine, takes all memory or does not end, does it there.
#pragma once

#include "config.h"
#include "measure_flags.h"

namespace holdfast {

// In the server, blocking. invalid_argument: what the engine says of the file, or what became of
// the process.
Result<void> try_load(const ServeConfig& config, const std::string& path);
// In that process: confines it, loads, runs.
Result<void> load_confined(const Flags& flags);

}  // namespace holdfast
