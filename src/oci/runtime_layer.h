// The layer that all model images share: holdfast-serve with all that it needs to run FROM scratch.
// Made once for one set of program and libraries, then kept on disk. Blocking: run on a pool.
#pragma once

#include "oci/layer.h"

namespace holdfast::oci {

struct RuntimeParts {
  std::filesystem::path program;      // holdfast-serve
  std::filesystem::path onnxruntime;  // libonnxruntime.so.1, which the program opens at run time
  std::filesystem::path cache;        // a directory of our own, made where it is not there; it
                                      // keeps the newest layer alone
};

struct RuntimeLayer {
  Layer layer;
  std::string architecture;  // "amd64"
};

// /holdfast-serve, its loader at the place that its ELF header names, every library in /lib,
// /etc/passwd and /etc/group with the user 65532, /etc/holdfast/serve.yaml, an empty /tmp. The same
// bytes for the same program and libraries. not_found: the program or a library is not there;
// cancelled: `stop` was requested, which leaves no part of a layer behind.
Result<RuntimeLayer> make_runtime_layer(const RuntimeParts& parts, std::stop_token stop = {});

inline constexpr std::string_view kRuntimeUser = "65532:65532";
inline constexpr std::string_view kRuntimeConfig = "/etc/holdfast/serve.yaml";

}  // namespace holdfast::oci
