#include "blob/http/lists.h"

#include <algorithm>

#include "blob/http/address.h"
#include "blob/http/endpoint.h"
#include "blob/http/history.h"
#include "blob/http/operations.h"
#include "blob/http/xml.h"
#include "blob/http/xml_text.h"
#include "blob/lists.h"

namespace holdfast::blob {
namespace {

constexpr size_t kBlobSize = 768;  // of most blobs' text

std::string_view include_of(const http::Request& request) {
  return request.query_value("include").value_or("");
}

// Whether the list of what to include names this.
bool named(std::string_view include, std::string_view what) {
  if (include.empty()) return false;
  const auto words = split(include, ',');
  return std::find(words.begin(), words.end(), what) != words.end();
}

void add_metadata(XmlText& out, const Pairs& metadata) {
  out.raw("<Metadata>");
  for (const auto& [name, value] : metadata) out.element(name, value);
  out.raw("</Metadata>");
}

void add_lease(XmlText& out, const Lease& lease, WallTime now) {
  const LeaseState state = lease.state(now);
  out.raw_element<"LeaseStatus">(lease.locked(now) ? "locked" : "unlocked");
  out.raw_element<"LeaseState">(to_string(state));
  if (state == LeaseState::leased)
    out.raw_element<"LeaseDuration">(lease.seconds == Lease::kInfinite ? "infinite" : "fixed");
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
  bool brief() const { return !versions && !copy && !policy && !hold; }
  bool versions, copy, metadata, tags, policy, hold;
};

// Dates that come again: what is listed was mostly written together.
class Dates {
 public:
  std::string_view text(WallTime time) {
    const auto second = std::chrono::floor<std::chrono::seconds>(time);
    if (second != second_ || text_.empty()) {
      second_ = second;
      text_ = format_http_date(time);
    }
    return text_;
  }

 private:
  std::chrono::sys_seconds second_;
  std::string text_;
};

class BlobsText {
 public:
  BlobsText(const Shown& shown, WallTime now) : shown_(shown), now_(now) {}

  void add(const Info& info) {
    out_.raw("<Blob>").name(info.name);
    if (info.deleted != WallTime()) out_.raw("<Deleted>true</Deleted>");
    if (info.snapshot != WallTime()) out_.raw_element<"Snapshot">(time_text(info.snapshot));
    if (info.version != WallTime() && (!info.current || shown_.versions)) {
      out_.raw_element<"VersionId">(time_text(info.version));
      if (info.current) out_.raw("<IsCurrentVersion>true</IsCurrentVersion>");
    }
    out_.raw("<Properties>");
    if (info.etag == 0) {  // there are but uncommitted blocks
      out_.raw("<Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>");
      out_.raw("</Properties></Blob>");
      return;
    }
    add_properties(info);
    out_.raw("</Properties>");
    if (info.versions_only) out_.raw("<HasVersionsOnly>true</HasVersionsOnly>");
    if (shown_.metadata) add_metadata(out_, info.metadata);
    if (shown_.tags && !info.tags.empty()) out_.raw(tags_element(info.tags));
    out_.raw("</Blob>");
  }
  void add_prefix(std::string_view prefix) {
    out_.raw("<BlobPrefix>").name(prefix).raw("</BlobPrefix>");
  }
  XmlText& out() { return out_; }

 private:
  void add_properties(const Info& info) {
    out_.raw_element<"Creation-Time">(created_.text(info.created));
    out_.raw_element<"Last-Modified">(modified_.text(info.modified));
    out_.raw_element<"Etag">(etag_text(info.etag));
    out_.raw_element<"Content-Length">(std::to_string(info.size));
    out_.element<"Content-Type">(value_of(info.headers, "Content-Type"));
    out_.element<"Content-Encoding">(value_of(info.headers, "Content-Encoding"));
    out_.element<"Content-Language">(value_of(info.headers, "Content-Language"));
    out_.element<"Content-MD5">(value_of(info.headers, "Content-MD5"));
    out_.element<"Content-Disposition">(value_of(info.headers, "Content-Disposition"));
    out_.element<"Cache-Control">(value_of(info.headers, "Cache-Control"));
    out_.raw_element<"BlobType">(type_text(info.type));
    if (info.tier.empty())
      out_.raw("<AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>");
    else
      out_.element<"AccessTier">(info.tier);
    if (!info.rehydration.to.empty()) {
      out_.element<"ArchiveStatus">(archive_status(info.rehydration));
      out_.raw_element<"RehydratePriority">(info.rehydration.high ? "High" : "Standard");
    }
    add_lease(out_, info.lease, now_);
    if (!info.tags.empty()) out_.number_element<"TagCount">(std::ssize(info.tags));
    if (shown_.copy) add_copy(info.copy);
    if (info.type == BlobType::page)
      out_.number_element<"x-ms-blob-sequence-number">(info.sequence);
    if (info.expiry != WallTime()) out_.raw_element<"Expiry-Time">(format_http_date(info.expiry));
    if (shown_.policy && info.immutability.mode != Immutability::none) {
      out_.raw_element<"ImmutabilityPolicyUntilDate">(format_http_date(info.immutability.until));
      out_.raw_element<"ImmutabilityPolicyMode">(
          info.immutability.mode == Immutability::locked ? "locked" : "unlocked");
    }
    if (shown_.hold && info.immutability.hold) out_.raw("<LegalHold>true</LegalHold>");
    if (info.sealed) out_.raw("<Sealed>true</Sealed>");
    if (info.deleted != WallTime()) {
      out_.raw_element<"DeletedTime">(format_http_date(info.deleted));
      out_.raw_element<"RemainingRetentionDays">(days_left(info.expires, now_));
    }
    out_.raw("<ServerEncrypted>false</ServerEncrypted>");
  }

