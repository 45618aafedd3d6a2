#include "connectors/mbox/index.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "connectors/mail/date.h"
#include "connectors/mbox/codec/splitter.h"

namespace postferry::mbox {
namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kMostHeader = 256 << 10;

Flags flags_of(const Envelope& envelope) {
  Flags out;
  const mail::StatusFlags flags = envelope.flags();
  if (flags.seen) out.system |= Flags::seen;
  if (flags.answered) out.system |= Flags::answered;
  if (flags.flagged) out.system |= Flags::flagged;
  if (flags.draft) out.system |= Flags::draft;
  if (flags.deleted) out.system |= Flags::deleted;
  for (std::string& word : envelope.keywords()) out.add_keyword(std::move(word));
  return out;
}

InternalDate to_date(const mail::ZonedTime& time) { return {time.unix_seconds, time.zone_minutes}; }

/// Mail programs write the time of the machine (TZ) where they write no zone.
InternalDate local_date(std::int64_t as_if_utc) {
  const auto seconds = static_cast<std::time_t>(as_if_utc);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  parts.tm_isdst = -1;
  std::tm local = parts;
  const std::time_t when = ::mktime(&local);
  return {when, static_cast<std::int16_t>(local.tm_gmtoff / 60)};
}

/// One message on its way through the index.
class Pending {
 public:
  Pending(const FromLine& from, std::uint64_t offset, std::uint64_t content,
          const IndexOptions& options)
      : from_(from),
        decoder_(from.form, from.size_bytes),
        want_header_(options.headers || !from.date),
        want_digest_(options.digests) {
    entry.offset = offset;
    entry.content = content;
    entry.form = from.form;
    entry.ours = from.form != Form::foreign;
    entry.claimed_bytes = from.size_bytes;
    entry.google_id = from.google_id;
  }

  void feed(std::string_view piece) {
    decoder_.feed(piece, out_);
    drain();
  }

  /// False where it claims to be ours and is not as we wrote it.
  bool finish(std::uint64_t end, std::int64_t now) {
    decoder_.finish(out_);
    drain();
    entry.end = end;
    entry.size_bytes = decoder_.size_bytes();
    if (want_digest_) entry.digest = digest_.finish();
    const Envelope& envelope = decoder_.envelope();
    entry.flags = flags_of(envelope);
    entry.uid = envelope.uid();
    entry.base = envelope.base();
    entry.labels = envelope.gmail_labels();
    if (from_.date) {
      entry.date = from_.zoned ? to_date(*from_.date) : local_date(from_.date->unix_seconds);
    } else if (const auto date = mail::arrival_date(mail::scan_header(header_), now)) {
      entry.date = to_date(*date);
    }
    return decoder_.intact();
  }

  const FromLine& from() const { return from_; }
  const std::string& header() const { return header_; }
  Entry entry;

 private:
  void drain() {
    if (want_header_ && header_.size() < kMostHeader) {
      header_ += std::string_view(out_).substr(0, kMostHeader - header_.size());
    }
    if (want_digest_) digest_.update(out_);
    out_.clear();
  }

  FromLine from_;
  Decoder decoder_;
  Digest digest_;
  bool want_header_, want_digest_;
  std::string header_, out_;
};

class Reader final : public files::MessageReader {
 public:
  Reader(std::shared_ptr<Bytes> bytes, const Entry& entry)
      : bytes_(std::move(bytes)),
        at_(entry.content),
        end_(entry.end),
        size_(entry.size_bytes),
        decoder_(entry.form, entry.size_bytes) {}

  std::uint64_t size_bytes() const override { return size_; }
  std::string next(std::size_t limit) override {
    std::string out;
    while (out.empty() && at_ < end_) {
      const auto wanted = static_cast<std::size_t>(
          std::min<std::uint64_t>(std::max<std::size_t>(limit, 1), end_ - at_));
      const std::string piece = bytes_->read(at_, wanted);
      at_ = piece.empty() ? end_ : at_ + piece.size();
      decoder_.feed(piece, out);
      if (at_ == end_) decoder_.finish(out);
    }
    return out;
  }

 private:
  std::shared_ptr<Bytes> bytes_;
  std::uint64_t at_, end_, size_;
  Decoder decoder_;
};

/// A message that was edited since we wrote it.
void read_as_foreign(Bytes& bytes, std::unique_ptr<Pending>& pending, std::uint64_t end,
                     const IndexOptions& options) {
  FromLine from = pending->from();
  from.form = Form::foreign;
  const Entry& old = pending->entry;
  auto again = std::make_unique<Pending>(from, old.offset, old.content, options);
  for (std::uint64_t at = old.content; at < end;) {
    const std::string piece =
        bytes.read(at, static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, end - at)));
    if (piece.empty()) break;
    again->feed(piece);
    at += piece.size();
  }
  again->finish(end, options.now_seconds);
  again->entry.ours = true;
  again->entry.own_bytes = old.size_bytes;
  pending = std::move(again);
}

}  // namespace

bool index_mbox(Bytes& bytes, const IndexOptions& options, const TakeEntry& take) {
  std::unique_ptr<Pending> pending;
  Splitter splitter({[&](const FromLine& from, std::uint64_t offset, std::uint64_t content) {
                       FromLine as = from;
                       if (!options.trust_own) as.form = Form::foreign;
                       pending = std::make_unique<Pending>(as, offset, content, options);
                     },
                     [&](std::string_view piece) { pending->feed(piece); },
                     [&](std::uint64_t end) {
                       if (!pending->finish(end, options.now_seconds)) {
                         read_as_foreign(bytes, pending, end, options);
                       }
                       take(std::move(pending->entry), pending->header());
                     }},
                    options.start);
  std::uint64_t at = options.start;
  while (true) {
    const std::string piece = bytes.read(at, kPiece);
    if (piece.empty()) break;
    splitter.feed(piece);
    at += piece.size();
  }
  splitter.finish();
  return !splitter.strayed();
}

std::unique_ptr<files::MessageReader> read_message(std::shared_ptr<Bytes> bytes,
                                                   const Entry& entry) {
  return std::make_unique<Reader>(std::move(bytes), entry);
}

}  // namespace postferry::mbox
