#include "transfer/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/digest.h"
#include "transfer/pieces.h"
#include "transfer/tree.h"

namespace holdfast::transfer {
namespace {

// What the list begins with: of which content the pieces are.
std::string head_of(const std::string& etag, uint64_t size, uint64_t piece) {
  return "holdfast-part 1 " + percent_encode(etag) + " " + std::to_string(size) + " " +
         std::to_string(piece) + "\n";
}

}  // namespace

PartFile::PartFile(std::filesystem::path target, uint64_t size, uint64_t piece)
    : target_(std::move(target)), size_(size), piece_(piece), done_(piece_count(size, piece)) {
  // Of a length that any name's part fits: names have up to 255 bytes.
  const std::string name = sha256_hex(as_bytes(target_.filename().string())).substr(0, 16);
  path_ = target_.parent_path() / ("." + name + std::string(kPartEnding));
  list_path_ = path_.string() + ".done";
}

Result<PartFile> PartFile::open(const std::filesystem::path& target, const std::string& etag,
                                uint64_t size, uint64_t piece) {
  PartFile part(target, size, piece);
  TRY(part.fd_, open_file(part.path_, O_RDWR | O_CREAT | O_CLOEXEC));
  if (::flock(part.fd_.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Code::conflict, target.string() + " is being fetched by another run");
  TRY(part.list_, open_file(part.list_path_, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC));
  const std::string head = head_of(etag, size, piece);
  TRY(const std::string list, read_file(part.list_path_));
  if (list.starts_with(head)) {
    part.read_list(list.substr(head.size()));
  } else {
    TRY_VOID(part.begin(head));
  }
  return part;
}

Result<void> PartFile::begin(const std::string& head) {
  // The list goes first: pieces that it would name are then gone with it.
  if (::ftruncate(list_.get(), 0) != 0 || ::ftruncate(fd_.get(), 0) != 0 ||
      ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0)
    return std::unexpected(errno_error(errno, "make room for " + target_.string()));
  TRY_VOID(write_all(list_.get(), as_bytes(head)));
  if (::fsync(list_.get()) != 0)
    return std::unexpected(errno_error(errno, "sync " + list_path_.string()));
  return {};
}

void PartFile::read_list(const std::string& text) {
  auto lines = split(text, '\n');
  lines.pop_back();  // empty, or cut by a kill
  for (const auto line : lines) {
    const auto index = parse_u64(line);
    if (index && *index < done_.size()) done_[*index] = true;
  }
}

uint64_t PartFile::bytes() const {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < done_.size(); ++i)
    if (done_[i]) sum += piece_at(size_, piece_, i).size;
  return sum;
}

Result<void> PartFile::write(ByteView bytes, uint64_t offset) {
  return write_all(fd_.get(), bytes, static_cast<int64_t>(offset));
}

Result<void> PartFile::finish_piece(uint64_t index) {
  if (::fdatasync(fd_.get()) != 0)
    return std::unexpected(errno_error(errno, "sync " + path_.string()));
  TRY_VOID(write_all(list_.get(), as_bytes(std::to_string(index) + "\n")));
  done_[index] = true;
  return {};
}

Result<void> PartFile::become_target(const std::string& md5) {
  if (!md5.empty()) {
    TRY(const std::string found, md5_of(path_));
    if (found != md5) {
      ::unlink(list_path_.c_str());
      ::unlink(path_.c_str());
      return fail(Code::internal, "damaged",
                  target_.string() + " did not arrive as the service holds it; fetch it again");
    }
  }
  if (::fsync(fd_.get()) != 0) return std::unexpected(errno_error(errno, "sync " + path_.string()));
  if (::rename(path_.c_str(), target_.c_str()) != 0)
    return std::unexpected(errno_error(errno, "rename to " + target_.string()));
  ::unlink(list_path_.c_str());
  return sync_directory(target_.has_parent_path() ? target_.parent_path() : ".");
}

}  // namespace holdfast::transfer
