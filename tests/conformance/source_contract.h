// The promises of engine/source.h, as checks that every source must pass.
//
//   TEST_CASE("The IMAP source keeps the contract") {
//     conformance::check_source_contract([] { return std::make_unique<MySubject>(); });
//   }
#pragma once

#include <algorithm>
#include <functional>

#include "tests/conformance/contract.h"

namespace postferry::conformance {

/// What a kind of source can tell at all.
struct SourceKind {
  bool uids = true;     // else UIDLs
  bool folders = true;  // else INBOX alone
  bool roles = true;
  bool flags = true;
  bool dates = true;
  bool removes = true;  // else what is to be removed is only marked
};

/// A server with one empty account, a source to it, and a way around the source. Each section of
/// the contract makes a fresh one.
class SourceSubject {
 public:
  virtual ~SourceSubject() = default;
  virtual Executor& executor() = 0;
  virtual Source& source() = 0;
  virtual SourceKind kind() const { return {}; }
  virtual void add_folder(const FolderName& folder, Role role) = 0;
  virtual void add_message(const FolderName& folder, const Sample& sample) = 0;
  /// Takes away the `nth` message, from 0, as another client would.
  virtual void remove_message(const FolderName& folder, std::size_t nth) = 0;

  template <class T>
  T run(Task<T> task) {
    return block_on(executor(), std::move(task));
  }
  std::unique_ptr<SourceSession> connect() { return run(source().connect()); }
};

using MakeSource = std::function<std::unique_ptr<SourceSubject>()>;

namespace detail {

inline const FolderName& inbox() {
  static const FolderName name = FolderName::parse("INBOX");
  return name;
}

inline std::vector<Catalogue::Entry> entries_of(const Catalogue& catalogue) {
  std::vector<Catalogue::Entry> entries;
  for (std::size_t i = 0; i < catalogue.size(); ++i) entries.push_back(catalogue[i]);
  return entries;
}

/// An account with samples() in its INBOX, its session, and the INBOX selected.
struct Filled {
  std::unique_ptr<SourceSubject> subject;
  std::unique_ptr<SourceSession> session;
  std::vector<Sample> sent = samples();

