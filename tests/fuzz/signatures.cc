// SharedKey and SAS over a request of any form: target, then headers, a line each. What is accepted
// by chance would be a forged signature.
#include <cstdlib>

#include "identity/sas.h"
#include "identity/shared_key.h"
#include "net/http/head.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const SystemClock clock;
  static const identity::KeyPair keys = {std::string(64, 'k'), std::string(64, 'l')};
  http::Request request;
  request.method = "GET";
  const auto lines = split(std::string_view(reinterpret_cast<const char*>(data), size), '\n');
  request.target = std::string(lines.front());
  if (!http::split_target(request)) return 0;
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = lines[i].find(':');
    if (colon != std::string_view::npos)
      request.headers.add(lines[i].substr(0, colon), std::string(trim(lines[i].substr(colon + 1))));
  }
  if (identity::verify_shared_key(request, "account", keys, clock)) std::abort();
  identity::Wanted wanted;
  wanted.permission = 'r';
  wanted.resource = 'o';
  wanted.container = "container";
  wanted.blob = "blob";
  if (identity::verify_sas(request, "account", keys, wanted, clock)) std::abort();
  return 0;
}
