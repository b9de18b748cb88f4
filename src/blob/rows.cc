#include "blob/rows.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace holdfast::blob {

namespace json = boost::json;

std::string pairs_to_json(const Pairs& pairs) {
  json::object object;
  for (const auto& [name, value] : pairs) object[name] = value;
  return json::serialize(object);
}

Pairs pairs_from_json(std::string_view text) {
  Pairs pairs;
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_object()) return pairs;
  for (const auto& [name, item] : value.as_object())
    pairs.emplace_back(std::string(name), item.is_string() ? std::string(item.as_string()) : "");
  return pairs;
}

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}

Result<FoundContainer> find_container(store::Tx& tx, std::string_view account,
                                      std::string_view name) {
  FoundContainer found;
  TRY_VOID(
      tx.each("SELECT id, modified, etag, metadata FROM container WHERE account = ? AND name = ?",
              {account, name}, [&](const store::Row& row) {
                found.id = row.integer(0);
                found.info.name = std::string(name);
                found.info.modified = found.info.created =
                    WallTime(std::chrono::nanoseconds(row.integer(1)));
                found.info.etag = static_cast<uint64_t>(row.integer(2));
                found.info.metadata = pairs_from_json(row.text(3));
                return false;
              }));
  if (found.id == 0)
    return fail(Code::not_found, "container_not_found",
                "there is no container '" + std::string(name) + "'");
  return found;
}

std::unexpected<Error> blob_not_found(const BlobKey& key) {
  return fail(Code::not_found, "blob_not_found",
              "there is no blob '" + key.name + "' in the container '" + key.container + "'");
}

Info blob_info(const store::Row& row) {
  Info info;
  info.name = std::string(row.text(0));
  info.size = static_cast<uint64_t>(row.integer(1));
  info.created = WallTime(std::chrono::nanoseconds(row.integer(2)));
  info.modified = WallTime(std::chrono::nanoseconds(row.integer(3)));
  info.etag = static_cast<uint64_t>(row.integer(4));
  info.headers = pairs_from_json(row.text(5));
  info.metadata = pairs_from_json(row.text(6));
  return info;
}

Result<std::optional<FoundBlob>> find_blob(store::Tx& tx, int64_t container,
                                           std::string_view name) {
  std::optional<FoundBlob> found;
  TRY_VOID(
      tx.each("SELECT name, size, created, modified, etag, headers, metadata, content FROM blob "
              "WHERE container = ? AND name = ?",
              {container, name}, [&](const store::Row& row) {
                found.emplace();
                found->info = blob_info(row);
                found->content = static_cast<store::ContentId>(row.integer(7));
                return false;
              }));
  return found;
}

std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace holdfast::blob
