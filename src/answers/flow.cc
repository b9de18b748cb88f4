#include "answers/flow.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/log.h"

namespace holdfast::answers {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstDelay{50}, kLongestDelay{2000}, kLook{1000};
constexpr unsigned kReadTries = 5;

milliseconds longer(milliseconds delay) {
  return std::min(delay * 2, kLongestDelay);
}

}  // namespace

Flow::Flow(FlowConfig config, shares::FileEvents& events, store::Database& database,
           http::Client& client, ModelServer server, BlockingPool& pool, const Clock& clock)
    : config_(std::move(config)),
      events_(events),
      database_(database),
      model_(client, std::move(server), config_.answers ? config_.answers->model : ""),
      pool_(pool),
      clock_(clock) {}

void Flow::start(Executor executor, TaskGroup& group) {
  executor_ = executor;
  group_ = &group;
  group.spawn(executor, "transform " + config_.transform, run());
  if (config_.answers) group.spawn(executor, "answers " + config_.answers->name, write_answers());
  if (config_.batches) group.spawn(executor, "batches " + config_.transform, write_batches());
}

void Flow::nudge() {
  writer_.notify();
  batcher_.notify();
}

void Flow::set_state(std::string_view state, std::string message) {
  const std::lock_guard lock(mutex_);
  if (status_.state != state || status_.message != message)
    log::info("transform", config_.transform + " is " + std::string(state), {{"why", message}});
  status_.state = state;
  status_.message = std::move(message);
}

Task<void> Flow::run() {
  milliseconds delay = kFirstDelay;
  while (config_.answers && !file_) {
    const auto open = [this] {
      return LineFile::open(config_.answers->folder, "answers", config_.answers->name, clock_);
    };
    Result<LineFile> file = co_await pool_.run(open);
    if (file) {
      file_.emplace(std::move(*file));
    } else {
      set_state("waiting", file.error().message());
      co_await sleep_for(delay);
      delay = longer(delay);
    }
  }
  co_await recover();
  set_state("running", "");
  while (true) {
    // A free place first: what waits here waits in the database.
    if (working_.size() >= config_.in_flight) {
      co_await slot_.wait(kLook);
      continue;
    }
    const size_t limit = working_.size() + config_.in_flight;
    finished_.clear();
    auto pending = co_await events_.pending(consumer(), limit);
    size_t begun = 0;
    if (pending) {
      for (const auto& [event, sequence] : *pending) {
        if (working_.size() >= config_.in_flight) break;
        // What was finished after the read began may still stand in its snapshot as pending.
        if (finished_.contains(event.id) || !working_.insert(event.id).second) continue;
        ++begun;
        group_->spawn(*executor_, "file " + event.path, handle(event, false));
      }
    } else {
      log::warning("transform", "the event queue can not be read",
                   {{"error", pending.error().message()}});
    }
    if (begun == 0) co_await events_.wait_for_work(consumer(), kLook);
  }
}

// Events whose line an earlier life wrote, but which it did not come to mark as done.
Task<void> Flow::recover() {
  if (!file_ || file_->ids().empty()) {
    recovered_ = true;
    writer_.notify();
    co_return;
  }
  int64_t after = 0;
  while (true) {
    auto page = co_await events_.pending(consumer(), 1000, after);
    if (!page) {
      co_await sleep_for(kLongestDelay);
      continue;
    }
    for (const auto& [event, sequence] : *page) {
      after = sequence;
      if (!file_->answered(event.id)) continue;
      ++unsettled_;
      working_.insert(event.id);
      co_await handle(event, true);
    }
    if (page->size() < 1000) break;
  }
  recovered_ = true;
  writer_.notify();
}

Task<void> Flow::handle(shares::FileEvent event, bool has_line) {
  Result<Prepared> row = co_await prepared(event);
  bool settled = false;
  if (!row && has_line) {
    // Answered, and the file has gone since: there is nothing left to put into a batch.
    co_await mark_done(event.id);
    settled = true;
  } else if (!row && row.error().reason() == "superseded") {
    co_await mark_done(event.id);
    const std::lock_guard lock(mutex_);
    ++status_.skipped;
  } else if (!row) {
    co_await put_aside(event, row.error());
  } else if (has_line || !config_.answers) {
    co_await settle(event, std::move(*row));
    settled = has_line;
  } else if (co_await answer(event, *row)) {
    co_await settle(event, std::move(*row));
    settled = true;
  }
  if (settled) --unsettled_;
  working_.erase(event.id);
  finished_.insert(event.id);
  slot_.notify();
  if (unsettled_ == 0 && due_to_close()) writer_.notify();
}

Task<Result<Prepared>> Flow::prepared(shares::FileEvent event) {
  const auto work = [&root = config_.share.path, &recipe = config_.recipe, event] {
    return prepare(root, event, recipe);
  };
  milliseconds delay = kFirstDelay;
  for (unsigned tries = 1;; ++tries) {
    Result<Prepared> row = co_await pool_.run(work);
    if (row || file_at_fault(row.error()) || row.error().code() == Code::not_found ||
        tries == kReadTries)
      co_return row;
    co_await sleep_for(delay);
    delay = longer(delay);
  }
}