  explicit Filled(const MakeSource& make) : subject(make()) {
    for (const Sample& sample : sent) subject->add_message(inbox(), sample);
    session = subject->connect();
    subject->run(session->select(inbox()));
  }
  Catalogue catalogue() { return subject->run(session->catalogue()); }
  Fetched fetch(std::vector<Catalogue::Entry> entries, Duration pause = {}) {
    return subject->run(fetch_and_keep(
        [&](MessageSink& sink) { return session->fetch(std::move(entries), sink); }, pause));
  }
};

inline void check_listing(const MakeSource& make) {
  const std::unique_ptr<SourceSubject> subject = make();
  const FolderName odd(std::vector<std::string>{"Entw\xc3\xbcrfe & more", "2019"});
  if (subject->kind().folders) {
    subject->add_folder(FolderName::parse("Sent"), Role::sent);
    subject->add_folder(odd, Role::none);
  }
  subject->add_message(inbox(), samples()[0]);
  const std::unique_ptr<SourceSession> session = subject->connect();
  const std::vector<FolderInfo> folders = subject->run(session->list());
  std::map<FolderName, FolderInfo> by_name;
  for (const FolderInfo& folder : folders) by_name[folder.name] = folder;
  CHECK(by_name.size() == folders.size());
  REQUIRE(by_name.contains(inbox()));
  CHECK(by_name[inbox()].selectable);
  CHECK(by_name[inbox()].role == Role::inbox);
  CHECK(by_name[inbox()].numbers.messages.value_or(1) == 1);
  if (subject->kind().folders) {
    REQUIRE(by_name.contains(FolderName::parse("Sent")));
    if (subject->kind().roles) CHECK(by_name[FolderName::parse("Sent")].role == Role::sent);
    CHECK(by_name.contains(odd));
  } else {
    CHECK(folders.size() == 1);
  }
}

inline void check_select(const MakeSource& make) {
  Filled filled(make);
  const FolderNumbers numbers = filled.subject->run(filled.session->select(inbox()));
  CHECK(numbers.messages == filled.sent.size());
  if (filled.subject->kind().uids) {
    REQUIRE(numbers.uid_validity);
    CHECK(*numbers.uid_validity > 0);
    const Catalogue catalogue = filled.catalogue();
    REQUIRE(numbers.uid_next);
    CHECK(*numbers.uid_next > catalogue.uid(catalogue.size() - 1).value);
  }
  if (!filled.subject->kind().folders) return;
  std::optional<ErrorKind> refused;
  try {
    filled.subject->run(filled.session->select(FolderName::parse("not there")));
  } catch (const Error& error) {
    refused = error.kind();
  }
  CHECK(refused == ErrorKind::rejected);
  // A refusal leaves the session alive.
  CHECK(filled.subject->run(filled.session->select(inbox())).messages == filled.sent.size());
}

inline void check_catalogue(const MakeSource& make) {
  Filled filled(make);
  const SourceKind kind = filled.subject->kind();
  const Catalogue catalogue = filled.catalogue();
  REQUIRE(catalogue.size() == filled.sent.size());
  for (std::size_t i = 0; i < catalogue.size(); ++i) {
    INFO("message " << i);
    const Catalogue::Entry entry = catalogue[i];
    CHECK(entry.key.is_uid() == kind.uids);
    if (kind.uids && i > 0) CHECK(catalogue.uid(i - 1) < catalogue.uid(i));
    CHECK(entry.size_bytes == filled.sent[i].bytes.size());
    if (kind.flags) CHECK(*entry.flags == filled.sent[i].flags);
    if (kind.dates) CHECK(entry.date == filled.sent[i].date);
  }
}

inline void check_empty(const MakeSource& make) {
  const std::unique_ptr<SourceSubject> subject = make();
  const std::unique_ptr<SourceSession> session = subject->connect();
  CHECK(subject->run(session->select(inbox())).messages == 0u);
  CHECK(subject->run(session->catalogue()).size() == 0);
  CHECK(subject->run(session->headers({})).empty());
  const Fetched fetched =
      subject->run(fetch_and_keep([&](MessageSink& sink) { return session->fetch({}, sink); }));
  CHECK(fetched.messages.empty());
}

inline void check_headers(const MakeSource& make) {
  Filled filled(make);
  const Catalogue catalogue = filled.catalogue();
  filled.subject->run(filled.session->logout());
  filled.subject->remove_message(inbox(), 1);
  filled.session = filled.subject->connect();
  filled.subject->run(filled.session->select(inbox()));
  std::vector<MessageKey> keys;
  for (std::size_t i = 0; i < catalogue.size(); ++i) keys.push_back(catalogue.key(i));
  std::map<MessageKey, HeaderFields> by_key;
  for (HeaderEntry& entry : filled.subject->run(filled.session->headers(keys))) {
    by_key[entry.key] = std::move(entry.fields);
  }
  CHECK(by_key.size() == catalogue.size() - 1);
  CHECK_FALSE(by_key.contains(keys[1]));
  const HeaderFields& plain = by_key[keys[0]];
  CHECK(plain.message_id == "<plain@example.org>");
  CHECK(plain.date == "Tue, 14 Nov 2023 22:13:20 +0000");
  CHECK(plain.from == "Ann <ann@example.org>");
  CHECK(plain.to == "bob@example.org");
  CHECK(plain.subject == "plain");
  const HeaderFields& folded = by_key[keys.back()];
  CHECK_FALSE(folded.message_id);
  REQUIRE(folded.subject);
  CHECK(folded.subject->find_first_of("\r\n") == std::string::npos);
  CHECK_THAT(*folded.subject, Catch::StartsWith("no message-id") && Catch::EndsWith("again"));
}

inline void check_fetch(const MakeSource& make) {
  Filled filled(make);
  const SourceKind kind = filled.subject->kind();
  const Catalogue catalogue = filled.catalogue();
  std::vector<Catalogue::Entry> wanted = entries_of(catalogue);
  const bool backwards = GENERATE(false, true);
  if (backwards) std::ranges::reverse(wanted);
  const Fetched fetched = filled.fetch(wanted, std::chrono::milliseconds(backwards ? 1 : 0));
  CHECK(fetched.missing.empty());
  REQUIRE(fetched.messages.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    INFO("message " << i << (backwards ? ", backwards" : ""));
    const Fetched::One& one = fetched.messages[i];
    const Sample& sent = filled.sent[backwards ? wanted.size() - 1 - i : i];
    CHECK(one.key == wanted[i].key);
    CHECK(one.bytes == sent.bytes);
    CHECK(one.announced_bytes == sent.bytes.size());
    if (kind.flags) CHECK(one.flags == sent.flags);
    if (kind.dates) CHECK(one.date == sent.date);
  }
  // Nothing was marked as read.
  if (!kind.flags) return;
  const Catalogue again = filled.catalogue();
  for (std::size_t i = 0; i < again.size(); ++i) CHECK(*again[i].flags == filled.sent[i].flags);
}

inline void check_large(const MakeSource& make) {
  const std::unique_ptr<SourceSubject> subject = make();
  Sample large = samples()[0];
  large.bytes = large_message();
  subject->add_message(inbox(), samples()[0]);
  subject->add_message(inbox(), large);
  subject->add_message(inbox(), samples()[2]);
  const std::unique_ptr<SourceSession> session = subject->connect();
  subject->run(session->select(inbox()));
  const Catalogue catalogue = subject->run(session->catalogue());
  const Fetched fetched = subject->run(fetch_and_keep(
      [&](MessageSink& sink) { return session->fetch(entries_of(catalogue), sink); }));
  REQUIRE(fetched.messages.size() == 3);
  CHECK(fetched.messages[0].bytes == samples()[0].bytes);
  CHECK(fetched.messages[1].announced_bytes == large.bytes.size());
  CHECK((fetched.messages[1].bytes == large.bytes));  // Not printed when it differs.
  CHECK(fetched.messages[2].bytes == samples()[2].bytes);
}

inline void check_vanished(const MakeSource& make) {
  Filled filled(make);
  const Catalogue catalogue = filled.catalogue();
  // A session may go on seeing what it saw; a new one must not.
  filled.subject->run(filled.session->logout());
  filled.subject->remove_message(inbox(), 2);
  filled.session = filled.subject->connect();
  filled.subject->run(filled.session->select(inbox()));
  const Fetched fetched = filled.fetch(entries_of(catalogue));
  CHECK(fetched.messages.size() == catalogue.size() - 1);
  REQUIRE(fetched.missing.size() == 1);
  CHECK(fetched.missing[0].first == catalogue.key(2));
  CHECK(fetched.missing[0].second);
}

/// A sink that gives up, in its own way, at the second message.
class BrokenSink final : public MessageSink {
 public:
  struct GaveUp {};
  explicit BrokenSink(std::function<Task<void>()> give_up) : give_up_(std::move(give_up)) {}
  Task<void> message(Message) override {
    if (++taken_ == 2) co_await give_up_();
  }
  Task<void> missing(MessageKey, bool, std::string) override { co_return; }

