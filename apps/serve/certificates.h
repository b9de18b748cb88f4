// The certificate of holdfast-serve's doors. It may change while they are open: a new one is taken
// up within seconds of its files' change, and no connection ends for it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "config.h"
#include "inference/grpc/service.h"
#include "net/tls.h"

namespace holdfast {

// Any thread may call.
class Certificates {
 public:
  // Reads what `config.tls` names, then looks after it. Without a certificate of its own the server
  // gets one of the local CA in <data>/pki, and another before that ends. Both must outlive it.
  // not_found, invalid_argument: a file.
  static Result<std::unique_ptr<Certificates>> open(const ServeConfig& config, const Clock& clock);
  ~Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  const std::shared_ptr<TlsContext>& tls() const { return tls_; }  // becomes the new one by itself
  std::shared_ptr<const inference::GrpcCertificates> current() const;

 private:
  Certificates(const ServeConfig& config, const Clock& clock) : config_(config), clock_(clock) {}
  Result<inference::GrpcCertificates> read() const;
  Result<void> take_up();
  std::string stamps() const;  // of the files, to see whether they have changed
  void watch();

  const ServeConfig& config_;
  const Clock& clock_;
  std::shared_ptr<TlsContext> tls_;
  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<const inference::GrpcCertificates> current_;
  std::condition_variable end_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace holdfast
