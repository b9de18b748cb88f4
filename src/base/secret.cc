#include "base/secret.h"

#include <cstdlib>
#include <filesystem>

#include "base/files.h"

namespace holdfast {

Result<std::string> resolve_secret(const std::string& reference, const std::string& folder) {
  std::string value;
  if (reference.starts_with("file:")) {
    TRY(value, read_file(std::filesystem::path(folder) / reference.substr(5), 64 << 10));
  } else if (reference.starts_with("env:")) {
    const char* text = std::getenv(reference.substr(4).c_str());
    if (!text)
      return fail(Code::invalid_argument, "the variable " + reference.substr(4) + " is not set");
    value = text;
  } else {
    return fail(Code::invalid_argument,
                "must be a reference, file:PATH or env:NAME, not the secret itself");
  }
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r' || value.back() == ' '))
    value.pop_back();
  if (value.empty()) return fail(Code::invalid_argument, reference + " is empty");
  return value;
}

}  // namespace holdfast
