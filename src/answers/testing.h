// The local door of an inference server whose one model answers with the first value of its input;
// for tests.
#pragma once

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/files.h"

namespace holdfast::answers {

class FakeDoor {
 public:
  std::atomic<int> connections{0}, asked{0};
  std::atomic<bool> silent{false};    // takes questions and does not answer
  std::atomic<int> cut_questions{0};  // so many are not answered: their connection is closed

  explicit FakeDoor(std::string path) : path_(std::move(path)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ::unlink(path_.c_str());
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_.get(), 16);
    threads_.emplace_back([this] { accept(); });
  }
  ~FakeDoor() {
    stop_ = true;
    ::unlink(path_.c_str());
    while (true) {
      std::thread thread;
      {
        const std::lock_guard lock(mutex_);
        if (threads_.empty()) return;
        thread = std::move(threads_.front());
        threads_.erase(threads_.begin());
      }
      thread.join();
    }
  }
  void answer_with(std::string text) {  // in place of an answer; empty: as usual
    const std::lock_guard lock(mutex_);
    fixed_ = std::move(text);
  }

 private:
  bool readable(int fd) const {
    while (!stop_) {
      pollfd look{fd, POLLIN, 0};
      if (::poll(&look, 1, 5) > 0) return true;
    }
    return false;
  }
  void accept() {
    while (readable(listener_.get())) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      ++connections;
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([this, fd] { serve(Fd(fd)); });
    }
  }
  void serve(Fd socket) {
    std::map<std::string, std::pair<uint8_t*, size_t>> regions;
    std::string text(64 << 10, '\0');
    while (readable(socket.get())) {
      iovec part{text.data(), text.size()};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      const ssize_t size = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
      if (size <= 0) break;
      const auto asked_for = boost::json::parse({text.data(), static_cast<size_t>(size)});
      std::string answer;
      if (const cmsghdr* head = CMSG_FIRSTHDR(&message)) {
        int passed = -1;
        std::memcpy(&passed, CMSG_DATA(head), sizeof passed);
        const auto bytes = asked_for.at("byte_size").to_number<size_t>();
        void* at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, passed, 0);
        ::close(passed);
        regions[std::string(asked_for.at("register").as_string())] = {static_cast<uint8_t*>(at),
                                                                      bytes};
        answer = R"({"registered":"x"})";
      } else {
        ++asked;
        if (cut_questions > 0 && cut_questions-- > 0) break;
        if (silent) continue;
        answer = answer_to(asked_for, regions);
      }
      ::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    for (const auto& [name, region] : regions) ::munmap(region.first, region.second);
  }
  std::string answer_to(const boost::json::value& question,
                        const std::map<std::string, std::pair<uint8_t*, size_t>>& regions) {
    const std::lock_guard lock(mutex_);
    if (!fixed_.empty()) return fixed_;
    const auto& parameters = question.at("inputs").at(0).at("parameters");
    const auto& region = regions.at(std::string(parameters.at("shared_memory_region").as_string()));
    return R"({"model_name":"digits","model_version":"2","parameters":{"model_digest":"sha256:ab"},)"
           R"("outputs":[{"name":"label","datatype":"INT64","shape":[1],"data":[)" +
           std::to_string(region.first[0]) + "]}]}";
  }

  std::string path_, fixed_;
  Fd listener_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

}  // namespace holdfast::answers
