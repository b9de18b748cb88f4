#include "blob/contents.h"

#include "blob/rows.h"

namespace holdfast::blob {

Result<std::vector<HeldBlob>> contents_under(store::Tx& tx, std::string_view account,
                                             std::string_view container, const std::string& prefix,
                                             size_t limit) {
  TRY(const FoundContainer in, find_container(tx, account, container));
  std::vector<HeldBlob> out;
  bool more = false;
  std::string paged;
  TRY_VOID(tx.each(
      "SELECT name, content, size, etag, type FROM blob WHERE container = ?1 AND name >= ?2 AND "
      "(?3 = '' OR name < ?3) ORDER BY name",
      {in.id, std::string_view(prefix), std::string_view(after_prefix(prefix))},
      [&](const store::Row& row) {
        more = out.size() == limit;
        if (more) return false;
        if (row.integer(4) == static_cast<int64_t>(BlobType::page)) {
          paged = std::string(row.text(0));
          return false;
        }
        out.push_back(
            HeldBlob{std::string(row.text(0)), static_cast<store::ContentId>(row.integer(1)),
                     static_cast<uint64_t>(row.integer(2)), static_cast<uint64_t>(row.integer(3))});
        return true;
      }));
  if (!paged.empty())  // its content is a map, which changes with it
    return fail(Code::unsupported, "'" + paged + "' is a page blob, which nothing else can hold");
  if (more)
    return fail(Code::too_large, "there are more than " + std::to_string(limit) + " blobs under '" +
                                     prefix + "'; choose a narrower prefix");
  return out;
}

}  // namespace holdfast::blob
