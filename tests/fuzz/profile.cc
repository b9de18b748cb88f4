// A drift profile, as a file beside a model or a request's body: read, or refused; what is read can
// be compared with rows.
#include "inference/drift/window.h"

namespace {

using namespace holdfast::inference;  // NOLINT(google-build-using-namespace)

const Signature kModel = {{{.name = "x", .type = Datatype::fp32, .shape = {-1, 2}}},
                          {{.name = "label", .type = Datatype::int64, .shape = {-1}}}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto profile = parse_profile({reinterpret_cast<const char*>(data), size}, kModel);
  if (!profile) return 0;
  DriftWindow window(*profile, {});
  Row row{.values = {1, kMissing}, .labels = {"0"}};
  for (int i = 0; i < 200; ++i) window.add(row, {});
  const DriftReport report = window.close({});
  for (const DriftReport::Feature& one : report.features)
    if (!(one.psi.value >= 0 && one.ks.value >= 0 && one.ks.value <= 1)) __builtin_trap();
  for (const DriftReport::Classes& one : report.classes)
    if (!(one.distance.value >= 0 && one.distance.value <= 1.000001)) __builtin_trap();
  if (to_json(**parse_profile(to_json(**profile), kModel)) != to_json(**profile)) __builtin_trap();
  return 0;
}
