#include "inference/measure/profile.h"

#include "base/clock.h"
#include "inference/warm_up.h"

namespace holdfast::inference {
namespace {

constexpr uint64_t kLeastRows = 100;

}  // namespace

Result<MadeProfile> make_profile(const std::string& model, const ProfileOptions& options,
                                 const Clock& clock) {
  TRY(const std::string digest, digest_of(model));
  TRY(const auto engine, open_engine(options.usual));
  TRY(const auto loaded, engine->load(model));
  const Plan plan = plan_for(loaded->signature());
  ProfileBuilder builder(plan);
  const auto use = [&](const Inputs& inputs) -> Result<void> {
    TRY(const Outputs outputs, loaded->run(inputs, {}));
    builder.add(take(plan, inputs, outputs));
    return {};
  };
  TRY(const RowsRead read, each_request(loaded->signature(), options.data, use, options.progress));
  if (builder.rows() < kLeastRows)
    return fail(Code::invalid_argument, options.data + " has " + std::to_string(builder.rows()) +
                                            " rows; a profile needs " + std::to_string(kLeastRows) +
                                            " and better 2000");
  Profile profile = builder.finish();
  profile.model_digest = digest;
  profile.created = format_rfc3339(clock.now());
  MadeProfile out{.text = to_json(profile),
                  .rows = profile.rows,
                  .sample_rows = profile.sample_rows,
                  .skipped = read.skipped,
                  .features = profile.features.size(),
                  .classes = profile.classes.size()};
  TRY_VOID(parse_profile(out.text, loaded->signature()));  // what was written can be read
  return out;
}

}  // namespace holdfast::inference
