// A source session whose messages come as they are after their repairs: around another one, for
// those who compare or carry what is sent, not what the source holds.
#pragma once

#include <map>

#include "engine/repair.h"
#include "engine/source.h"

namespace postferry {

/// One whole message, its body held; or why there is none.
struct WholeMessage {
  std::optional<Message> message;
  bool gone = false;
  std::string reason;
};

/// Fetches one message of the selected folder into memory, whatever its size.
Task<WholeMessage> fetch_whole(SourceSession& session, Catalogue::Entry entry);

/// Messages with repairs come last, and are held in memory one at a time. Header fields, sizes and
/// whatever else no repair touches are the source's.
class RepairingSession final : public SourceSession {
 public:
  /// Both outlive it; the map may change between two calls.
  RepairingSession(SourceSession& inner, const std::map<MessageKey, Repairs>& repairs)
      : inner_(inner), repairs_(repairs) {}

  Task<std::vector<FolderInfo>> list() override { return inner_.list(); }
  Task<FolderNumbers> select(const FolderName& folder) override { return inner_.select(folder); }
  bool windowed() const override { return inner_.windowed(); }
  bool shows_all() const override { return inner_.shows_all(); }
  Task<Catalogue> catalogue() override { return inner_.catalogue(); }
  Task<std::vector<UidRange>> uids() override { return inner_.uids(); }
  Task<std::vector<HeaderEntry>> headers(std::vector<MessageKey> keys) override {
    return inner_.headers(std::move(keys));
  }
  Task<void> fetch(std::vector<Catalogue::Entry> wanted, MessageSink& sink) override;
  Task<Removal> remove(std::vector<MessageKey> keys) override {
    return inner_.remove(std::move(keys));
  }
  bool lost() const override { return inner_.lost(); }
  Task<void> logout() override { return inner_.logout(); }

 private:
  SourceSession& inner_;
  const std::map<MessageKey, Repairs>& repairs_;
};

}  // namespace postferry
