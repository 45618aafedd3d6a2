#include "engine/settle/body_digests.h"

#include <algorithm>

#include "engine/async/task_group.h"

namespace postferry {

namespace {

constexpr std::string_view kTuid = "X-TUID: ";
constexpr std::size_t kTuidLine = kTuid.size() + 12 + 2;  // and its twelve letters

}  // namespace

void ForgivingDigest::update(std::string_view bytes) {
  if (!comparison_.forgiving) return take(bytes);
  held_back_ += bytes;
  if (held_back_.size() <= 2) return;
  const std::string last = held_back_.substr(held_back_.size() - 2);
  held_back_.resize(held_back_.size() - 2);
  std::ranges::replace(held_back_, '\0', '\x80');
  take(held_back_);
  held_back_ = last;
}

void ForgivingDigest::take(std::string_view bytes) {
  if (in_header_ && (comparison_.munged_header || comparison_.without_tuid))
    bytes.remove_prefix(take_header(bytes));
  digest_.update(bytes);
}

/// How many of the bytes belong to the header, its empty line among them.
std::size_t ForgivingDigest::take_header(std::string_view bytes) {
  std::size_t taken = 0;
  while (in_header_ && taken < bytes.size()) {
    const char byte = bytes[taken++];
    const bool munged = comparison_.munged_header && static_cast<unsigned char>(byte) >= 0x80;
    piece_ += munged ? 'X' : byte;
    if (byte == '\n') {
      in_header_ = !(at_line_start_ && (piece_ == "\r\n" || piece_ == "\n"));
      end_piece();
      at_line_start_ = true;
    } else if (piece_.size() > kTuidLine) {
      end_piece();
      at_line_start_ = false;
    }
  }
  return taken;
}

void ForgivingDigest::end_piece() {
  const bool tuid = comparison_.without_tuid && at_line_start_ && piece_.size() == kTuidLine &&
                    piece_.starts_with(kTuid) && piece_.ends_with("\r\n");
  if (!tuid) digest_.update(piece_);
  piece_.clear();
}

Sha256 ForgivingDigest::finish() {
  if (held_back_ != "\r\n") {
    std::ranges::replace(held_back_, '\0', '\x80');
    take(held_back_);
  }
  end_piece();
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
  const auto digests = co_await source_digests(source, std::move(wanted),
                                               {.forgiving = false, .munged_header = false});
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
