#include "data/assets.h"

#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "blob/contents.h"
#include "data/sql_data_sql.h"
#include "net/runtime.h"
#include "store/objects/content_file.h"

namespace holdfast::data {
namespace {

using store::Row;
using store::Tx;

constexpr size_t kFiles = 1'000'000;
constexpr std::string_view kVersion =
    "SELECT a.name, v.number, v.created, v.account, v.container, v.prefix, v.digest, v.files, "
    "v.bytes, a.id FROM data_version v JOIN data_asset a ON a.id = v.asset ";

struct FoundVersion {
  int64_t asset = 0;
  Version version;
};

FoundVersion version_of(const Row& row) {
  FoundVersion out;
  out.asset = row.integer(9);
  out.version.asset = std::string(row.text(0));
  out.version.number = row.integer(1);
  out.version.created = WallTime(std::chrono::nanoseconds(row.integer(2)));
  out.version.source = {std::string(row.text(3)), std::string(row.text(4)),
                        std::string(row.text(5))};
  out.version.digest = std::string(row.text(6));
  out.version.files = static_cast<uint64_t>(row.integer(7));
  out.version.bytes = static_cast<uint64_t>(row.integer(8));
  return out;
}

// `number` 0: the newest.
Result<FoundVersion> find_version(Tx& tx, const std::string& asset, int64_t number) {
  std::optional<FoundVersion> found;
  const std::string sql = std::string(kVersion) +
                          "WHERE a.name = ?1 AND (?2 = 0 OR v.number = ?2) ORDER BY v.number DESC "
                          "LIMIT 1";
  TRY_VOID(tx.each(sql, {std::string_view(asset), number}, [&](const Row& row) {
    found = version_of(row);
    return false;
  }));
  if (!found)
    return fail(Code::not_found, number == 0 ? "there is no data asset '" + asset + "'"
                                             : "the data asset '" + asset + "' has no version " +
                                                   std::to_string(number));
  return std::move(*found);
}

Result<std::vector<Version>> versions_where(Tx& tx, std::string_view condition,
                                            std::initializer_list<store::Value> values) {
  std::vector<Version> out;
  TRY_VOID(tx.each(std::string(kVersion) + std::string(condition), values, [&](const Row& row) {
    out.push_back(version_of(row).version);
    return true;
  }));
  return out;
}

// The same for the same files of the same writes, whatever the version's number.
std::string manifest_digest(const Source& source, const std::vector<blob::HeldBlob>& held) {
  Hasher hasher(HashKind::sha256);
  const auto add = [&](std::string_view text) {
    hasher.update(as_bytes(text));
    hasher.update(as_bytes(std::string_view("\0", 1)));
  };
  for (const std::string* part : {&source.account, &source.container, &source.prefix}) add(*part);
  for (const blob::HeldBlob& one : held) {
    add(one.name);
    add(std::to_string(one.etag) + ":" + std::to_string(one.size));
  }
  return "sha256:" + hex(as_bytes(hasher.finish()));
}

struct Piece {
  std::string path;
  std::shared_ptr<store::OpenContent> content;
};

}  // namespace

Result<void> check_asset_name(std::string_view name) {
  const auto sign = [](char c) { return c == '.' || c == '_' || c == '-'; };
  const bool plain = std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || sign(c);
  });
  if (name.empty() || name.size() > 255 || !plain || sign(name.front()))
    return fail(Code::invalid_argument,
                "a data asset's name has 1 to 255 letters, digits, '.', '_' and '-', and begins "
                "with a letter or digit");
  return {};
}

Result<std::unique_ptr<Assets>> Assets::open(store::Database& database, store::ObjectStore& objects,
                                             const Clock& clock) {
  const store::Migration migrations[] = {{1, k_sql_data_sql}};
  TRY_VOID(database.migrate("data", migrations));
  return std::unique_ptr<Assets>(new Assets(database, objects, clock));
}