 private:
  std::function<Task<void>()> give_up_;
  int taken_ = 0;
};

inline void check_sink_failures(const MakeSource& make) {
  Filled filled(make);
  const Catalogue catalogue = filled.catalogue();
  bool passed_on = false;
  {
    BrokenSink sink([]() -> Task<void> {
      throw BrokenSink::GaveUp{};
      co_return;
    });
    try {
      filled.subject->run(filled.session->fetch(entries_of(catalogue), sink));
    } catch (const BrokenSink::GaveUp&) {
      passed_on = true;
    }
  }
  CHECK(passed_on);
  filled.session = filled.subject->connect();
  filled.subject->run(filled.session->select(inbox()));
  bool cancelled = false;
  {
    // The sink waits for ever; the limit cancels the fetch inside it.
    BrokenSink sink([]() -> Task<void> { co_await sleep_for(std::chrono::hours(1)); });
    try {
      filled.subject->run(with_timeout(std::chrono::milliseconds(50),
                                       filled.session->fetch(entries_of(catalogue), sink)));
    } catch (const TimedOut&) {
      cancelled = true;
    }
  }
  CHECK(cancelled);
  // Those sessions are dead; a new one is as good as ever.
  filled.session = filled.subject->connect();
  filled.subject->run(filled.session->select(inbox()));
  CHECK(filled.fetch(entries_of(catalogue)).messages.size() == catalogue.size());
}

inline void check_remove(const MakeSource& make) {
  Filled filled(make);
  const Catalogue catalogue = filled.catalogue();
  std::vector<MessageKey> keys{catalogue.key(4), catalogue.key(1)};
  std::ranges::sort(keys);
  Removal removal = filled.subject->run(filled.session->remove(keys));
  std::ranges::sort(removal.keys);
  CHECK(removal.keys == keys);
  CHECK(removal.how ==
        (filled.subject->kind().removes ? Removal::How::removed : Removal::How::marked));
  if (removal.session_over) {
    filled.subject->run(filled.session->logout());
    filled.session = filled.subject->connect();
  }
  filled.subject->run(filled.session->select(inbox()));
  const Catalogue left = filled.catalogue();
  const std::size_t gone = filled.subject->kind().removes ? keys.size() : 0;
  CHECK(left.size() == catalogue.size() - gone);
  for (std::size_t i = 0; i < catalogue.size(); ++i) {
    const bool asked = i == 1 || i == 4;
    const auto found = left.find(catalogue.key(i));
    INFO("message " << i);
    CHECK(found.has_value() == (!asked || gone == 0));
    if (!found || !filled.subject->kind().flags) continue;
    const bool was_marked = (filled.sent[i].flags.system & Flags::deleted) != 0;
    CHECK(((left[*found].flags->system & Flags::deleted) != 0) == (asked || was_marked));
  }
}

inline void check_sessions(const MakeSource& make) {
  Filled filled(make);
  CHECK(filled.subject->source().max_sessions() >= 1);
  CHECK_FALSE(filled.subject->source().describe().empty());
  const Catalogue catalogue = filled.catalogue();
  // Again on the same session: everything still answers.
  CHECK(filled.fetch(entries_of(catalogue)).messages.size() == catalogue.size());
  CHECK(filled.catalogue().size() == catalogue.size());
  if (filled.subject->source().max_sessions() > 1) {
    const std::unique_ptr<SourceSession> second = filled.subject->connect();
    CHECK(filled.subject->run(second->select(inbox())).messages == filled.sent.size());
    filled.subject->run(second->logout());
  }
  CHECK(filled.catalogue().size() == catalogue.size());
  CHECK_NOTHROW(filled.subject->run(filled.session->logout()));
}

}  // namespace detail

/// Call inside a TEST_CASE.
inline void check_source_contract(const MakeSource& make) {
  SECTION("list names every folder, with its role") { detail::check_listing(make); }
  SECTION("select tells the numbers, and refuses what is not there") { detail::check_select(make); }
  SECTION("the catalogue is whole, in order, exact") { detail::check_catalogue(make); }
  SECTION("an empty folder is no special case") { detail::check_empty(make); }
  SECTION("headers are unfolded, and gone messages left out") { detail::check_headers(make); }
  SECTION("fetch gives every byte, in the order asked for") { detail::check_fetch(make); }
  SECTION("a large message is whole, between its neighbours") { detail::check_large(make); }
  SECTION("a message that vanished is missing, and gone") { detail::check_vanished(make); }
  SECTION("a sink may throw or be cancelled") { detail::check_sink_failures(make); }
  SECTION("remove takes just these messages") { detail::check_remove(make); }
  SECTION("sessions can be used again and side by side") { detail::check_sessions(make); }
}

}  // namespace postferry::conformance
