// Sending an ONNX file to the inference server.
#pragma once

#include <boost/json/value.hpp>

#include <string>

#include "net/task.h"

namespace holdfast::cli {

class Context;

// The server's answer: name, version, digest. `version` empty: one more than the highest that it
// lists. `stage`: it is loaded beside the current version, which goes on answering.
// invalid_argument: no file, or no model; conflict; denied.
Task<Result<boost::json::value>> send_model(Context& context, std::string name, std::string file,
                                            std::string version, bool stage);

}  // namespace holdfast::cli
