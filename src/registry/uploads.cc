#include "base/digest.h"
#include "registry/incoming.h"
#include "registry/registry.h"
#include "registry/rows.h"

namespace holdfast::registry {
namespace {

using store::ContentId;
using store::Row;
using store::Tx;

constexpr size_t kPiece = 256 << 10;
// A content of more parts than this is written anew as one: its readers open every part.
constexpr size_t kMostParts = 16;
constexpr size_t kMostSessionParts = 10'000;

struct Upload {
  int64_t repository = 0;
  uint64_t received = 0;
  std::vector<ContentId> parts;
};

Result<Upload> find_upload(Tx& tx, std::string_view repository, std::string_view id) {
  std::optional<Upload> found;
  TRY_VOID(
      tx.each("SELECT repository, received FROM registry_upload JOIN registry_repository r ON "
              "r.id = repository WHERE registry_upload.id = ? AND r.name = ?",
              {id, repository}, [&](const Row& row) {
                found.emplace();
                found->repository = row.integer(0);
                found->received = static_cast<uint64_t>(row.integer(1));
                return false;
              }));
  if (!found)
    return fail(Code::not_found, "upload_unknown",
                "there is no such upload under way; it has ended, or a day has passed");
  TRY_VOID(tx.each("SELECT content FROM registry_upload_part WHERE upload = ? ORDER BY seq", {id},
                   [&](const Row& row) {
                     found->parts.push_back(static_cast<ContentId>(row.integer(0)));
                     return true;
                   }));
  return std::move(*found);
}

std::unexpected<Error> wrong_start(uint64_t received) {
  return fail(Code::precondition_failed, "range_invalid",
              "the next byte of this upload is number " + std::to_string(received));
}

Result<Upload> find_unchanged(Tx& tx, const std::string& repository, const std::string& id,
                              uint64_t received) {
  TRY(Upload upload, find_upload(tx, repository, id));
  if (upload.received != received) return wrong_start(upload.received);
  return upload;
}

// The stored parts again, into the hash and, where there is one, the writer.
Task<Result<void>> read_parts(const std::vector<std::shared_ptr<store::OpenContent>>& parts,
                              oci::DigestHasher& hasher, store::ContentWriter* writer) {
  std::vector<std::byte> piece(kPiece);
  for (const auto& part : parts) {
    for (uint64_t at = 0; at < part->size();) {
      CO_TRY(const size_t count, co_await part->read(at, piece));
      if (count == 0) co_return fail(Code::internal, "a part of an upload is too short");
      const ByteView bytes(piece.data(), count);
      hasher.update(bytes);
      if (writer != nullptr) CO_TRY_VOID(co_await writer->append(bytes));
      at += count;
    }
  }
  co_return Result<void>();
}

struct OpenUpload {
  Upload upload;
  std::vector<std::shared_ptr<store::OpenContent>> parts;
};

}  // namespace

Task<Result<uint64_t>> stream_in(ByteSource& bytes, oci::DigestHasher* hasher,
                                 store::ContentWriter& writer) {
  std::vector<std::byte> piece(kPiece);
  for (uint64_t size = 0;;) {
    CO_TRY(const size_t count, co_await bytes.read(piece));
    if (count == 0) co_return size;
    const ByteView part(piece.data(), count);
    if (hasher != nullptr) hasher->update(part);
    CO_TRY_VOID(co_await writer.append(part));
    size += count;
  }
}

Result<void> check_digest(oci::DigestHasher& hasher, const oci::Digest& wanted) {
  const oci::Digest got = hasher.finish();
  if (got == wanted) return {};
  return fail(Code::invalid_argument, "digest_invalid",
              "the bytes are " + got.str() + ", and not " + wanted.str());
}

Result<void> add_blob(Tx& tx, store::ObjectStore& objects, int64_t repository,
                      const oci::Digest& digest, ContentId content, uint64_t size, int64_t now) {
  TRY(const auto there, find_blob(tx, digest));
  if (there) {
    TRY_VOID(objects.release(tx, content));
  } else {
    TRY_VOID(tx.run("INSERT INTO registry_blob VALUES(?, ?, ?)",
                    {std::string_view(digest.str()), static_cast<int64_t>(content),
                     static_cast<int64_t>(size)}));
  }
  return touch_member(tx, repository, digest, now);
}

Result<void> drop_upload(Tx& tx, store::ObjectStore& objects, std::string_view id) {
  std::vector<ContentId> parts;
  TRY_VOID(tx.each("SELECT content FROM registry_upload_part WHERE upload = ?", {id},
                   [&](const Row& row) {
                     parts.push_back(static_cast<ContentId>(row.integer(0)));
                     return true;
                   }));
  TRY_VOID(tx.run("DELETE FROM registry_upload_part WHERE upload = ?", {id}));
  TRY_VOID(tx.run("DELETE FROM registry_upload WHERE id = ?", {id}));
  for (ContentId part : parts) TRY_VOID(objects.release(tx, part));
  return {};
}

Task<Result<std::string>> Registry::begin_upload(std::string repository) {
  CO_TRY_VOID(oci::check_name(repository));
  const std::string id = hex(as_bytes(random_bytes(16)));
  auto work = [repository, id, now = nanos(clock_.now())](Tx& tx) -> Result<void> {
    TRY(const int64_t in, make_repository(tx, repository));
    TRY_VOID(
        tx.run("INSERT INTO registry_upload VALUES(?, ?, 0, ?)", {std::string_view(id), in, now}));
    return {};
  };
  CO_TRY_VOID(co_await database_.write(std::move(work)));
  co_return id;
}

Task<Result<uint64_t>> Registry::upload_size(std::string repository, std::string id) {
  auto work = [repository, id](Tx& tx) -> Result<uint64_t> {
    TRY(const Upload upload, find_upload(tx, repository, id));
    return upload.received;
  };
  co_return co_await database_.read(std::move(work));
}

Task<Result<uint64_t>> Registry::append_upload(std::string repository, std::string id,
                                               std::optional<uint64_t> start, ByteSource& bytes) {
  auto find = [repository, id](Tx& tx) { return find_upload(tx, repository, id); };
  CO_TRY(const Upload before, co_await database_.read(std::move(find)));
  if (start && *start != before.received) co_return wrong_start(before.received);
  if (before.parts.size() >= kMostSessionParts)
    co_return fail(Code::too_large, "an upload has 10,000 parts at most; send larger ones");
  auto hasher = hashes_.take(id, before.received);
  CO_TRY(auto writer, co_await objects_.create(std::nullopt));
  CO_TRY(const uint64_t size, co_await stream_in(bytes, hasher ? &*hasher : nullptr, *writer));
  if (size == 0) {
    if (hasher) hashes_.keep(id, before.received, std::move(*hasher));
    co_return before.received;
  }
  CO_TRY(const store::StagedContent staged, co_await writer->finish());
  auto work = [this, repository, id, staged, received = before.received,
               now = nanos(clock_.now())](Tx& tx) -> Result<uint64_t> {
    TRY(const Upload upload, find_unchanged(tx, repository, id, received));
    TRY(const ContentId content, objects_.add(tx, staged));
    const uint64_t total = received + staged.size;
    TRY_VOID(tx.run("INSERT INTO registry_upload_part VALUES(?, ?, ?, ?)",
                    {std::string_view(id), static_cast<int64_t>(upload.parts.size()),
                     static_cast<int64_t>(content), static_cast<int64_t>(staged.size)}));
    TRY_VOID(tx.run("UPDATE registry_upload SET received = ?, touched = ? WHERE id = ?",
                    {static_cast<int64_t>(total), now, std::string_view(id)}));
    return total;
  };
  CO_TRY(const uint64_t total, co_await database_.write(std::move(work)));
  if (hasher) hashes_.keep(id, total, std::move(*hasher));
  co_return total;
}

Task<Result<void>> Registry::finish_upload(std::string repository, std::string id,
                                           std::optional<uint64_t> start, oci::Digest digest,
                                           ByteSource& rest) {
  auto open = [this, repository, id](Tx& tx) -> Result<OpenUpload> {
    OpenUpload out;
    TRY(out.upload, find_upload(tx, repository, id));
    for (ContentId part : out.upload.parts) {
      TRY(auto content, objects_.open(tx, part));
      out.parts.push_back(std::move(content));
    }
    return out;
  };
  CO_TRY(const OpenUpload before, co_await database_.read(std::move(open)));
  const uint64_t received = before.upload.received;
  if (start && *start != received) co_return wrong_start(received);
  const bool anew = before.parts.size() > kMostParts;
  CO_TRY(auto writer, co_await objects_.create(std::nullopt));
  std::optional<oci::DigestHasher> hasher;
  if (digest.kind() == HashKind::sha256) hasher = hashes_.take(id, received);
  if (!hasher || anew) {
    hasher.emplace(digest.kind());
    CO_TRY_VOID(co_await read_parts(before.parts, *hasher, anew ? writer.get() : nullptr));
  }
  CO_TRY(const uint64_t more, co_await stream_in(rest, &*hasher, *writer));
  CO_TRY_VOID(check_digest(*hasher, digest));
  const bool staged_any = anew || more > 0 || before.parts.empty();
  store::StagedContent staged;
  if (staged_any) {
    CO_TRY(staged, co_await writer->finish());
  }
  auto work = [this, repository, id, digest, staged, staged_any, anew, received, more,
               now = nanos(clock_.now())](Tx& tx) -> Result<void> {
    TRY(const Upload upload, find_unchanged(tx, repository, id, received));
    std::vector<ContentId> parts = anew ? std::vector<ContentId>() : upload.parts;
    std::optional<ContentId> added;
    if (staged_any) {
      TRY(added, objects_.add(tx, staged));
      parts.push_back(*added);
    }
    ContentId content = parts.front();
    if (parts.size() > 1) {
      TRY(content, objects_.concatenate(tx, parts));
      if (added) TRY_VOID(objects_.release(tx, *added));
    } else if (!added) {
      TRY_VOID(objects_.retain(tx, content));  // the session's own reference goes below
    }
    TRY_VOID(add_blob(tx, objects_, upload.repository, digest, content, received + more, now));
    return drop_upload(tx, objects_, id);
  };
  co_return co_await database_.write(std::move(work));
}

Task<Result<void>> Registry::cancel_upload(std::string repository, std::string id) {
  hashes_.drop(id);
  auto work = [this, repository, id](Tx& tx) -> Result<void> {
    TRY_VOID(find_upload(tx, repository, id));
    return drop_upload(tx, objects_, id);
  };
  co_return co_await database_.write(std::move(work));
}

}  // namespace holdfast::registry
