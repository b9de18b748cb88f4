#include "oci/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <map>

#include "base/files.h"

namespace holdfast::oci {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostHeaders = 1024, kMostText = 16 << 20;

// One file under examination; every offset is checked against its size.
class Image {
 public:
  static Result<Image> open(const fs::path& path) {
    Image image;
    image.name_ = path.string();
    TRY(image.fd_, open_file(path, O_RDONLY));
    struct stat status{};
    if (::fstat(image.fd_.get(), &status) != 0)
      return std::unexpected(errno_error(errno, image.name_));
    image.size_ = static_cast<uint64_t>(status.st_size);
    return image;
  }

  std::unexpected<Error> damaged(const char* what) const {
    return fail(Code::invalid_argument, name_ + " is not a usable ELF file: " + what);
  }

  template <class T>
  Result<std::vector<T>> table(uint64_t offset, uint64_t count) const {
    std::vector<T> out;
    if (count > kMostText / sizeof(T) || offset > size_ || count * sizeof(T) > size_ - offset)
      return damaged("a table lies outside of it");
    out.resize(count);
    TRY_VOID(read_exact(fd_.get(), std::as_writable_bytes(std::span(out)), offset));
    return out;
  }

  // The file offset of an address of the loaded program.
  Result<uint64_t> offset_of(uint64_t address) const {
    for (const Elf64_Phdr& part : parts) {
      if (part.p_type == PT_LOAD && address >= part.p_vaddr &&
          address - part.p_vaddr < part.p_filesz)
        return part.p_offset + (address - part.p_vaddr);
    }
    return damaged("an address is not in it");
  }

  std::vector<Elf64_Phdr> parts;

 private:
  Fd fd_;
  uint64_t size_ = 0;
  std::string name_;
};

Result<std::string> architecture_of(const Elf64_Ehdr& head, const fs::path& file) {
  if (head.e_machine == EM_X86_64) return std::string("amd64");
  if (head.e_machine == EM_AARCH64) return std::string("arm64");
  return fail(Code::unsupported, file.string() + " is for a machine that is not known here");
}

// The text at `at` of a string table, up to its NUL.
std::string text_at(const std::vector<char>& texts, uint64_t at) {
  if (at >= texts.size()) return "";
  const auto end = std::find(texts.begin() + static_cast<ptrdiff_t>(at), texts.end(), '\0');
  return std::string(texts.begin() + static_cast<ptrdiff_t>(at), end);
}

void add_run_paths(ElfFile& elf, const std::string& paths, const fs::path& file) {
  const std::string origin = file.parent_path().string();
  for (std::string_view path : split(paths, ':')) {
    std::string text(path);
    for (const char* word : {"${ORIGIN}", "$ORIGIN"}) {
      if (const size_t at = text.find(word); at != std::string::npos)
        text.replace(at, std::string_view(word).size(), origin);
    }
    if (!text.empty()) elf.run_paths.push_back(std::move(text));
  }
}

}  // namespace

Result<ElfFile> read_elf(const fs::path& file) {
  TRY(Image image, Image::open(file));
  auto heads = image.table<Elf64_Ehdr>(0, 1);
  if (!heads) return image.damaged("it is too short");
  const Elf64_Ehdr& head = heads->front();
  if (!std::equal(head.e_ident, head.e_ident + SELFMAG, ELFMAG) ||
      head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB)
    return image.damaged("not 64 bit, little endian");
  if (head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum > kMostHeaders)
    return image.damaged("its program headers");
  ElfFile elf;
  TRY(elf.architecture, architecture_of(head, file));
  TRY(image.parts, image.table<Elf64_Phdr>(head.e_phoff, head.e_phnum));
  std::vector<Elf64_Dyn> entries;
  for (const Elf64_Phdr& part : image.parts) {
    if (part.p_type == PT_INTERP) {
      TRY(const std::vector<char> text,
          image.table<char>(part.p_offset, std::min<uint64_t>(part.p_filesz, 4096)));
      elf.interpreter = text_at(text, 0);
    } else if (part.p_type == PT_DYNAMIC) {
      TRY(entries, image.table<Elf64_Dyn>(part.p_offset, part.p_filesz / sizeof(Elf64_Dyn)));
    }
  }
  uint64_t text_address = 0, text_size = 0;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_STRTAB) text_address = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) text_size = entry.d_un.d_val;
  }
  if (text_address == 0) return elf;
  TRY(const uint64_t offset, image.offset_of(text_address));
  TRY(const std::vector<char> texts, image.table<char>(offset, text_size));
  std::string run_path, old_path;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) elf.needed.push_back(text_at(texts, entry.d_un.d_val));
    if (entry.d_tag == DT_RUNPATH) run_path = text_at(texts, entry.d_un.d_val);
    if (entry.d_tag == DT_RPATH) old_path = text_at(texts, entry.d_un.d_val);
  }
  add_run_paths(elf, run_path.empty() ? old_path : run_path, file);
  return elf;
}

std::vector<std::string> library_directories() {
  std::vector<std::string> out;
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator("/etc/ld.so.conf.d", error))
    files.push_back(entry.path());
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const auto text = read_file(file, 64 << 10);
    if (!text) continue;
    for (std::string_view line : split(*text, '\n')) {
      line = trim(line.substr(0, line.find('#')));
      if (line.starts_with('/')) out.emplace_back(line);
    }
  }
  for (const char* fixed : {"/lib64", "/usr/lib64", "/lib", "/usr/lib"}) out.emplace_back(fixed);
  return out;
}

Result<std::vector<SharedLibrary>> libraries_of(const std::vector<fs::path>& files,
                                                const std::vector<std::string>& directories) {
  std::map<std::string, fs::path> found;
  std::deque<fs::path> open(files.begin(), files.end());
  std::string architecture;
  std::error_code error;
  while (!open.empty()) {
    const fs::path file = open.front();
    open.pop_front();
    TRY(const ElfFile elf, read_elf(file));
    if (architecture.empty()) architecture = elf.architecture;
    for (const std::string& name : elf.needed) {
      if (found.contains(name)) continue;
      std::vector<std::string> places = elf.run_paths;
      places.insert(places.end(), directories.begin(), directories.end());
      for (const std::string& place : places) {
        const fs::path candidate = fs::path(place) / name;
        if (!fs::is_regular_file(candidate, error)) continue;
        const auto other = read_elf(candidate);
        if (!other || other->architecture != architecture) continue;  // as the loader passes by
        found.emplace(name, candidate);
        open.push_back(candidate);
        break;
      }
      if (!found.contains(name))
        return fail(Code::not_found,
                    "the library " + name + ", which " + file.string() + " needs, is not found");
    }
  }
  std::vector<SharedLibrary> out;
  out.reserve(found.size());
  for (auto& [name, file] : found) out.push_back({name, file});
  return out;
}

}  // namespace holdfast::oci
