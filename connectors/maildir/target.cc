// The Target port on a Maildir: written to tmp, synced as a group, then renamed into `cur`.
#include "connectors/maildir/target.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

#include "connectors/maildir/box.h"
#include "connectors/maildir/message_file.h"
#include "engine/digest.h"
#include "engine/error.h"

namespace postferry::maildir {
namespace {

TargetTraits maildir_traits() {
  TargetTraits traits;
  traits.uidplus = true;
  // Any character can be in a name: the separator is one that no name has.
  traits.delimiter = '\x1f';
  traits.batch_messages = 500;
  traits.batch_bytes = 8 << 20;
  return traits;
}

/// Temporary files that are not in the folder yet; those that are left go with it.
class Temporaries {
 public:
  Temporaries() = default;
  Temporaries(const Temporaries&) = delete;
  Temporaries& operator=(const Temporaries&) = delete;
  ~Temporaries() {
    for (const Incoming& message : messages) ::unlink(message.temporary.c_str());
  }
  std::deque<Incoming> messages;
};

/// One message's bytes, written to a temporary file as they come. Every call blocks.
class MessageWriter {
 public:
  MessageWriter(const std::string& origin, const Message& message, Folder& folder,
                Temporaries& written)
      : incoming_(written.messages.emplace_back()) {
    incoming_.flags = message.flags;
    file_ = folder.open_temporary(incoming_.temporary);
    // The same message of another folder is another message: it gets a name of its own.
    for (const std::string& part : {origin, message.key.to_string()}) {
      digest_.update(part);
      digest_.update(std::string_view("\0", 1));
    }
  }

  void write(std::string_view bytes) {
    files::write_all(file_, bytes, incoming_.temporary);
    digest_.update(bytes);
    size_ += bytes.size();
    added_ += text_.added(bytes);
  }

  /// The disk begins to write; sync() waits for it.
  void finish(const std::optional<InternalDate>& date) {
    if (date) {
      const timespec when{date->seconds, 0};
      const timespec times[2] = {when, when};
      if (::futimens(file_.descriptor(), times) != 0) {
        files::fail("cannot set the time of the file", incoming_.temporary, errno);
      }
    }
    ::sync_file_range(file_.descriptor(), 0, 0, SYNC_FILE_RANGE_WRITE);
    incoming_.base = with_sizes(own_base(date, digest_.finish()), size_, size_ + added_);
  }

 private:
  Incoming& incoming_;
  files::File file_;
  Digest digest_;
  files::WireText text_;
  std::uint64_t size_ = 0, added_ = 0;
};

class MaildirTargetSession final : public TargetSession {
 public:
  MaildirTargetSession(Blocking& blocking, std::string path, Layout layout, bool look_only)
      : box_(blocking, std::move(path), layout, look_only ? Access::look : Access::target),
        traits_(maildir_traits()),
        look_only_(look_only) {}

  const TargetTraits& traits() const override { return traits_; }
  Task<std::vector<FolderInfo>> list() override { return box_.list(); }
  Task<void> create(const FolderName& folder, Role role) override {
    return box_.run([this, folder, role] { box_.root().create(folder, role); });
  }
  Task<void> subscribe(const FolderName& folder) override {
    return box_.patiently([this, folder] { return box_.root().subscribe(folder); });
  }
  Task<FolderNumbers> select(const FolderName& folder) override { return open(folder); }
  Task<Uid> uid_next() override {
    co_await box_.refresh();
    co_return Uid{*box_.folder().numbers().uid_next};
  }
  Task<std::vector<TargetEntry>> look(Uid from) override {
    co_await box_.refresh();
    co_return co_await box_.run([this, from] { return entries(from); });
  }
  Task<std::vector<HeaderEntry>> headers(std::vector<Uid> uids) override {
    return box_.headers(std::move(uids));
  }
  Task<void> fetch(std::vector<Uid> uids, MessageSink& sink) override {
    return box_.fetch(std::move(uids), sink);
  }
  Task<void> append(AppendFeed& feed) override {
    while (true) {
      std::optional<Batch> batch = co_await feed.next();
      if (!batch) break;
      std::vector<AppendResult> results = co_await append_batch(*batch);
      co_await feed.done(std::move(*batch), std::move(results));
    }
  }
  std::uint64_t flags_dropped() const override { return flags_dropped_; }
  Task<void> store(std::vector<Uid> uids, const Flags& flags, bool add) override {
    return change_flags(std::move(uids), flags, add);
  }
  Task<void> expunge(std::vector<Uid> uids) override {
    const Moment now = co_await moment();
    co_await box_.patiently([this, now, &uids] { return box_.folder().remove(uids, now); });
  }
  Task<void> logout() override { co_return; }

