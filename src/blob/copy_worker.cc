// The work on pending copies. A source that is cut is asked for the rest, as long as it is the
// same.
#include <algorithm>

#include "base/log.h"
#include "blob/pending_copies.h"
#include "blob/pending_rows.h"
#include "store/objects/content_body.h"

namespace holdfast::blob {
namespace {

using store::Row;
using store::Tx;

constexpr auto kIdle = std::chrono::minutes(1);
constexpr size_t kPiece = 256 << 10;
constexpr uint64_t kMostParts = 40'000;
constexpr size_t kLongestWhy = 256;

std::unexpected<Error> changed() {
  return fail(Code::precondition_failed, "source_changed",
              "the source has changed since the copy began");
}

std::unexpected<Error> ended() {
  return fail(Code::cancelled, "copy_ended", "the copy has ended");
}

// Whether it is what the copy began with.
bool same_source(const PendingCopy& copy, const FetchedSource& source) {
  return source.total == copy.size && trim(source.headers.get_or("ETag", "")) == copy.etag &&
         (!copy.etag.empty() || trim(source.headers.get_or("Last-Modified", "")) == copy.modified);
}

SourceRequest rest_of(const PendingCopy& copy) {
  SourceRequest request;
  request.url = copy.url;
  for (const auto& [name, value] : copy.headers) request.headers.set(name, value);
  // A weak one never matches; it is compared all the same.
  if (!copy.etag.empty() && !copy.etag.starts_with("W/"))
    request.headers.set("If-Match", copy.etag);
  if (copy.done > 0) request.range = Range{copy.done, UINT64_MAX};
  request.or_whole = true;
  return request;
}

// Whether another try may succeed.
bool may_pass(const Error& error) {
  if (error.reason() == "source_unavailable") return true;
  if (error.reason() == "disk_full" || error.reason() == "content_damaged") return false;
  return error.code() == Code::unavailable || error.code() == Code::internal;
}

// What a header can hold of it.
std::string shown(std::string why) {
  if (why.size() > kLongestWhy) why.resize(kLongestWhy);
  for (char& c : why) {
    if (c < ' ' || c > '~') c = '?';
  }
  return why;
}

}  // namespace

// So that nobody else takes it up meanwhile.
class PendingCopies::Claim {
 public:
  Claim(PendingCopies& owner, std::string id_, Known& known_)
      : id(std::move(id_)), known(known_), owner_(owner) {}
  ~Claim() {
    const std::lock_guard lock(owner_.mutex_);
    known.running = false;
    if (known.ended->load()) owner_.known_.erase(id);
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  const std::string id;
  Known& known;

 private:
  PendingCopies& owner_;
};

Task<void> PendingCopies::work(unsigned slot) {
  for (;;) {
    std::chrono::milliseconds pause = kIdle;
    auto claimed = co_await claim(pause);
    if (claimed && *claimed) {
      co_await run(**claimed);
      continue;
    }
    if (!claimed)
      log::warning("blob", "the pending copies can not be read",
                   {{"error", claimed.error().message()}});
    co_await wakes_[slot]->wait(claimed ? pause : options_.first_pause);
  }
}

Task<Result<std::unique_ptr<PendingCopies::Claim>>> PendingCopies::claim(
    std::chrono::milliseconds& pause) {
  auto work = [](Tx& tx) -> Result<std::vector<std::string>> {
    std::vector<std::string> ids;
    TRY_VOID(tx.each("SELECT id FROM pending_copy ORDER BY started", {}, [&](const Row& row) {
      ids.emplace_back(row.text(0));
      return true;
    }));
    return ids;
  };
  CO_TRY(const auto ids, co_await blobs_.database_.read(std::move(work)));
  const MonoTime now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  for (const std::string& id : ids) {
    Known& known = known_[id];
    if (known.running) continue;
    if (known.not_before > now) {
      pause = std::min(pause, std::chrono::ceil<std::chrono::milliseconds>(known.not_before - now));
      continue;
    }
    known.running = true;
    co_return std::make_unique<Claim>(*this, id, known);
  }
  co_return nullptr;
}

void PendingCopies::put_off(Known& known) {
  const auto pause = std::min<std::chrono::milliseconds>(
      options_.first_pause * (1 << std::min(known.tries, 16u)), options_.longest_pause);
  const std::lock_guard lock(mutex_);
  ++known.tries;
  known.not_before = std::chrono::steady_clock::now() + pause;
}

Task<void> PendingCopies::run(Claim& claim) {
  auto find = [id = claim.id](Tx& tx) { return find_copy(tx, id); };
  auto found = co_await blobs_.database_.read(std::move(find));
  if (found && !*found) claim.known.ended->store(true);
  if (!found) put_off(claim.known);
  if (!found || !*found) co_return;
  PendingCopy& copy = **found;
  const uint64_t before = copy.done;
  Result<void> outcome = co_await fetch(claim.known, copy);
  if (!outcome && outcome.error().code() != Code::cancelled &&
      (!may_pass(outcome.error()) ||
       blobs_.clock_.now() - copy.moved > std::chrono::nanoseconds(options_.patience))) {
    log::warning("blob", "a copy failed",
                 {{"copy", copy.id}, {"error", outcome.error().message()}});
    outcome = co_await give_up(copy, shown(outcome.error().message()));
  }
  if (outcome || outcome.error().reason() == "copy_ended") {
    claim.known.ended->store(true);
  } else if (outcome.error().code() != Code::cancelled) {
    if (copy.done > before) claim.known.tries = 0;
    put_off(claim.known);
  }
}

Task<Result<void>> PendingCopies::fetch(Known& known, PendingCopy& copy) {
  CO_TRY_VOID(co_await catch_up(known, copy));
  if (copy.done < copy.size) {
    auto source = co_await sources_.open(rest_of(copy));
    if (!source && (source.error().reason() == "source_condition_not_met" ||
                    source.error().reason() == "invalid_range"))
      co_return changed();
    if (!source) co_return std::unexpected(source.error());
    if (!same_source(copy, *source)) co_return changed();
    if (source->first < copy.done) CO_TRY_VOID(co_await skip(known, copy, *source->body));
    while (copy.done < copy.size) CO_TRY_VOID(co_await fetch_part(known, copy, *source->body));
  }
  co_return co_await complete(known, copy);
}

// The sums of what was fetched before this process, or before a part that was lost.
Task<Result<void>> PendingCopies::catch_up(Known& known, const PendingCopy& copy) {
  if (known.sums.bytes == copy.done) co_return Result<void>();
  known.sums = Sums();
  auto find = [id = copy.id](Tx& tx) { return parts_of(tx, id); };
  CO_TRY(const auto parts, co_await blobs_.database_.read(std::move(find)));
  std::vector<std::byte> piece(kPiece);
  for (const store::ContentId part : parts) {
    auto open = [part, this](Tx& tx) { return blobs_.objects_.open(tx, part); };
    auto content = co_await blobs_.database_.read(std::move(open));
    if (known.ended->load() || (!content && content.error().code() == Code::not_found))
      co_return ended();
    if (!content) co_return std::unexpected(content.error());
    store::ContentSource bytes(*content, 0, (*content)->size());
    for (;;) {
      CO_TRY(const size_t count, co_await bytes.read(piece));
      if (count == 0) break;
      known.sums.add(ByteView(piece.data(), count));
    }
  }
  co_return Result<void>();
}

// Of a source that sends everything again, what is here already. It has to be the same.
Task<Result<void>> PendingCopies::skip(Known& known, const PendingCopy& copy, ByteSource& from) {
  std::vector<std::byte> piece(kPiece);
  Crc64 crc;
  for (uint64_t left = copy.done; left > 0;) {
    if (known.ended->load()) co_return ended();
    const auto room = std::span(piece).first(std::min<uint64_t>(piece.size(), left));
    CO_TRY(const size_t count, co_await from.read(room));
    if (count == 0)
      co_return fail(Code::timed_out, "source_unavailable", "the source ended too early");
    crc.update(room.first(count));
    left -= count;
  }
  if (crc.value() != known.sums.crc.value()) co_return changed();
  co_return Result<void>();
}

// What came before a source was cut is kept too, so that every try gets further.
Task<Result<void>> PendingCopies::fetch_part(Known& known, PendingCopy& copy, ByteSource& from) {
  const uint64_t part = std::max(options_.part, copy.size / kMostParts + 1);
  const uint64_t wanted = std::min(part, copy.size - copy.done);
  CO_TRY(auto writer, co_await blobs_.objects_.create(wanted));
  std::vector<std::byte> piece(std::min<uint64_t>(kPiece, wanted));
  Result<void> cut;
  uint64_t got = 0;
  while (got < wanted && cut) {
    if (known.ended->load()) co_return ended();
    const auto count =
        co_await from.read(std::span(piece).first(std::min<uint64_t>(piece.size(), wanted - got)));
    if (!count || *count == 0) {
      cut = !count ? std::unexpected(count.error())
                   : fail(Code::timed_out, "source_unavailable", "the source ended too early");
      continue;
    }
    const ByteView bytes(piece.data(), *count);
    CO_TRY_VOID(co_await writer->append(bytes));
    known.sums.add(bytes);
    got += *count;
  }
  if (got > 0) {
    CO_TRY(store::StagedContent staged, co_await writer->finish());
    CO_TRY_VOID(co_await add_part(copy, std::move(staged)));
  }
  co_return cut;
}

Task<Result<void>> PendingCopies::add_part(PendingCopy& copy, store::StagedContent staged) {
  const WallTime now = blobs_.clock_.now();
  const uint64_t done = copy.done + staged.size;
  auto work = [this, copy, staged, now, done](Tx& tx) -> Result<bool> {
    TRY(const store::ContentId content, blobs_.objects_.add(tx, staged));
    TRY(const int64_t there,
        tx.run("UPDATE pending_copy SET done = ?, moved = ? WHERE id = ?",
               {static_cast<int64_t>(done), nanos(now), std::string_view(copy.id)}));
    if (there == 0) {  // so that the next sweep frees it
      TRY_VOID(blobs_.objects_.release(tx, content));
      return false;
    }
    TRY_VOID(tx.run("INSERT INTO pending_copy_part VALUES(?, ?, ?)",
                    {std::string_view(copy.id), copy.parts, static_cast<int64_t>(content)}));
    TRY_VOID(say_of_copy(tx, copy,
                         {{"progress", std::to_string(done) + "/" + std::to_string(copy.size)}}));
    return true;
  };
  CO_TRY(const bool there, co_await blobs_.database_.write(std::move(work)));
  if (!there) co_return ended();
  copy.done = done;
  copy.moved = now;
  ++copy.parts;
  co_return Result<void>();
}

}  // namespace holdfast::blob
