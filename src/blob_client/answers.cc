#include "blob_client/answers.h"

#include <cstring>
#include <pugixml.hpp>

namespace holdfast::blob_client {
namespace {

std::unexpected<Error> strange(std::string_view what) {
  return fail(Code::internal, "the blob service's answer is not understood: " + std::string(what));
}

std::string unquoted(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

std::string text_of(const pugi::xml_node& node, const char* name) {
  return node.child(name).text().get();
}

// A name that XML can not carry comes percent-encoded, and says so.
Result<std::string> name_of(const pugi::xml_node& node) {
  const auto name = node.child("Name");
  std::string text = name.text().get();
  if (!name.attribute("Encoded").as_bool()) return text;
  return percent_decode(text);
}

Result<void> parse(std::string_view xml, const char* root, pugi::xml_document& document) {
  // A name may be made of spaces alone, so white space counts.
  const auto parsed = document.load_buffer(xml.data(), xml.size(),
                                           pugi::parse_default | pugi::parse_ws_pcdata_single);
  if (!parsed) return strange(parsed.description());
  if (!document.child(root)) return strange(std::string("it has no ") + root);
  return {};
}

Result<uint64_t> size_of(std::string_view text) {
  const auto size = parse_u64(text);
  if (!size) return strange("a size is not a number");
  return *size;
}

}  // namespace

Result<Written> written_of(const http::Headers& headers) {
  Written written;
  written.etag = unquoted(headers.get_or("ETag", ""));
  if (written.etag.empty()) return strange("it has no ETag");
  TRY(written.last_modified, parse_http_date(headers.get_or("Last-Modified", "")));
  return written;
}

Result<BlobProperties> properties_of(const http::Headers& headers) {
  BlobProperties properties;
  TRY(const Written written, written_of(headers));
  properties.etag = written.etag;
  properties.last_modified = written.last_modified;
  TRY(properties.size, size_of(headers.get_or("Content-Length", "")));
  properties.content_type = headers.get_or("Content-Type", "");
  properties.content_md5 = headers.get_or("Content-MD5", "");
  properties.copy_status = headers.get_or("x-ms-copy-status", "");
  constexpr std::string_view prefix = "x-ms-meta-";
  for (const auto& [name, value] : headers) {
    const std::string key = lower(name);
    if (key.starts_with(prefix)) properties.metadata.emplace_back(key.substr(prefix.size()), value);
  }
  return properties;
}

Result<BlobPage> blob_page_of(std::string_view xml) {
  pugi::xml_document document;
  TRY_VOID(parse(xml, "EnumerationResults", document));
  const auto root = document.child("EnumerationResults");
  BlobPage page;
  for (const auto node : root.child("Blobs").children()) {
    if (std::strcmp(node.name(), "BlobPrefix") == 0) {
      TRY(std::string prefix, name_of(node));
      page.prefixes.push_back(std::move(prefix));
      continue;
    }
    if (std::strcmp(node.name(), "Blob") != 0) continue;
    ListedBlob blob;
    TRY(blob.name, name_of(node));
    const auto from = node.child("Properties");
    TRY(blob.properties.size, size_of(text_of(from, "Content-Length")));
    blob.properties.etag = unquoted(text_of(from, "Etag"));
    blob.properties.content_type = text_of(from, "Content-Type");
    blob.properties.content_md5 = text_of(from, "Content-MD5");
    TRY(blob.properties.last_modified, parse_http_date(text_of(from, "Last-Modified")));
    page.blobs.push_back(std::move(blob));
  }
  page.next_marker = text_of(root, "NextMarker");
  return page;
}

Result<ContainerPage> container_page_of(std::string_view xml) {
  pugi::xml_document document;
  TRY_VOID(parse(xml, "EnumerationResults", document));
  const auto root = document.child("EnumerationResults");
  ContainerPage page;
  for (const auto node : root.child("Containers").children("Container")) {
    ListedContainer container;
    container.name = text_of(node, "Name");
    const auto from = node.child("Properties");
    container.etag = unquoted(text_of(from, "Etag"));
    TRY(container.last_modified, parse_http_date(text_of(from, "Last-Modified")));
    page.containers.push_back(std::move(container));
  }
  page.next_marker = text_of(root, "NextMarker");
  return page;
}

Result<BlockList> block_list_of(std::string_view xml) {
  pugi::xml_document document;
  TRY_VOID(parse(xml, "BlockList", document));
  const auto root = document.child("BlockList");
  BlockList list;
  const std::pair<const char*, std::vector<Block>*> parts[] = {
      {"CommittedBlocks", &list.committed}, {"UncommittedBlocks", &list.uncommitted}};
  for (const auto& [name, into] : parts) {
    for (const auto node : root.child(name).children("Block")) {
      Block block;
      block.id = text_of(node, "Name");
      TRY(block.size, size_of(text_of(node, "Size")));
      into->push_back(std::move(block));
    }
  }
  return list;
}

std::string block_list_body(const std::vector<std::string>& block_ids) {
  // Base64 needs no escaping, and ids that are not base64 were refused before.
  std::string out = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
  for (const std::string& id : block_ids) out += "<Latest>" + id + "</Latest>";
  return out + "</BlockList>";
}

}  // namespace holdfast::blob_client
