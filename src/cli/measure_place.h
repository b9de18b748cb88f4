// Which model `holdfast model verify|bench|tune` is about: where it is served, where its file lies.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace holdfast::cli {

struct MeasureOptions {
  std::string model, server, serve_data, samples, shape, budget = "30s", goal = "both", report,
                                                         duration = "5s";
  std::string tolerance;
  unsigned connections = 1;
  uint64_t seed = 1;
};

// Where a model is served, and where its file lies.
struct Place {
  std::string base, url, name, version, file, store;  // url empty: nobody serves it
  std::string token;                                  // that the server takes; may be empty
};

// The server's data directory, as given or as that of `holdfast up`.
std::string serve_data(Context& context, const MeasureOptions& options);
// The server's URL: as given, as its data directory says, or that of `holdfast up`.
Result<std::string> server_url(Context& context, const MeasureOptions& options);
// `served`: it has to be. not_found: no such file, or the server has no such model.
Task<Result<Place>> place_of(Context& context, const MeasureOptions& options, bool served);
// not_found: the model's file cannot be read here.
Result<void> check_file(const Place& place);

}  // namespace holdfast::cli
