#include "certificates.h"

#include <sys/stat.h>

#include "base/files.h"
#include "base/log.h"
#include "identity/authority.h"
#include "net/http/address.h"

namespace holdfast {
namespace {

constexpr auto kLook = std::chrono::seconds(2);
constexpr auto kLookAtOwn = std::chrono::hours(1);  // which ends in months

Result<std::string> pem_file(const char* key, const std::string& path) {
  auto text = read_file(path, 1 << 20);
  if (!text) return std::unexpected(std::move(text).error().with_context(key));
  return text;
}

// Which file, and which state of it. Not by inotify: files that are named by links to links, as
// those of mounted secrets, change without an event in their own folder.
std::string stamp(const std::string& path) {
  struct stat info{};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return "-";
  return std::to_string(info.st_dev) + "." + std::to_string(info.st_ino) + "." +
         std::to_string(info.st_size) + "." + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec);
}

Result<identity::Issued> own_certificate(const ServeConfig& config, const Clock& clock) {
  TRY_VOID(make_directories(config.data + "/pki", 0700));
  TRY(const auto authority,
      identity::Authority::open(config.data + "/pki", "holdfast-serve local CA", clock));
  identity::Subject subject;
  subject.common_name = "holdfast-serve";
  for (const char* name : {"localhost", "127.0.0.1", "::1"}) subject.add(name);
  for (const std::string& door : {config.http, config.grpc}) {
    if (door.empty()) continue;
    TRY(const auto at, http::parse_host_port(door));
    subject.add(at.host);
  }
  for (const std::string& name : config.tls->names) subject.add(name);
  return authority->kept("serve", subject);
}

}  // namespace

Result<std::unique_ptr<Certificates>> Certificates::open(const ServeConfig& config,
                                                         const Clock& clock) {
  std::unique_ptr<Certificates> made(new Certificates(config, clock));
  TRY_VOID(made->take_up());
  made->thread_ = std::thread([&of = *made] { of.watch(); });
  return made;
}

Certificates::~Certificates() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  end_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const inference::GrpcCertificates> Certificates::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

Result<inference::GrpcCertificates> Certificates::read() const {
  inference::GrpcCertificates out;
  const TlsConfig& tls = *config_.tls;
  if (!tls.client_ca.empty()) {
    TRY(out.client_ca_pem, pem_file("tls.client-ca", tls.client_ca));
  }
  if (!tls.certificate.empty()) {
    TRY(out.certificate_pem, pem_file("tls.certificate", tls.certificate));
    TRY(out.key_pem, pem_file("tls.key", tls.key));
    return out;
  }
  TRY(identity::Issued issued, own_certificate(config_, clock_));
  out.certificate_pem = std::move(issued.chain_pem);
  out.key_pem = std::move(issued.key_pem);
  return out;
}

// All of it or nothing, for both doors.
Result<void> Certificates::take_up() {
  TRY(inference::GrpcCertificates read_now, read());
  auto now = std::make_shared<const inference::GrpcCertificates>(std::move(read_now));
  if (const auto before = current(); before && *before == *now) return {};
  TRY(auto tls, TlsContext::server(now->certificate_pem, now->key_pem, now->client_ca_pem));
  if (tls_) {
    tls_->become(*tls);
    log::info("serve", "the doors have another certificate from now on");
  } else {
    tls_ = std::move(tls);
  }
  const std::lock_guard lock(mutex_);
  current_ = std::move(now);
  return {};
}

std::string Certificates::stamps() const {
  const TlsConfig& tls = *config_.tls;
  return stamp(tls.certificate) + " " + stamp(tls.key) + " " + stamp(tls.client_ca);
}

void Certificates::watch() {
  std::string seen = stamps();
  MonoTime next = clock_.monotonic() + kLookAtOwn;
  std::unique_lock lock(mutex_);
  while (!end_.wait_for(lock, kLook, [this] { return ending_; })) {
    lock.unlock();
    std::string found = stamps();
    const bool own = config_.tls->certificate.empty() && clock_.monotonic() >= next;
    if (found != seen || own) {
      // What cannot be used stays out until the files change again: they may be half written.
      if (const auto done = take_up(); !done)
        log::warning("serve", "the doors keep their certificate, for the new one cannot be used",
                     {{"error", done.error().message()}});
      seen = std::move(found);
      next = clock_.monotonic() + kLookAtOwn;
    }
    lock.lock();
  }
}

}  // namespace holdfast
