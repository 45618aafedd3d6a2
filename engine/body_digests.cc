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

using Digests = std::map<MessageKey, Sha256>;

/// Digests streamed bodies beside the source that fills their pipes.
class DigestSink final : public MessageSink {
 public:
  /// `out` outlives the group, and so the children that write to it.
  DigestSink(TaskGroup& group, Comparison comparison, Digests& out)
      : group_(group), comparison_(comparison), out_(out) {}

  Task<void> message(Message message) override {
    if (message.body.streamed()) {
      group_.spawn(digest(std::move(message), comparison_, out_));
    } else {
      co_await digest(std::move(message), comparison_, out_);
    }
  }
  Task<void> missing(MessageKey, bool, std::string) override { co_return; }

 private:
  static Task<void> digest(Message message, Comparison comparison, Digests& out) {
    ForgivingDigest digest(comparison);
    co_await message.body.write_to([&digest](std::string_view bytes) -> Task<void> {
      digest.update(bytes);
      co_return;
    });
    out[message.key] = digest.finish();
  }

  TaskGroup& group_;
  Comparison comparison_;
  Digests& out_;
};

template <class Session, class Wanted>
Task<Digests> digests_of(Session& session, std::vector<Wanted> wanted, Comparison comparison) {
  Digests out;
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    DigestSink sink(group, comparison, out);
    co_await session.fetch(std::move(wanted), sink);
  });
  co_return out;
}

}  // namespace

Task<std::map<MessageKey, Sha256>> source_digests(SourceSession& source,
                                                  std::vector<Catalogue::Entry> wanted,
                                                  Comparison comparison) {
  return digests_of(source, std::move(wanted), comparison);
}

Task<bool> source_differs(SourceSession& source, Catalogue::Entry entry, Sha256 bytes) {
  std::vector<Catalogue::Entry> wanted{std::move(entry)};
  const auto digests = co_await source_digests(
      source, std::move(wanted), {.ignore_final_crlf = false, .munged_header = false});
  co_return !digests.empty() && digests.begin()->second != bytes;
}

Task<std::map<Uid, Sha256>> target_digests(TargetSession& target, std::vector<Uid> uids,
                                           Comparison comparison) {
  std::map<Uid, Sha256> out;
  for (const auto& [key, digest] : co_await digests_of(target, std::move(uids), comparison)) {
    out[key.uid()] = digest;
  }
  co_return out;
}

}  // namespace postferry
