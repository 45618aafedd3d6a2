// The promises of engine/target.h, as checks that every target must pass.
//
//   TEST_CASE("The IMAP target keeps the contract") {
//     conformance::check_target_contract([] { return std::make_unique<MySubject>(); });
//   }
#pragma once

#include <algorithm>
#include <functional>

#include "tests/conformance/contract.h"

namespace postferry::conformance {

/// A message as the server has it, seen around the target.
struct StoredMessage {
  Uid uid;
  Sample sample;
};

/// A server with one empty account, a target to it, and a way around the target. Each section of
/// the contract makes a fresh one.
class TargetSubject {
 public:
  virtual ~TargetSubject() = default;
  virtual Executor& executor() = 0;
  virtual Target& target() = 0;
  /// Ascending UIDs.
  virtual std::vector<StoredMessage> stored(const FolderName& folder) = 0;
  /// Adds a message as another client would.
  virtual void add_message(const FolderName& folder, const Sample& sample) = 0;
  /// What the server makes of the bytes of a message, where it alters them.
  virtual std::string expected(const std::string& sent) const { return sent; }
  /// A message that the server refuses for good; nothing where there is none.
  virtual std::optional<std::string> refused() const { return std::nullopt; }

  template <class T>
  T run(Task<T> task) {
    return block_on(executor(), std::move(task));
  }
  std::unique_ptr<TargetSession> connect() { return run(target().connect()); }
};

using MakeTarget = std::function<std::unique_ptr<TargetSubject>()>;

/// Feeds batches that are ready, and checks how they are answered.
class ReadyFeed final : public AppendFeed {
 public:
  explicit ReadyFeed(std::vector<std::vector<Message>> batches, const std::string& origin = "") {
    for (std::vector<Message>& messages : batches) {
      Batch& batch = batches_.emplace_back();
      batch.id = static_cast<std::int64_t>(batches_.size());
      batch.origin = origin;
      for (const Message& message : messages) batch.bytes += message.body.size_bytes();
      batch.messages = std::move(messages);
    }
  }

  Task<std::optional<Batch>> next() override {
    if (asked_ == batches_.size()) co_return std::nullopt;
    Batch batch = std::move(batches_[asked_++]);
    co_return batch;
  }
  Task<void> done(Batch batch, std::vector<AppendResult> results) override {
    in_order = in_order && batch.id == static_cast<std::int64_t>(++answered);
    complete = complete && results.size() == batch.messages.size();
    for (AppendResult& result : results) all.push_back(std::move(result));
    co_return;
  }

  bool in_order = true;
  bool complete = true;
  std::size_t answered = 0;
  std::vector<AppendResult> all;

 private:
  std::deque<Batch> batches_;
  std::size_t asked_ = 0;
};

namespace target_detail {

inline const FolderName& inbox() {
  static const FolderName name = FolderName::parse("INBOX");
  return name;
}

inline Message message_of(const Sample& sample, std::uint32_t key) {
  return {MessageKey(Uid{key}), sample.flags, sample.date, Body(sample.bytes)};
}

/// The samples as messages, in batches no larger than the target takes. Keys go up from `key`: the
/// same message under another key is another message.
inline std::vector<std::vector<Message>> batches_of(const std::vector<Sample>& samples,
                                                    std::size_t largest, std::uint32_t key = 1) {
  std::vector<std::vector<Message>> batches;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (batches.empty() || batches.back().size() >= largest) batches.emplace_back();
    batches.back().push_back(message_of(samples[i], key++));
  }
  return batches;
}

struct Opened {
  std::unique_ptr<TargetSubject> subject;
  std::unique_ptr<TargetSession> session;
  FolderNumbers numbers;

