#include "blob/http/lists.h"

#include <algorithm>

#include "blob/http/address.h"
#include "blob/http/endpoint.h"
#include "blob/http/history.h"
#include "blob/http/operations.h"
#include "blob/http/xml.h"

namespace holdfast::blob {
namespace {

constexpr size_t kElementSize = 768;  // of most blobs

std::string_view include_of(const http::Request& request) {
  return request.query_value("include").value_or("");
}

// Whether the list of what to include names this.
bool named(std::string_view include, std::string_view what) {
  if (include.empty()) return false;
  const auto words = split(include, ',');
  return std::find(words.begin(), words.end(), what) != words.end();
}

void add_metadata(std::string& out, const Pairs& metadata) {
  out += "<Metadata>";
  for (const auto& [name, value] : metadata) add_element(out, name, value);
  out += "</Metadata>";
}

void add_lease(std::string& out, const Lease& lease, WallTime now) {
  const LeaseState state = lease.state(now);
  add_element(out, "LeaseStatus", lease.locked(now) ? "locked" : "unlocked");
  add_element(out, "LeaseState", to_string(state));
  if (state == LeaseState::leased)
    add_element(out, "LeaseDuration", lease.seconds == Lease::kInfinite ? "infinite" : "fixed");
}

// What a listing is asked to show of each blob.
struct Shown {
  explicit Shown(std::string_view include)
      : versions(named(include, "versions")),
        copy(named(include, "copy")),
        metadata(named(include, "metadata")),
        tags(named(include, "tags")),
        policy(named(include, "immutabilitypolicy")),
        hold(named(include, "legalhold")) {}
  bool versions, copy, metadata, tags, policy, hold;
};

void add_properties(std::string& out, const Info& info, const Shown& shown, WallTime now) {
  add_element(out, "Creation-Time", format_http_date(info.created));
  add_element(out, "Last-Modified", format_http_date(info.modified));
  add_element(out, "Etag", etag_text(info.etag));
  add_element(out, "Content-Length", std::to_string(info.size));
  for (const char* name : {"Content-Type", "Content-Encoding", "Content-Language", "Content-MD5",
                           "Content-Disposition", "Cache-Control"}) {
    add_element(out, name, value_of(info.headers, name));
  }
  add_element(out, "BlobType", type_text(info.type));
  if (info.tier.empty())
    out += "<AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>";
  else
    add_element(out, "AccessTier", info.tier);
  if (!info.rehydration.to.empty()) {
    add_element(out, "ArchiveStatus", archive_status(info.rehydration));
    add_element(out, "RehydratePriority", info.rehydration.high ? "High" : "Standard");
  }
  add_lease(out, info.lease, now);
  if (!info.tags.empty()) add_element(out, "TagCount", std::to_string(info.tags.size()));
  if (shown.copy && !info.copy.empty()) {
    for (const auto& [name, tag] :
         {std::pair("id", "CopyId"), std::pair("source", "CopySource"),
          std::pair("status", "CopyStatus"), std::pair("progress", "CopyProgress"),
          std::pair("completed", "CopyCompletionTime"),
          std::pair("description", "CopyStatusDescription")}) {
      const auto value = value_of(info.copy, name);
      if (!value.empty()) add_element(out, tag, value);
    }
  }
  if (info.type == BlobType::page)
    add_element(out, "x-ms-blob-sequence-number", std::to_string(info.sequence));
  if (info.expiry != WallTime()) add_element(out, "Expiry-Time", format_http_date(info.expiry));
  if (shown.policy && info.immutability.mode != Immutability::none) {
    add_element(out, "ImmutabilityPolicyUntilDate", format_http_date(info.immutability.until));
    add_element(out, "ImmutabilityPolicyMode",
                info.immutability.mode == Immutability::locked ? "locked" : "unlocked");
  }
  if (shown.hold && info.immutability.hold) out += "<LegalHold>true</LegalHold>";
  if (info.sealed) out += "<Sealed>true</Sealed>";
  if (info.deleted != WallTime()) {
    add_element(out, "DeletedTime", format_http_date(info.deleted));
    add_element(out, "RemainingRetentionDays", days_left(info.expires, now));
  }
  out += "<ServerEncrypted>false</ServerEncrypted>";
}

void add_blob(std::string& out, const Info& info, const Shown& shown, WallTime now) {
  out += "<Blob>";
  add_name_element(out, info.name);
  if (info.deleted != WallTime()) out += "<Deleted>true</Deleted>";
  if (info.snapshot != WallTime()) add_element(out, "Snapshot", time_text(info.snapshot));
  if (info.version != WallTime() && (!info.current || shown.versions)) {
    add_element(out, "VersionId", time_text(info.version));
    if (info.current) out += "<IsCurrentVersion>true</IsCurrentVersion>";
  }
  out += "<Properties>";
  if (info.etag == 0) {  // there are but uncommitted blocks
    out += "<Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>";
    return;
  }
  add_properties(out, info, shown, now);
  out += "</Properties>";
  if (info.versions_only) out += "<HasVersionsOnly>true</HasVersionsOnly>";
  if (shown.metadata) add_metadata(out, info.metadata);
  if (shown.tags && !info.tags.empty()) out += tags_element(info.tags);
  out += "</Blob>";
}

std::string list_head(const http::Request& request, const ListQuery& query,
                      const std::string& attributes) {
  std::string out =
      "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults " + attributes + ">";
  if (!query.prefix.empty()) out += name_element(query.prefix, "Prefix");
  if (const auto marker = request.query_value("marker"); marker && !marker->empty())
    out += element("Marker", *marker);
  if (request.query_value("maxresults")) out += element("MaxResults", std::to_string(query.limit));
  if (!query.delimiter.empty()) out += name_element(query.delimiter, "Delimiter");
  return out;
}

}  // namespace

Result<ListQuery> list_query_of(const http::Request& request) {
  ListQuery query;
  query.prefix = std::string(request.query_value("prefix").value_or(""));
  query.delimiter = std::string(request.query_value("delimiter").value_or(""));
  if (const auto limit = request.query_value("maxresults")) {
    const auto number = parse_u64(*limit);
    if (!number || *number == 0)
      return fail(Code::invalid_argument, "invalid_query", "maxresults must be a number from 1");
    query.limit = static_cast<size_t>(std::min<uint64_t>(*number, 5000));
  }
  if (const auto marker = request.query_value("marker"); marker && !marker->empty()) {
    // Where the next page begins, in base64 so that nobody takes it for a name.
    auto decoded = from_base64_url(*marker);
    if (!decoded)
      return fail(Code::invalid_argument, "invalid_query", "the marker is not one of this server");
    query.marker = std::move(*decoded);
  }
  return query;
}

std::string next_marker_element(const std::string& next) {
  return next.empty() ? "<NextMarker/>" : element("NextMarker", base64_url(as_bytes(next)));
}

std::string service_endpoint(const Call& call) {
  if (!call.endpoint->url().empty() && !by_host(call.request))
    return call.endpoint->url() + "/" + call.address.account + "/";
  return std::string(call.request.tls ? "https://" : "http://") +
         std::string(call.request.headers.get_or("Host", "")) + "/" +
         (by_host(call.request) ? std::string() : call.address.account + "/");
}

Answer list_blobs(Call& call) {
  CO_TRY(ListQuery query, list_query_of(call.request));
  query.snapshots = named(include_of(call.request), "snapshots");
  query.deleted = named(include_of(call.request), "deleted");
  query.versions = named(include_of(call.request), "versions");
  query.gone = named(include_of(call.request), "deletedwithversions");
  query.uncommitted = named(include_of(call.request), "uncommittedblobs");
  CO_TRY(const Page page,
         co_await call.blobs.list_blobs(call.address.account, call.address.container, query));
  const Shown shown(include_of(call.request));
  const WallTime now = call.blobs.clock().now();
  std::string body =
      list_head(call.request, query,
                "ServiceEndpoint=\"" + xml_escape(service_endpoint(call)) + "\" ContainerName=\"" +
                    xml_escape(call.address.container) + "\"");
  body += "<Blobs>";
  body.reserve(body.size() + page.items.size() * kElementSize);
  // Blobs and prefixes are one ordered list.
  size_t at = 0;
  for (const Info& info : page.items) {
    while (at < page.prefixes.size() && page.prefixes[at] < info.name)
      body += "<BlobPrefix>" + name_element(page.prefixes[at++]) + "</BlobPrefix>";
    add_blob(body, info, shown, now);
  }
  while (at < page.prefixes.size())
    body += "<BlobPrefix>" + name_element(page.prefixes[at++]) + "</BlobPrefix>";
  body += "</Blobs>" + next_marker_element(page.next) + "</EnumerationResults>";
  co_return http::Response(200, "application/xml", std::move(body));
}

Answer list_containers(Call& call) {
  CO_TRY(ListQuery query, list_query_of(call.request));
  query.deleted = named(include_of(call.request), "deleted");
  query.system = named(include_of(call.request), "system");
  CO_TRY(const Page page, co_await call.blobs.list_containers(call.address.account, query));
  const bool with_metadata = named(include_of(call.request), "metadata");
  const WallTime now = call.blobs.clock().now();
  std::string body = list_head(call.request, query,
                               "ServiceEndpoint=\"" + xml_escape(service_endpoint(call)) + "\"") +
                     "<Containers>";
  for (const Info& info : page.items) {
    const bool deleted = info.deleted != WallTime();
    body +=
        "<Container>" + element("Name", info.name) +
        (deleted ? "<Deleted>true</Deleted>" + element("Version", container_version(info.deleted))
                 : "") +
        "<Properties>" + element("Last-Modified", format_http_date(info.modified)) +
        element("Etag", etag_text(info.etag));
    add_lease(body, info.lease, now);
    if (!info.access.empty()) add_element(body, "PublicAccess", info.access);
    if (deleted)
      body += element("DeletedTime", format_http_date(info.deleted)) +
              element("RemainingRetentionDays", days_left(info.expires, now));
    body += "</Properties>";
    if (with_metadata) add_metadata(body, info.metadata);
    body += "</Container>";
  }
  body += "</Containers>" + next_marker_element(page.next) + "</EnumerationResults>";
  co_return http::Response(200, "application/xml", std::move(body));
}

Answer get_block_list(Call& call) {
  CO_TRY(BlobKey key, addressed(call.request, call.address));
  const std::string_view type = call.request.query_value("blocklisttype").value_or("committed");
  if (type != "committed" && type != "uncommitted" && type != "all")
    co_return fail(Code::invalid_argument, "invalid_query",
                   "blocklisttype is committed, uncommitted or all");
  CO_TRY(const BlockLists lists, co_await call.blobs.block_lists(std::move(key)));
  const auto blocks = [](std::string_view name, const std::vector<Block>& all) {
    std::string out = "<" + std::string(name) + ">";
    for (const Block& block : all)
      out += "<Block>" + element("Name", block.id) + element("Size", std::to_string(block.size)) +
             "</Block>";
    return out + "</" + std::string(name) + ">";
  };
  std::string body = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
  if (type != "uncommitted") body += blocks("CommittedBlocks", lists.committed);
  if (type != "committed") body += blocks("UncommittedBlocks", lists.uncommitted);
  http::Response response(200, "application/xml", body + "</BlockList>");
  if (lists.blob.etag != 0) {
    response.header("ETag", "\"" + etag_text(lists.blob.etag) + "\"")
        .header("Last-Modified", format_http_date(lists.blob.modified));
  }
  response.header("x-ms-blob-content-length", std::to_string(lists.blob.size));
  co_return response;
}

}  // namespace holdfast::blob
