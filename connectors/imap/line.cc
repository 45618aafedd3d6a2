// Two counters: whose turn it is to speak, and whose to listen.
#include "connectors/imap/line.h"

namespace postferry::imap {

Turn::~Turn() {
  if (!taken_ || over_) return;
  line_.lost_ = true;
  wake();
}

void Turn::check() const {
  if (line_.lost_) throw line_.session().error(ErrorKind::transient, "the connection was lost");
}

void Turn::wake() {
  line_.moved_.set();
  line_.moved_.reset();
}

Task<void> Turn::speak() {
  check();
  number_ = line_.taken_++;
  taken_ = true;
  while (line_.speaks_ != number_) {
    co_await line_.moved_.wait();
    check();
  }
}

void Turn::spoken() {
  if (spoken_) return;
  spoken_ = true;
  ++line_.speaks_;
  wake();
}

Task<void> Turn::listen() {
  check();  // the line may have been lost while we spoke
  while (line_.listens_ != number_) {
    co_await line_.moved_.wait();
    check();
  }
}

void Turn::over() {
  spoken();
  over_ = true;
  ++line_.listens_;
  wake();
}

}  // namespace postferry::imap