  explicit Opened(const MakeTarget& make, std::size_t others = 0) : subject(make()) {
    for (std::size_t i = 0; i < others; ++i) subject->add_message(inbox(), samples()[i]);
    open();
  }
  void open() {
    session = subject->connect();
    numbers = subject->run(session->select(inbox()));
  }
  bool uidplus() const { return session->traits().uidplus; }
  ReadyFeed append(std::vector<std::vector<Message>> batches, const std::string& origin = "") {
    ReadyFeed feed(std::move(batches), origin);
    subject->run(session->append(feed));
    return feed;
  }
  void check_stored(const StoredMessage& stored, const Sample& sent) const {
    CHECK(stored.sample.bytes == subject->expected(sent.bytes));
    CHECK(stored.sample.flags == sent.flags);
    CHECK(stored.sample.date == sent.date);
  }
};

inline void check_folders(const MakeTarget& make) {
  const std::unique_ptr<TargetSubject> subject = make();
  const std::unique_ptr<TargetSession> session = subject->connect();
  const FolderName deep(std::vector<std::string>{"Archiv", "2019 \xc3\xa4"});
  subject->run(session->create(deep, Role::none));
  CHECK_NOTHROW(subject->run(session->create(deep, Role::none)));
  CHECK_NOTHROW(subject->run(session->create(inbox(), Role::inbox)));
  subject->run(session->subscribe(deep));
  bool has_inbox = false;
  int found = 0;
  for (const FolderInfo& folder : subject->run(session->list())) {
    has_inbox = has_inbox || folder.name == inbox();
    if (folder.name != deep) continue;
    ++found;
    CHECK(folder.subscribed);
    CHECK(folder.selectable);
  }
  CHECK(has_inbox);
  CHECK(found == 1);
  std::optional<ErrorKind> refused;
  try {
    subject->run(session->select(FolderName::parse("not there")));
  } catch (const Error& error) {
    refused = error.kind();
  }
  CHECK(refused == ErrorKind::rejected);
  const FolderNumbers numbers = subject->run(session->select(deep));
  CHECK(numbers.uid_validity.value_or(0) > 0);
  CHECK_NOTHROW(subject->run(session->logout()));
}

inline void check_append(const MakeTarget& make) {
  Opened opened(make, GENERATE(0u, 2u));
  const std::size_t others = opened.subject->stored(inbox()).size();
  const std::vector<Sample> sent = samples();
  const std::size_t largest = std::min<std::size_t>(3, opened.session->traits().batch_messages);
  const ReadyFeed feed = opened.append(batches_of(sent, largest));
  CHECK(feed.in_order);
  CHECK(feed.complete);
  REQUIRE(feed.all.size() == sent.size());
  const std::vector<StoredMessage> stored = opened.subject->stored(inbox());
  REQUIRE(stored.size() == others + sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    INFO("message " << i);
    opened.check_stored(stored[others + i], sent[i]);
    const Stored* answer = std::get_if<Stored>(&feed.all[i]);
    REQUIRE(answer != nullptr);
    CHECK(answer->uid == (opened.uidplus() ? stored[others + i].uid : Uid{}));
  }
  // The same session goes on, and an empty feed is no special case.
  CHECK(opened.append({}).all.empty());
  CHECK(opened.append(batches_of({sent[0]}, 1, 1000)).all.size() == 1);
  CHECK(opened.subject->stored(inbox()).size() == others + sent.size() + 1);
}

inline void check_origins(const MakeTarget& make) {
  Opened opened(make);
  if (opened.session->traits().folds_duplicates) return;
  for (const char* origin : {"ann's INBOX", "bob's INBOX"})
    CHECK(opened.append(batches_of({samples()[0]}, 1), origin).all.size() == 1);
  const std::vector<StoredMessage> stored = opened.subject->stored(inbox());
  REQUIRE(stored.size() == 2);
  CHECK(stored[0].uid != stored[1].uid);
}

inline void check_keywords(const MakeTarget& make) {
  Opened opened(make);
  Sample sample = samples()[0];
  sample.flags.add("$Forwarded");
  sample.flags.add("Work");
  const std::uint64_t before = opened.session->flags_dropped();
  opened.append(batches_of({sample}, 1));
  const std::vector<StoredMessage> stored = opened.subject->stored(inbox());
  REQUIRE(stored.size() == 1);
  const std::uint64_t dropped = opened.session->flags_dropped() - before;
  CHECK(stored[0].sample.flags.keywords.size() + dropped == 2);
  CHECK(stored[0].sample.flags.minus(sample.flags).empty());
}

inline void check_refusal(const MakeTarget& make) {
  Opened opened(make);
  const std::optional<std::string> refused = opened.subject->refused();
  if (!refused) return;
  std::vector<Sample> sent = samples();
  sent.resize(4);
  sent[2].bytes = *refused;
  const std::size_t largest = std::min<std::size_t>(4, opened.session->traits().batch_messages);
  const ReadyFeed feed = opened.append(batches_of(sent, largest));
  REQUIRE(feed.all.size() == 4);
  CHECK(feed.in_order);
  for (std::size_t i = 0; i < 4; ++i) {
    INFO("message " << i);
    CHECK(std::holds_alternative<Rejected>(feed.all[i]) == (i == 2));
  }
  if (const Rejected* words = std::get_if<Rejected>(&feed.all[2])) CHECK_FALSE(words->text.empty());
  const std::vector<StoredMessage> stored = opened.subject->stored(inbox());
  REQUIRE(stored.size() == 3);
  opened.check_stored(stored[0], sent[0]);
  opened.check_stored(stored[1], sent[1]);
  opened.check_stored(stored[2], sent[3]);
  CHECK(opened.append(batches_of({sent[0]}, 1)).all.size() == 1);
}

inline void check_look(const MakeTarget& make) {
  Opened opened(make, 3);
  const std::vector<StoredMessage> stored = opened.subject->stored(inbox());
  const std::vector<TargetEntry> all = opened.subject->run(opened.session->look(Uid{1}));
  REQUIRE(all.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    INFO("message " << i);
    CHECK(all[i].uid == stored[i].uid);
    CHECK(all[i].size_bytes == stored[i].sample.bytes.size());
    CHECK(all[i].flags == stored[i].sample.flags);
    CHECK(all[i].date == stored[i].sample.date);
  }
  CHECK(opened.subject->run(opened.session->look(stored[1].uid)).size() == 2);
  // Above the last there is nothing, though `N:*` names the last message.
  const Uid beyond{stored[2].uid.value + 1};
  CHECK(opened.subject->run(opened.session->look(beyond)).empty());
  CHECK(opened.subject->run(opened.session->uid_next()) >= beyond);
  opened.subject->add_message(inbox(), samples()[4]);
  CHECK(opened.subject->run(opened.session->uid_next()) > beyond);
  const std::vector<TargetEntry> added = opened.subject->run(opened.session->look(beyond));
  REQUIRE(added.size() == 1);
  CHECK(added[0].size_bytes == samples()[4].bytes.size());
}

inline void check_reading(const MakeTarget& make) {
  Opened opened(make, 4);
  const std::vector<StoredMessage> stored = opened.subject->stored(inbox());
  const std::vector<Uid> uids{stored[0].uid, stored[2].uid, stored[3].uid};
  const std::vector<HeaderEntry> headers =
      opened.subject->run(opened.session->headers({stored[0].uid, stored[2].uid}));
  REQUIRE(headers.size() == 2);
  for (const HeaderEntry& entry : headers) {
    const bool first = entry.key == MessageKey(stored[0].uid);
    CHECK(entry.fields.subject == (first ? "plain" : "no-line-end"));
  }
  const Fetched fetched = opened.subject->run(
      fetch_and_keep([&](MessageSink& sink) { return opened.session->fetch(uids, sink); }));
  REQUIRE(fetched.messages.size() == 3);
  CHECK(fetched.messages[0].bytes == stored[0].sample.bytes);
  CHECK(fetched.messages[1].bytes == stored[2].sample.bytes);
  CHECK(fetched.messages[2].bytes == stored[3].sample.bytes);
}

inline void check_store(const MakeTarget& make) {
  Opened opened(make, 3);
  const std::vector<StoredMessage> before = opened.subject->stored(inbox());
  Flags flags;
  flags.add("\\Flagged");
  flags.add("\\Seen");
  opened.subject->run(opened.session->store({before[0].uid, before[1].uid}, flags, true));
  std::vector<StoredMessage> after = opened.subject->stored(inbox());
  REQUIRE(after.size() == 3);
  CHECK(flags.minus(after[0].sample.flags).empty());
  CHECK(flags.minus(after[1].sample.flags).empty());
  CHECK(after[2].sample.flags == before[2].sample.flags);
  Flags less;
  less.add("\\Flagged");
  opened.subject->run(opened.session->store({before[0].uid}, less, false));
  after = opened.subject->stored(inbox());
  CHECK(after[0].sample.flags.names() == std::vector<std::string>{"\\Seen"});
  CHECK(less.minus(after[1].sample.flags).empty());
}

inline void check_expunge(const MakeTarget& make) {
  Opened opened(make, 4);
  const std::vector<StoredMessage> before = opened.subject->stored(inbox());
  Flags deleted;
  deleted.add("\\Deleted");
  // Somebody else's \Deleted is not ours to expunge.
  opened.subject->run(opened.session->store({before[3].uid}, deleted, true));
  opened.subject->run(opened.session->expunge({before[0].uid, before[2].uid}));
  std::vector<std::uint32_t> left;
  std::vector<std::uint32_t> marked;
  for (const StoredMessage& message : opened.subject->stored(inbox())) {
    left.push_back(message.uid.value);
    if (deleted.minus(message.sample.flags).empty()) marked.push_back(message.uid.value);
  }
  const std::uint32_t a = before[0].uid.value, b = before[1].uid.value;
  const std::uint32_t c = before[2].uid.value, d = before[3].uid.value;
  if (opened.uidplus()) {
    CHECK(left == std::vector<std::uint32_t>{b, d});
    CHECK(marked == std::vector<std::uint32_t>{d});
  } else {
    CHECK(left == std::vector<std::uint32_t>{a, b, c, d});
    CHECK(marked == std::vector<std::uint32_t>{a, c, d});
  }
}

inline ReadyFeed feed_of(std::shared_ptr<BodyPipe> pipe) {
  Message message = message_of(samples()[0], 1);
  message.body = Body(std::move(pipe));
  std::vector<std::vector<Message>> batches(1);
  batches[0].push_back(std::move(message));
  return ReadyFeed(std::move(batches));
}

/// Appends while the pipe gets `bytes`, perhaps fewer than it announced.
inline Task<void> append_streamed(TargetSession& session, ReadyFeed& feed,
                                  std::shared_ptr<BodyPipe> pipe, std::string bytes) {
  co_await with_group([&](TaskGroup& group) -> Task<void> {
    group.spawn([](std::shared_ptr<BodyPipe> to, std::string all) -> Task<void> {
      for (std::size_t at = 0; at < all.size(); at += 30'000) {
        const bool wanted = co_await to->push(all.substr(at, 30'000));
        if (!wanted) break;
      }
      to->close();
    }(pipe, std::move(bytes)));
    co_await session.append(feed);
    co_await group.join();
  });
}

inline void check_streamed(const MakeTarget& make) {
  Opened opened(make);
  const std::string large = large_message();
  auto pipe = std::make_shared<BodyPipe>(large.size());
  ReadyFeed whole = feed_of(pipe);
  opened.subject->run(append_streamed(*opened.session, whole, pipe, large));
  REQUIRE(whole.all.size() == 1);
  CHECK(std::holds_alternative<Stored>(whole.all[0]));
  std::vector<StoredMessage> stored = opened.subject->stored(inbox());
  REQUIRE(stored.size() == 1);
  CHECK((stored[0].sample.bytes == opened.subject->expected(large)));  // Not printed.

  // A body that dies half-way leaves nothing, and a dead session.
  pipe = std::make_shared<BodyPipe>(large.size());
  ReadyFeed half = feed_of(pipe);
  std::optional<ErrorKind> failed;
  try {
    opened.subject->run(
        append_streamed(*opened.session, half, pipe, large.substr(0, large.size() / 2)));
  } catch (const Error& error) {
    failed = error.kind();
  }
  CHECK(failed == ErrorKind::transient);
  CHECK(half.answered == 0);
  opened.session.reset();
  opened.open();
  CHECK(opened.subject->run(opened.session->look(Uid{1})).size() == 1);
  CHECK(opened.append(batches_of({samples()[0]}, 1)).all.size() == 1);
}

/// A feed that fails when it is asked for its second batch.
class BrokenFeed final : public AppendFeed {
 public:
  struct GaveUp {};
  Task<std::optional<Batch>> next() override {
    if (asked_++ > 0) throw GaveUp{};
    Batch batch;
    batch.id = 1;
    batch.messages.push_back(message_of(samples()[0], 1));
    batch.bytes = batch.messages[0].body.size_bytes();
    co_return batch;
  }
  Task<void> done(Batch, std::vector<AppendResult>) override { co_return; }

 private:
  int asked_ = 0;
};

inline void check_feed_failure(const MakeTarget& make) {
  Opened opened(make);
  bool passed_on = false;
  BrokenFeed feed;
  try {
    opened.subject->run(opened.session->append(feed));
  } catch (const BrokenFeed::GaveUp&) {
    passed_on = true;
  }
  CHECK(passed_on);
  opened.session.reset();
  opened.open();
  CHECK(opened.append(batches_of({samples()[1]}, 1)).all.size() == 1);
}

}  // namespace target_detail

/// Call inside a TEST_CASE.
inline void check_target_contract(const MakeTarget& make) {
  namespace detail = target_detail;
  SECTION("folders are made once, subscribed and listed") { detail::check_folders(make); }
  SECTION("append stores every byte, flag and date, in order") { detail::check_append(make); }
  SECTION("the same message of two folders is two") { detail::check_origins(make); }
  SECTION("keywords are kept, or dropped and counted") { detail::check_keywords(make); }
  SECTION("a refused message spares its neighbours") { detail::check_refusal(make); }
  SECTION("look sees what is new, whoever put it there") { detail::check_look(make); }
  SECTION("headers and messages can be read back") { detail::check_reading(make); }
  SECTION("store adds and takes flags, and leaves the others") { detail::check_store(make); }
  SECTION("expunge removes just what it is told") { detail::check_expunge(make); }
  SECTION("a streamed body is stored whole or not at all") { detail::check_streamed(make); }
  SECTION("a feed may throw") { detail::check_feed_failure(make); }
}

}  // namespace postferry::conformance
