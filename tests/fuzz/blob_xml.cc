// Block lists and service properties. What was taken once must be taken again in the form that we
// keep.
#include <cstdlib>

#include "blob/http/xml.h"
#include "blob/http/xml_text.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)blob::parse_block_list(text);
  if (const auto kept = blob::merge_service_properties("", text); kept && !text.empty()) {
    if (!blob::merge_service_properties(*kept, "")) std::abort();
  }
  (void)blob::name_element(text);
  return 0;
}