  void add_copy(const Pairs& copy) {
    for (const auto& [name, tag] :
         {std::pair("id", "CopyId"), std::pair("source", "CopySource"),
          std::pair("status", "CopyStatus"), std::pair("progress", "CopyProgress"),
          std::pair("completed", "CopyCompletionTime"),
          std::pair("description", "CopyStatusDescription")}) {
      const auto value = value_of(copy, name);
      if (!value.empty()) out_.element(tag, value);
    }
  }

  const Shown shown_;
  const WallTime now_;
  Dates created_, modified_;
  XmlText out_;
};

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
  const Shown shown(include_of(call.request));
  query.brief = shown.brief();
  const std::string head =
      list_head(call.request, query,
                "ServiceEndpoint=\"" + xml_escape(service_endpoint(call)) + "\" ContainerName=\"" +
                    xml_escape(call.address.container) + "\"");
  // The text is made of the rows as they are read, on the database's thread.
  const WallTime now = call.blobs.clock().now();
  auto work = [account = call.address.account, container = call.address.container, query, shown,
               now, head](store::Tx& tx) -> Result<std::string> {
    BlobsText body(shown, now);
    body.out().reserve(query.limit * kBlobSize);
    body.out().raw(head).raw("<Blobs>");
    Listing to;
    to.blob = [&body](const Info& info) { body.add(info); };
    to.prefix = [&body](std::string_view prefix) { body.add_prefix(prefix); };
    TRY(const std::string next, tell_blobs(tx, account, container, query, now, to));
    body.out().raw("</Blobs>").raw(next_marker_element(next)).raw("</EnumerationResults>");
    return body.out().take();
  };
  CO_TRY(std::string body, co_await call.blobs.database().read(std::move(work)));
  co_return http::Response(200, "application/xml", std::move(body));
}

Answer list_containers(Call& call) {
  CO_TRY(ListQuery query, list_query_of(call.request));
  query.deleted = named(include_of(call.request), "deleted");
  query.system = named(include_of(call.request), "system");
  CO_TRY(const Page page, co_await call.blobs.list_containers(call.address.account, query));
  const bool with_metadata = named(include_of(call.request), "metadata");
  const WallTime now = call.blobs.clock().now();
  XmlText body;
  body.raw(list_head(call.request, query,
                     "ServiceEndpoint=\"" + xml_escape(service_endpoint(call)) + "\""));
  body.raw("<Containers>");
  for (const Info& info : page.items) {
    const bool deleted = info.deleted != WallTime();
    body.raw("<Container>").element<"Name">(info.name);
    if (deleted)
      body.raw("<Deleted>true</Deleted>").raw_element<"Version">(container_version(info.deleted));
    body.raw("<Properties>");
    body.raw_element<"Last-Modified">(format_http_date(info.modified));
    body.raw_element<"Etag">(etag_text(info.etag));
    add_lease(body, info.lease, now);
    if (!info.access.empty()) body.element<"PublicAccess">(info.access);
    if (deleted) {
      body.raw_element<"DeletedTime">(format_http_date(info.deleted));
      body.raw_element<"RemainingRetentionDays">(days_left(info.expires, now));
    }
    body.raw("</Properties>");
    if (with_metadata) add_metadata(body, info.metadata);
    body.raw("</Container>");
  }
  body.raw("</Containers>").raw(next_marker_element(page.next)).raw("</EnumerationResults>");
  co_return http::Response(200, "application/xml", body.take());
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