// True when the answer is on disk; false when the file was set aside.
Task<bool> Flow::answer(shares::FileEvent event, const Prepared& row) {
  Result<ModelAnswer> said = co_await ask(row.tensor);
  if (!said) {
    co_await put_aside(event, said.error());
    co_return false;
  }
  milliseconds delay = kFirstDelay;
  while (true) {
    boost::json::object line{{"id", event.id},
                             {"device", config_.device},
                             {"share", config_.share.name.str()},
                             {"file", event.path},
                             {"closed", format_rfc3339(event.closed, 9)},
                             {"answered", format_rfc3339(clock_.now(), 9)},
                             {"model", config_.answers->model},
                             {"model_version", said->version},
                             {"model_digest", said->digest},
                             {"outputs", boost::json::parse(said->outputs)}};
    std::string text = boost::json::serialize(line);
    const Result<void> written = co_await append(text, event.id);
    if (written) {
      answered(event, std::move(text));
      co_return true;
    }
    set_state("waiting", "the answers can not be written: " + written.error().message());
    co_await sleep_for(delay);
    delay = longer(delay);
  }
}

// An answer, or an error that is this input's own.
Task<Result<ModelAnswer>> Flow::ask(const transform::Tensor& row) {
  milliseconds delay = kFirstDelay;
  bool fresh = false;  // the metadata were read after the last refusal
  while (true) {
    std::optional<Error> error;
    if (!input_) {
      Result<ModelInput> input = co_await model_.metadata();
      if (input) {
        input_ = std::move(*input);
        fresh = true;
      } else {
        error = input.error();
      }
    }
    if (!error) {
      const ModelInput input = *input_;
      Result<ModelAnswer> said = co_await model_.ask(input, row);
      if (said) {
        // Another digest is another model: its input may have another form.
        if (!digest_.empty() && said->digest != digest_) input_.reset();
        digest_ = said->digest;
        set_state("running", "");
        co_return said;
      }
      error = said.error();
      if (error->code() == Code::invalid_argument) {
        if (fresh) co_return std::unexpected(std::move(*error));
        input_.reset();  // a switched model refuses what the old one took: look once more before
                         // blaming the file
        continue;
      }
    }
    input_.reset();
    fresh = false;
    set_state(error->reason() == "model_mismatch" ? "mismatch" : "waiting", error->message());
    co_await sleep_for(delay);
    delay = longer(delay);
  }
}

Task<void> Flow::put_aside(shares::FileEvent event, Error error) {
  const bool gone = error.code() == Code::not_found;
  const std::string reason = gone                     ? "file_gone"
                             : error.reason().empty() ? std::string(to_string(error.code()))
                                                      : std::string(error.reason());
  if (!gone) {
    const auto move = [&share = config_.share, event, reason, message = error.message(),
                       time = format_rfc3339(clock_.now())] {
      return shares::set_aside(share, event.path, event.id, reason, message, time);
    };
    if (const Result<void> moved = co_await pool_.run(move); !moved)
      log::warning("transform", "a file could not be set aside",
                   {{"file", event.path}, {"error", moved.error().message()}});
    log::warning("transform", "set aside",
                 {{"file", event.path}, {"reason", reason}, {"error", error.message()}});
  }
  milliseconds delay = kFirstDelay;
  while (!co_await events_.failed(consumer(), event.id, reason)) {
    co_await sleep_for(delay);
    delay = longer(delay);
  }
  const std::lock_guard lock(mutex_);
  ++(gone ? status_.skipped : status_.set_aside);
}

Task<void> Flow::settle(shares::FileEvent event, Prepared row) {
  if (config_.batches) {
    NewRow added;
    added.transform = config_.transform;
    added.recipe_sha256 = config_.recipe.sha256;
    added.type = row.tensor.type;
    added.shape = row.tensor.shape;
    added.row = {event.id,  event.path, row.sha256,
                 row.width, row.height, std::move(row.tensor.data)};
    const auto work = [added = std::make_shared<const NewRow>(std::move(added)),
                       now = clock_.now()](store::Tx& tx) { return add_row(tx, *added, now); };
    milliseconds delay = kFirstDelay;
    while (!co_await database_.write(work)) {
      set_state("waiting", "the batch plan can not be written");
      co_await sleep_for(delay);
      delay = longer(delay);
    }
    if (rows_waiting_++ == 0) oldest_row_ = clock_.now();
    if (rows_waiting_ >= config_.batches->limits.rows) batcher_.notify();
  }
  co_await mark_done(event.id);
}

Task<void> Flow::mark_done(std::string id) {
  milliseconds delay = kFirstDelay;
  while (true) {
    std::vector<std::string> ids{id};
    const Result<void> marked = co_await events_.done(consumer(), std::move(ids));
    if (marked) co_return;
    set_state("waiting", "an event can not be marked as done: " + marked.error().message());
    co_await sleep_for(delay);
    delay = longer(delay);
  }
}

}  // namespace holdfast::answers
