#include "engine/body_digests.h"

#include "engine/async/task_group.h"

namespace postferry {

void ForgivingDigest::update(std::string_view bytes) {
  if (!comparison_.ignore_final_crlf) return take(bytes);
  held_back_ += bytes;
  if (held_back_.size() <= 2) return;
  const std::string last = held_back_.substr(held_back_.size() - 2);
  held_back_.resize(held_back_.size() - 2);
  take(held_back_);
  held_back_ = last;
}

void ForgivingDigest::take(std::string_view bytes) {
  if (!comparison_.munged_header || !in_header_) return digest_.update(bytes);
  std::string munged(bytes);
  for (std::size_t i = 0; i < munged.size(); ++i) {
    if (munged[i] == '\n') {
      if (++line_ends_ == 2) {
        in_header_ = false;
        break;
      }
    } else if (munged[i] != '\r') {
      line_ends_ = 0;
      if (static_cast<unsigned char>(munged[i]) >= 0x80) munged[i] = 'X';
    }
  }
  digest_.update(munged);
}

Sha256 ForgivingDigest::finish() {
  if (held_back_ != "\r\n") take(held_back_);
  return digest_.finish();
}

namespace {

/// Reads streamed bodies beside the source that fills their pipes.
class DigestSink final : public MessageSink {
 public:
  DigestSink(TaskGroup& group, Comparison comparison) : group_(group), comparison_(comparison) {}

  Task<void> message(Message message) override {
    if (message.body.streamed()) {
      group_.spawn(digest(*this, std::move(message)));
    } else {
      co_await digest(*this, std::move(message));
    }
  }
  Task<void> missing(MessageKey, bool, std::string) override { co_return; }

  std::map<MessageKey, Sha256> digests;

 private:
  static Task<void> digest(DigestSink& self, Message message) {
    ForgivingDigest digest(self.comparison_);
    co_await message.body.write_to([&digest](std::string_view bytes) -> Task<void> {
      digest.update(bytes);
      co_return;
    });
    self.digests[message.key] = digest.finish();
  }

  TaskGroup& group_;
  Comparison comparison_;
};

}  // namespace

Task<std::map<MessageKey, Sha256>> source_digests(SourceSession& source,
                                                  std::vector<Catalogue::Entry> wanted,
                                                  Comparison comparison) {
  std::map<MessageKey, Sha256> out;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    DigestSink sink(group, comparison);
    co_await source.fetch(std::move(wanted), sink);
    co_await group.join();
    out = std::move(sink.digests);
  });
  co_return out;
}

Task<std::map<Uid, Sha256>> target_digests(TargetSession& target, std::vector<Uid> uids,
                                           Comparison comparison) {
  std::map<Uid, Sha256> out;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    DigestSink sink(group, comparison);
    co_await target.fetch(std::move(uids), sink);
    co_await group.join();
    for (const auto& [key, digest] : sink.digests) out[key.uid()] = digest;
  });
  co_return out;
}

}  // namespace postferry
