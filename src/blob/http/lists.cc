#include "blob/http/lists.h"

#include <algorithm>

#include "blob/http/address.h"
#include "blob/http/history.h"
#include "blob/http/operations.h"
#include "blob/http/xml.h"

namespace holdfast::blob {
namespace {

std::string_view include_of(const http::Request& request) {
  return request.query_value("include").value_or("");
}

// Whether the list of what to include names this.
bool named(std::string_view include, std::string_view what) {
  const auto words = split(include, ',');
  return std::find(words.begin(), words.end(), what) != words.end();
}

std::string metadata_element(const Pairs& metadata) {
  std::string out = "<Metadata>";
  for (const auto& [name, value] : metadata) out += element(name, value);
  return out + "</Metadata>";
}

std::string lease_elements(const Lease& lease, WallTime now) {
  const LeaseState state = lease.state(now);
  std::string out = element("LeaseStatus", lease.locked(now) ? "locked" : "unlocked") +
                    element("LeaseState", to_string(state));
  if (state == LeaseState::leased)
    out += element("LeaseDuration", lease.seconds == Lease::kInfinite ? "infinite" : "fixed");
  return out;
}

std::string blob_element(const Info& info, std::string_view include, WallTime now) {
  std::string out = "<Blob>" + name_element(info.name);
  if (info.deleted != WallTime()) out += "<Deleted>true</Deleted>";
  if (info.snapshot != WallTime()) out += element("Snapshot", time_text(info.snapshot));
  if (info.version != WallTime() && (!info.current || named(include, "versions"))) {
    out += element("VersionId", time_text(info.version));
    if (info.current) out += "<IsCurrentVersion>true</IsCurrentVersion>";
  }
  out += "<Properties>";
  if (info.etag == 0)  // there are but uncommitted blocks
    return out +
           "<Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>";
  out += element("Creation-Time", format_http_date(info.created)) +
         element("Last-Modified", format_http_date(info.modified));
  out +=
      element("Etag", etag_text(info.etag)) + element("Content-Length", std::to_string(info.size));
  for (const char* name : {"Content-Type", "Content-Encoding", "Content-Language", "Content-MD5",
                           "Content-Disposition", "Cache-Control"}) {
    out += element(name, value_of(info.headers, name));
  }
  out += element("BlobType", type_text(info.type)) +
         (info.tier.empty()
              ? "<AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>"
              : element("AccessTier", info.tier)) +
         lease_elements(info.lease, now);
  if (!info.tags.empty()) out += element("TagCount", std::to_string(info.tags.size()));
  if (named(include, "copy") && !info.copy.empty()) {
    for (const auto& [name, tag] :
         {std::pair("id", "CopyId"), std::pair("source", "CopySource"),
          std::pair("status", "CopyStatus"), std::pair("progress", "CopyProgress"),
          std::pair("completed", "CopyCompletionTime")}) {
      out += element(tag, value_of(info.copy, name));
    }
  }
  if (info.type == BlobType::page)
    out += element("x-ms-blob-sequence-number", std::to_string(info.sequence));
  if (info.sealed) out += "<Sealed>true</Sealed>";
  if (info.deleted != WallTime())
    out += element("DeletedTime", format_http_date(info.deleted)) +
           element("RemainingRetentionDays", days_left(info.expires, now));
  out += "<ServerEncrypted>false</ServerEncrypted></Properties>";
  if (info.versions_only) out += "<HasVersionsOnly>true</HasVersionsOnly>";
  if (named(include, "metadata")) out += metadata_element(info.metadata);
  if (named(include, "tags") && !info.tags.empty()) out += tags_element(info.tags);
  return out + "</Blob>";
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
  const std::string_view include = include_of(call.request);
  std::string body =
      list_head(call.request, query,
                "ServiceEndpoint=\"" + xml_escape(service_endpoint(call)) + "\" ContainerName=\"" +
                    xml_escape(call.address.container) + "\"");
  body += "<Blobs>";
  // Blobs and prefixes are one ordered list.
  size_t at = 0;
  for (const Info& info : page.items) {
    while (at < page.prefixes.size() && page.prefixes[at] < info.name)
      body += "<BlobPrefix>" + name_element(page.prefixes[at++]) + "</BlobPrefix>";
    body += blob_element(info, include, call.blobs.clock().now());
  }
  while (at < page.prefixes.size())
    body += "<BlobPrefix>" + name_element(page.prefixes[at++]) + "</BlobPrefix>";
  body += "</Blobs>" + next_marker_element(page.next) + "</EnumerationResults>";
  co_return http::Response(200, "application/xml", std::move(body));
}

Answer list_containers(Call& call) {
  CO_TRY(ListQuery query, list_query_of(call.request));
  query.deleted = named(include_of(call.request), "deleted");
  CO_TRY(const Page page, co_await call.blobs.list_containers(call.address.account, query));
  const std::string_view include = include_of(call.request);
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
        element("Etag", etag_text(info.etag)) +
        lease_elements(info.lease, call.blobs.clock().now()) +
        (info.access.empty() ? "" : element("PublicAccess", info.access));
    if (deleted)
      body += element("DeletedTime", format_http_date(info.deleted)) +
              element("RemainingRetentionDays", days_left(info.expires, call.blobs.clock().now()));
    body += "</Properties>";
    if (named(include, "metadata")) body += metadata_element(info.metadata);
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