 private:
  /// INBOX is always listed: it is made when it is first opened.
  Task<FolderNumbers> open(FolderName name) {
    if (name.is_inbox() && !look_only_) {
      co_await box_.run([this, &name] {
        if (!box_.root().find(name)) box_.root().create(name, Role::inbox);
      });
    }
    co_return co_await box_.select(std::move(name));
  }

  std::vector<TargetEntry> entries(Uid from) {
    std::vector<TargetEntry> out;
    Folder& folder = box_.folder();
    for (std::size_t i = folder.lower_bound(from); i < folder.size(); ++i) {
      const std::optional<struct stat> status = files::status_of(folder.path(i));
      if (!status) continue;
      const FileName name = parse_file_name(folder.name(i));
      out.push_back(
          {folder.uid(i), likely_size(*status, name), date_of(*status, name), folder.flags(i)});
    }
    return out;
  }

  Task<void> change_flags(std::vector<Uid> uids, Flags flags, bool add) {
    const Moment now = co_await moment();
    const std::uint64_t dropped = box_.folder().flags_dropped();
    co_await box_.patiently([this, &uids, &flags, add, now] {
      return box_.folder().change_flags(uids, flags, add, now);
    });
    flags_dropped_ += box_.folder().flags_dropped() - dropped;
  }

  Task<std::vector<AppendResult>> append_batch(const Batch& batch) {
    Temporaries written;
    const bool held = std::ranges::all_of(
        batch.messages, [](const Message& message) { return message.body.held(); });
    if (held) {
      co_await box_.run([this, &batch, &written] { write_held(batch, written); });
    } else {
      for (const Message& message : batch.messages)
        co_await write_streamed(batch.origin, message, written);
    }
    co_await box_.run([&written] {
      for (const Incoming& message : written.messages) {
        files::sync(files::open_file(message.temporary, O_RDONLY), message.temporary);
      }
    });
    const Moment now = co_await moment();
    const std::uint64_t dropped = box_.folder().flags_dropped();
    std::optional<std::vector<Uid>> uids;
    co_await box_.patiently([this, &written, &uids, now] {
      uids = box_.folder().admit(written.messages, now);
      return uids.has_value();
    });
    flags_dropped_ += box_.folder().flags_dropped() - dropped;
    std::vector<AppendResult> results;
    for (const Uid uid : *uids) results.push_back(Stored{uid});
    co_return results;
  }

  void write_held(const Batch& batch, Temporaries& written) {
    for (const Message& message : batch.messages) {
      MessageWriter writer(batch.origin, message, box_.folder(), written);
      writer.write(message.body.bytes());
      writer.finish(message.date);
    }
  }

  Task<void> write_streamed(const std::string& origin, const Message& message,
                            Temporaries& written) {
    std::optional<MessageWriter> writer;
    co_await box_.run([this, &writer, &origin, &message, &written] {
      writer.emplace(origin, message, box_.folder(), written);
    });
    co_await message.body.write_to([this, &writer](std::string_view bytes) -> Task<void> {
      return box_.run([&writer, bytes] { writer->write(bytes); });
    });
    co_await box_.run([&writer, &message] { writer->finish(message.date); });
  }

  Box box_;
  TargetTraits traits_;
  bool look_only_;
  std::uint64_t flags_dropped_ = 0;
};

class MaildirTarget final : public Target {
 public:
  MaildirTarget(const ConnectorContext& context, EndSetup setup)
      : blocking_(*context.blocking), setup_(std::move(setup)) {}

  Task<std::unique_ptr<TargetSession>> connect() override {
    const Endpoint& end = setup_.endpoint;
    co_return std::make_unique<MaildirTargetSession>(blocking_, end.path, layout_of(end),
                                                     setup_.look_only);
  }
  int max_sessions() const override { return setup_.sessions(); }
  std::string describe() const override { return setup_.endpoint.to_string(); }

 private:
  Blocking& blocking_;
  EndSetup setup_;
};

}  // namespace

std::unique_ptr<Target> make_target(const ConnectorContext& context, EndSetup setup) {
  return std::make_unique<MaildirTarget>(context, std::move(setup));
}

}  // namespace postferry::maildir