Task<Result<Version>> Assets::create(std::string asset, Source source) {
  CO_TRY_VOID(check_asset_name(asset));
  auto work = [this, asset, source](Tx& tx) -> Result<Version> {
    TRY(const auto held,
        blob::contents_under(tx, source.account, source.container, source.prefix, kFiles));
    if (held.empty())
      return fail(Code::precondition_failed, "no_files",
                  "there are no blobs under '" + source.prefix + "' in " + source.container);
    Version made{asset, 0, clock_.now(), source, manifest_digest(source, held), held.size(), 0};
    if (const auto last = find_version(tx, asset, 0); last && last->version.digest == made.digest)
      return last->version;
    TRY_VOID(
        tx.run("INSERT INTO data_asset(name, last) VALUES(?, 1) ON CONFLICT(name) DO UPDATE "
               "SET last = last + 1",
               {std::string_view(asset)}));
    int64_t id = 0;
    TRY_VOID(tx.each("SELECT id, last FROM data_asset WHERE name = ?", {std::string_view(asset)},
                     [&](const Row& row) {
                       id = row.integer(0);
                       made.number = row.integer(1);
                       return false;
                     }));
    for (const blob::HeldBlob& one : held) {
      const std::string path = one.name.substr(source.prefix.size());
      if (!safe_relative_path(path))
        return fail(Code::invalid_argument,
                    "the blob '" + one.name + "' is no file's path below '" + source.prefix + "'");
      TRY_VOID(objects_.retain(tx, one.content));
      TRY_VOID(tx.run("INSERT INTO data_file VALUES(?, ?, ?, ?, ?, ?)",
                      {id, made.number, std::string_view(path), static_cast<int64_t>(one.content),
                       static_cast<int64_t>(one.size), static_cast<int64_t>(one.etag)}));
      made.bytes += one.size;
    }
    TRY_VOID(tx.run("INSERT INTO data_version VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    {id, made.number, int64_t{made.created.time_since_epoch().count()},
                     std::string_view(source.account), std::string_view(source.container),
                     std::string_view(source.prefix), std::string_view(made.digest),
                     static_cast<int64_t>(made.files), static_cast<int64_t>(made.bytes)}));
    return made;
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<std::vector<Version>>> Assets::list() {
  auto work = [](Tx& tx) {
    return versions_where(tx,
                          "WHERE v.number = (SELECT max(number) FROM data_version WHERE asset = "
                          "a.id) ORDER BY a.name",
                          {});
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<Version>>> Assets::versions(std::string asset) {
  auto work = [asset](Tx& tx) -> Result<std::vector<Version>> {
    TRY(auto found,
        versions_where(tx, "WHERE a.name = ? ORDER BY v.number DESC", {std::string_view(asset)}));
    if (found.empty()) return fail(Code::not_found, "there is no data asset '" + asset + "'");
    return found;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Version>> Assets::find(std::string asset, int64_t number) {
  auto work = [asset, number](Tx& tx) -> Result<Version> {
    TRY(FoundVersion found, find_version(tx, asset, number));
    return std::move(found.version);
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<std::vector<File>>> Assets::files(std::string asset, int64_t number, std::string after,
                                              size_t limit) {
  auto work = [asset, number, after, limit](Tx& tx) -> Result<std::vector<File>> {
    TRY(const FoundVersion found, find_version(tx, asset, number));
    std::vector<File> out;
    TRY_VOID(tx.each(
        "SELECT path, size, etag FROM data_file WHERE asset = ? AND number = ? AND "
        "path > ? ORDER BY path LIMIT ?",
        {found.asset, found.version.number, std::string_view(after), static_cast<int64_t>(limit)},
        [&](const Row& row) {
          out.push_back(File{std::string(row.text(0)), static_cast<uint64_t>(row.integer(1)),
                             static_cast<uint64_t>(row.integer(2))});
          return true;
        }));
    return out;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<Assets::OpenFile>> Assets::open_file(std::string asset, int64_t number,
                                                 std::string path) {
  auto work = [this, asset, number, path](Tx& tx) -> Result<OpenFile> {
    TRY(const FoundVersion found, find_version(tx, asset, number));
    int64_t content = 0;
    TRY_VOID(tx.each("SELECT content FROM data_file WHERE asset = ? AND number = ? AND path = ?",
                     {found.asset, found.version.number, std::string_view(path)},
                     [&](const Row& row) {
                       content = row.integer(0);
                       return false;
                     }));
    if (content == 0)
      return fail(Code::not_found, "there is no file '" + path + "' in version " +
                                       std::to_string(found.version.number) + " of '" + asset +
                                       "'");
    TRY(auto opened, objects_.open(tx, static_cast<store::ContentId>(content)));
    return OpenFile{opened->size(), std::move(opened)};
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<uint64_t>> Assets::materialise(std::string asset, int64_t number, std::string directory,
                                           BlockingPool& pool) {
  // Opened in one snapshot: a version that is deleted meanwhile is still written whole.
  auto work = [this, asset, number](Tx& tx) -> Result<std::vector<Piece>> {
    TRY(const FoundVersion found, find_version(tx, asset, number));
    std::vector<std::pair<std::string, int64_t>> rows;
    TRY_VOID(tx.each("SELECT path, content FROM data_file WHERE asset = ? AND number = ?",
                     {found.asset, found.version.number}, [&](const Row& row) {
                       rows.emplace_back(row.text(0), row.integer(1));
                       return true;
                     }));
    std::vector<Piece> pieces;
    pieces.reserve(rows.size());
    for (auto& [path, content] : rows) {
      TRY(auto opened, objects_.open(tx, static_cast<store::ContentId>(content)));
      pieces.push_back(Piece{std::move(path), std::move(opened)});
    }
    return pieces;
  };
  CO_TRY(const std::vector<Piece> pieces, co_await database_.read(std::move(work)));
  auto write = [&directory, &pieces]() -> Result<uint64_t> {
    uint64_t written = 0;
    for (const Piece& piece : pieces) {
      TRY_VOID(store::write_content(*piece.content, std::filesystem::path(directory) / piece.path));
      written += piece.content->size();
    }
    return written;
  };
  co_return co_await pool.run(std::move(write));
}

Task<Result<void>> Assets::remove(std::string asset, int64_t number) {
  auto work = [this, asset, number](Tx& tx) -> Result<void> {
    TRY(const FoundVersion found, find_version(tx, asset, number));
    std::vector<int64_t> contents;
    TRY_VOID(tx.each("SELECT content FROM data_file WHERE asset = ? AND number = ?",
                     {found.asset, found.version.number}, [&](const Row& row) {
                       contents.push_back(row.integer(0));
                       return true;
                     }));
    for (const char* sql : {"DELETE FROM data_file WHERE asset = ? AND number = ?",
                            "DELETE FROM data_version WHERE asset = ? AND number = ?"})
      TRY_VOID(tx.run(sql, {found.asset, found.version.number}));
    for (const int64_t content : contents)
      TRY_VOID(objects_.release(tx, static_cast<store::ContentId>(content)));
    return {};
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::data
