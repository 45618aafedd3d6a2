// A POP3 server may show only a part of the maildrop, and another part to the session after one
// that fetched it (Gmail: about 250 conversations). Sessions follow one another then, until one
// shows nothing new; their sum is the folder's account. Values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "engine/catalogue.h"
#include "engine/crossing/lost_dates.h"
#include "engine/ledger.h"
#include "engine/model.h"
#include "engine/observer.h"

namespace postferry {

/// What a session showed and did, as far as it tells whether another may show more.
struct WindowSession {
  std::size_t shown = 0;    // messages
  std::size_t known = 0;    // of these, that had crossed before this session
  std::size_t handled = 0;  // of these, fetched in it
  bool windowed = false;    // the server is of a kind that shows windows
  bool shows_all = false;   // or of one that never does
};

/// What the sessions before this one showed, in one run.
class Windows {
 public:
  bool first() const { return sessions_ == 0; }
  bool shown(const MessageKey& key) const { return !keys_.empty() && keys_.contains(key); }
  /// The account of all sessions so far.
  const Tally& messages() const { return messages_; }
  std::uint64_t bytes_copied() const { return bytes_copied_; }

  /// A session is complete; `messages` and `bytes_copied` include all sessions before it. True:
  /// another may show more. Where nothing else speaks for a window, that takes a full one of
  /// nothing but new messages, and then a second session that showed none of the first.
  bool take(const Catalogue& catalogue, const WindowSession& session, const Tally& messages,
            std::uint64_t bytes_copied);
  /// Whether it is known that there are windows: else another session is only a look.
  bool certain() const { return certain_; }
  /// Source and target are known not to be one mailbox.
  bool two_mailboxes = false;
  /// Warns that the folder's messages come slowly, once.
  void tell_crawl(Observer& observer, const FolderName& folder);
  /// Of what crossed; not told yet.
  LostDates lost_dates;

 private:
  std::set<MessageKey> keys_;
  Tally messages_;
  std::uint64_t bytes_copied_ = 0;
  std::size_t sessions_ = 0;
  bool certain_ = false;
  bool crawl_told_ = false;
};

}  // namespace postferry
