#include <set>

#include "registry/registry.h"
#include "registry/rows.h"

namespace holdfast::registry {
namespace {

using oci::Descriptor;
using oci::Digest;
using store::Row;
using store::Tx;

std::unexpected<Error> missing(const Descriptor& descriptor, const char* what) {
  return fail(Code::not_found, "manifest_blob_unknown",
              std::string("the manifest names the ") + what + " " + descriptor.digest.str() +
                  ", which is not in this repository; push it first");
}

std::unexpected<Error> manifest_unknown(const std::string& reference) {
  return fail(Code::not_found, "manifest_unknown", "there is no manifest '" + reference + "'");
}

Result<bool> has_manifest(Tx& tx, int64_t repository, const Digest& digest) {
  bool found = false;
  TRY_VOID(tx.each("SELECT 1 FROM registry_manifest WHERE repository = ? AND digest = ?",
                   {repository, std::string_view(digest.str())},
                   [&](const Row&) { return found = true, false; }));
  return found;
}

std::vector<Descriptor> blobs_of(const oci::Manifest& manifest) {
  std::vector<Descriptor> out;
  if (manifest.config) out.push_back(*manifest.config);
  for (const Descriptor& layer : manifest.layers)
    if (!layer.elsewhere()) out.push_back(layer);
  return out;
}

Result<void> check_children(Tx& tx, int64_t repository, const oci::Manifest& manifest) {
  for (const Descriptor& child : manifest.manifests) {
    TRY(const bool there, has_manifest(tx, repository, child.digest));
    if (there) continue;
    TRY(const auto blob, find_member(tx, repository, child.digest));
    if (!blob) return missing(child, "manifest");
  }
  return {};
}

// The manifest's hold on its blobs.
Result<void> link_blobs(Tx& tx, int64_t repository, const Digest& manifest,
                        const std::vector<Descriptor>& blobs) {
  std::set<Digest> linked;
  for (const Descriptor& blob : blobs) {
    TRY(const auto member, find_member(tx, repository, blob.digest));
    if (!member) return missing(blob, "blob");
    if (member->blob.size != blob.size)
      return fail(Code::invalid_argument, "manifest_invalid",
                  "the blob " + blob.digest.str() + " has " + std::to_string(member->blob.size) +
                      " bytes, and the manifest says " + std::to_string(blob.size));
    if (!linked.insert(blob.digest).second) continue;
    TRY_VOID(tx.run(
        "INSERT INTO registry_link VALUES(?, ?, ?)",
        {repository, std::string_view(manifest.str()), std::string_view(blob.digest.str())}));
    TRY_VOID(
        tx.run("UPDATE registry_member SET used = used + 1 WHERE repository = ? AND digest = ?",
               {repository, std::string_view(blob.digest.str())}));
  }
  return {};
}

Result<void> set_tags(Tx& tx, int64_t repository, const Tags& tags, std::string_view digest) {
  for (const std::string& tag : tags.names) {
    bool taken = false;
    TRY_VOID(tx.each("SELECT 1 FROM registry_tag WHERE repository = ? AND name = ? AND digest <> ?",
                     {repository, std::string_view(tag), digest},
                     [&](const Row&) { return taken = true, false; }));
    if (taken && tags.fixed)
      return fail(Code::conflict, "tag_exists", "the tag '" + tag + "' is another image's");
    TRY_VOID(
        tx.run("INSERT INTO registry_tag VALUES(?, ?, ?) ON CONFLICT(repository, name) DO "
               "UPDATE SET digest = excluded.digest",
               {repository, std::string_view(tag), digest}));
  }
  if (!tags.latest) return {};
  TRY_VOID(
      tx.run("INSERT OR REPLACE INTO registry_tag SELECT repository, 'latest', digest FROM "
             "registry_tag WHERE repository = ? AND name NOT GLOB '*[^0-9]*' ORDER BY "
             "CAST(name AS INTEGER) DESC LIMIT 1",
             {repository}));
  return {};
}

struct Checked {
  oci::Manifest manifest;
  Descriptor descriptor;
};
Result<Checked> checked(const std::string& json, const std::string& content_type,
                        const Digest& expected) {
  Checked out;
  if (json.size() > kManifestLimit)
    return fail(Code::too_large, "size_invalid", "a manifest has 8 MiB at most");
  oci::DigestHasher hasher(expected.kind());
  hasher.update(as_bytes(json));
  out.descriptor.digest = hasher.finish();
  if (!expected.empty() && out.descriptor.digest != expected)
    return fail(Code::invalid_argument, "digest_invalid",
                "the manifest is " + out.descriptor.digest.str() + ", and not " + expected.str());
  TRY(out.manifest, oci::parse_manifest(json, content_type));
  out.descriptor.media_type = out.manifest.media_type;
  out.descriptor.size = json.size();
  return out;
}

}  // namespace

Task<Result<Descriptor>> Registry::put_manifest(std::string repository, std::string json,
                                                std::string content_type, Digest expected,
                                                Tags tags) {
  CO_TRY_VOID(oci::check_name(repository));
  for (const std::string& tag : tags.names) CO_TRY_VOID(oci::check_tag(tag));
  CO_TRY(const Checked checked_one, checked(json, content_type, expected));
  auto work = [repository, json, checked_one, tags](Tx& tx) -> Result<Descriptor> {
    const auto& [manifest, descriptor] = checked_one;
    TRY(const int64_t in, make_repository(tx, repository));
    const std::string_view digest = descriptor.digest.str();
    TRY(const bool there, has_manifest(tx, in, descriptor.digest));
    if (!there) {
      TRY_VOID(check_children(tx, in, manifest));
      TRY_VOID(link_blobs(tx, in, descriptor.digest, blobs_of(manifest)));
      const std::string subject = manifest.subject ? manifest.subject->digest.str() : "";
      TRY_VOID(tx.run("INSERT INTO registry_manifest VALUES(?, ?, ?, ?, ?)",
                      {in, digest, std::string_view(descriptor.media_type),
                       std::string_view(subject), as_bytes(json)}));
    }
    TRY_VOID(set_tags(tx, in, tags, digest));
    return descriptor;
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<StoredManifest>> Registry::resolve(std::string repository, std::string reference) {
  auto work = [repository, reference](Tx& tx) -> Result<StoredManifest> {
    TRY(const int64_t in, find_repository(tx, repository));
    std::optional<StoredManifest> found;
    std::string digest;
    TRY_VOID(
        tx.each("SELECT digest, media_type, body FROM registry_manifest WHERE repository = ?1 "
                "AND digest = coalesce((SELECT digest FROM registry_tag WHERE repository = ?1 "
                "AND name = ?2), ?2)",
                {in, std::string_view(reference)}, [&](const Row& row) {
                  found.emplace();
                  digest = row.text(0);
                  found->descriptor.media_type = row.text(1);
                  found->json = as_text(row.blob(2));
                  return false;
                }));
    if (!found) return manifest_unknown(reference);
    TRY(found->descriptor.digest, Digest::parse(digest));
    found->descriptor.size = found->json.size();
    return std::move(*found);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<void>> Registry::delete_manifest(std::string repository, std::string reference) {
  auto work = [repository, reference, now = nanos(clock_.now())](Tx& tx) -> Result<void> {
    TRY(const int64_t in, find_repository(tx, repository));
    const std::string_view name = reference;
    if (reference.find(':') == std::string::npos) {  // no tag has one, every digest has
      TRY(const int64_t gone,
          tx.run("DELETE FROM registry_tag WHERE repository = ? AND name = ?", {in, name}));
      return gone > 0 ? Result<void>() : manifest_unknown(reference);
    }
    TRY(const int64_t gone,
        tx.run("DELETE FROM registry_manifest WHERE repository = ? AND digest = ?", {in, name}));
    if (gone == 0) return manifest_unknown(reference);
    TRY_VOID(tx.run("DELETE FROM registry_tag WHERE repository = ? AND digest = ?", {in, name}));
    TRY_VOID(
        tx.run("UPDATE registry_member SET used = used - 1, touched = ?3 WHERE repository = "
               "?1 AND digest IN (SELECT digest FROM registry_link WHERE repository = ?1 AND "
               "manifest = ?2)",
               {in, name, now}));
    TRY_VOID(tx.run("DELETE FROM registry_link WHERE repository = ? AND manifest = ?", {in, name}));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::registry
