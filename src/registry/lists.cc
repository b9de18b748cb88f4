#include "registry/registry.h"
#include "registry/rows.h"

namespace holdfast::registry {
namespace {

using store::Row;
using store::Tx;

constexpr size_t kReferrers = 500;  // a page

// Keeps one name beyond the limit out, and says that it was there.
struct Limited {
  Page page;
  size_t limit;
  bool add(std::string_view name) {
    if (page.names.size() == limit) return page.more = true, false;
    page.names.emplace_back(name);
    return true;
  }
};

}  // namespace

Task<Result<Page>> Registry::tags(std::string repository, size_t limit, std::string last) {
  auto work = [repository, limit, last](Tx& tx) -> Result<Page> {
    TRY(const int64_t in, find_repository(tx, repository));
    Limited found{{}, limit};
    TRY_VOID(tx.each(
        "SELECT name FROM registry_tag WHERE repository = ? AND name > ? ORDER BY name",
        {in, std::string_view(last)}, [&](const Row& row) { return found.add(row.text(0)); }));
    return std::move(found.page);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Page>> Registry::repositories(size_t limit, std::string last) {
  auto work = [limit, last](Tx& tx) -> Result<Page> {
    Limited found{{}, limit};
    TRY_VOID(
        tx.each("SELECT name FROM registry_repository WHERE name > ? AND EXISTS "
                "(SELECT 1 FROM registry_manifest WHERE repository = id) ORDER BY name",
                {std::string_view(last)}, [&](const Row& row) { return found.add(row.text(0)); }));
    return std::move(found.page);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Referrers>> Registry::referrers(std::string repository, oci::Digest subject,
                                            std::string artifact_type, std::string last) {
  auto work = [repository, subject, artifact_type, last](Tx& tx) -> Result<Referrers> {
    Referrers found;
    const auto in = find_repository(tx, repository);
    if (!in) return found;  // a subject that is not there has no referrers
    size_t rows = 0;
    std::string at;
    TRY_VOID(tx.each(
        "SELECT digest, body FROM registry_manifest WHERE repository = ? AND subject = ? AND "
        "subject <> '' AND digest > ? ORDER BY digest",
        {*in, std::string_view(subject.str()), std::string_view(last)}, [&](const Row& row) {
          if (rows++ == kReferrers) return found.next = at, false;
          at = row.text(0);
          const std::string_view body = as_text(row.blob(1));
          const auto manifest = oci::parse_manifest(body, "");
          auto digest = oci::Digest::parse(at);
          if (!manifest || !digest) return true;  // nothing is stored that did not parse
          oci::Descriptor descriptor;
          descriptor.media_type = manifest->media_type;
          descriptor.digest = std::move(*digest);
          descriptor.size = body.size();
          descriptor.artifact_type = manifest->listed_artifact_type();
          descriptor.annotations = manifest->annotations;
          if (artifact_type.empty() || descriptor.artifact_type == artifact_type)
            found.manifests.push_back(std::move(descriptor));
          return true;
        }));
    return found;
  };
  co_return co_await database_.read(std::move(work));
}

}  // namespace holdfast::registry
