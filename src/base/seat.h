// A seat among a limited number: whoever finds none free does with less. So what many at once hold
// stays in bounds, while a few have plenty.
#pragma once

#include <atomic>

namespace holdfast {

class Seats {
 public:
  explicit Seats(unsigned count) : count_(count) {}

 private:
  friend class Seat;
  const unsigned count_;
  std::atomic<unsigned> taken_{0};
};

class Seat {
 public:
  explicit Seat(Seats& among) : among_(among), has_(take(among)) {}
  ~Seat() {
    if (has_) --among_.taken_;
  }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  explicit operator bool() const { return has_; }

 private:
  static bool take(Seats& among) {
    unsigned taken = among.taken_;
    while (taken < among.count_)
      if (among.taken_.compare_exchange_weak(taken, taken + 1)) return true;
    return false;
  }
  Seats& among_;
  const bool has_;
};

}  // namespace holdfast
