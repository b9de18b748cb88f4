#include "training/trace.h"

#include <algorithm>

namespace holdfast::training {
namespace {

// Without what is not there (any more): that is no failure of the trace.
template <class T>
Result<std::optional<T>> if_there(Result<T> found) {
  if (found) return std::optional<T>(std::move(*found));
  if (found.error().code() == Code::not_found) return std::optional<T>();
  return std::unexpected(found.error());
}

std::string job_of(const ml::ModelVersion& version) {
  const auto tag = std::ranges::find(version.tags, "holdfast.job", &ml::Pairs::value_type::first);
  return tag == version.tags.end() ? "" : tag->second;
}

}  // namespace

Task<Result<Trace>> trace_version(TraceParts parts, ml::ModelVersion version) {
  Trace out;
  out.version = std::move(version);
  CO_TRY(out.image, co_await parts.builds->find(out.version.model, out.version.number));
  if (!out.version.run.empty()) {
    CO_TRY(out.run, if_there(co_await parts.tracking->run(out.version.run)));
  }
  const std::string job = job_of(out.version);
  if (job.empty()) co_return out;
  CO_TRY(out.job, if_there(co_await parts.jobs->find(job)));
  if (!out.job) co_return out;
  for (const jobs::Lineage& input : out.job->lineage) {
    Trace::Data& data = out.data.emplace_back();
    data.input = input;
    if (input.model) continue;
    CO_TRY(data.version, if_there(co_await parts.assets->find(input.asset, input.version)));
  }
  co_return out;
}

Task<Result<Trace>> trace_digest(TraceParts parts, std::string digest) {
  if (!digest.starts_with("sha256:")) digest.insert(0, "sha256:");
  CO_TRY(const auto images, co_await parts.builds->by_digest(digest));
  for (const BuiltImage& image : images) {  // a version may have been deleted since
    auto version = co_await parts.models->version(image.model, image.version);
    if (version) co_return co_await trace_version(parts, std::move(*version));
    if (version.error().code() != Code::not_found) co_return std::unexpected(version.error());
  }
  co_return fail(Code::not_found, "digest_not_found",
                 "no registered model version has the digest " + digest);
}

}  // namespace holdfast::training
