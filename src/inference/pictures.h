// PNG and JPEG files given for a numeric input (BYTES, a file an element), decoded on the server by
// the recipe that lies beside the model: <models>/NAME/picture.yaml, as src/transform/recipe.h has
// it.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/clock.h"
#include "inference/engine.h"
#include "net/runtime.h"
#include "transform/recipe.h"

namespace holdfast::inference {

struct PictureInput {
  size_t input = 0;  // which of the signature's
  transform::Recipe recipe;
};

// The input that the recipe's tensors fit. invalid_argument: the recipe is wrong (line and column),
// or not exactly one input of the model takes what it makes.
Result<PictureInput> picture_input(std::string_view yaml, const Signature& signature);

bool looks_like_picture(std::string_view bytes);
// Whether the input, which passed check_input(), is of pictures that are to be decoded.
bool gives_pictures(const TensorView& view, const Signature& signature);

// Replaces the pictures by their tensors, which `owned` then holds: [n, …], or […] where the model
// has no batch and there is one picture. Blocking. invalid_argument names the picture by its place;
// too_large: 256 MiB of samples or of tensors; timed_out.
Result<void> decode_pictures(const PictureInput& pictures, const TensorInfo& info,
                             MonoTime deadline, TensorView& view, std::vector<Bytes>& owned);

// Where they are decoded: threads of their own, so that no answer of others waits. Any thread.
class PictureDecoder {
 public:
  // `queue`: requests that may wait; a further one is unavailable with the reason "queue_full".
  PictureDecoder(unsigned threads, size_t queue) : pool_("decode", threads), queue_(queue) {}
  // decode_pictures() of each input that gives_pictures(). All must stay until it returns.
  Task<Result<void>> run(const PictureInput& pictures, const Signature& signature,
                         MonoTime deadline, std::vector<TensorView>& inputs,
                         std::vector<Bytes>& owned);

 private:
  BlockingPool pool_;
  const size_t queue_;
  std::atomic<size_t> waiting_{0};
};

}  // namespace holdfast::inference
