// SPDX-License-Identifier: BSD-3-Clause
// Spans since the data began, and since they are known not to be all there is.
#include "cluster/shares/lease/share_learning.h"

namespace drip::cluster {

ShareLearning::Step ShareLearning::next(const ShareData& data, TimePoint now) {
  if (data.generation != generation_) {
    generation_ = data.generation;
    learning_since_.reset();
    frozen_since_.reset();
  }
  if (!data.learning) {
    learning_since_.reset();
  } else if (!learning_since_) {
    learning_since_ = now;
  }
  if (!data.safe_frozen) {
    frozen_since_.reset();
  } else if (!frozen_since_) {
    frozen_since_ = now;
  }
  if (learning_since_ && now - *learning_since_ > timing_.at_leader(timing_.lease)) {
    return Step::kLearned;
  }
  if (frozen_since_ &&
      now - *frozen_since_ > timing_.at_leader(timing_.lease + timing_.safe_hold)) {
    return Step::kThawed;
  }
  return Step::kNone;
}

}  // namespace drip::cluster
