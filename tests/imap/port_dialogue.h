// Dialogues with one provider's server through the ports: greeting, ID and listing as it says them,
// then whatever the test is about, from tag A4 on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "connectors/imap/source.h"
#include "connectors/imap/target.h"
#include "tests/imap/session_dialogue.h"

namespace postferry::imap::testing {

class OneSecret final : public Credentials {
 public:
  Task<Secret> secret() override { co_return Secret("secret"); }
};

struct Provider {
  std::string greeting = "hi";
  std::string capabilities = {};  // besides those that the login needs
  std::string id = "NIL";
  std::vector<std::string> listing = {"* LIST () \"/\" INBOX"};
  std::string namespaces = "((\"\" \"/\")) NIL NIL";
};

inline Dialogue login_of(const Provider& provider) {
  Dialogue d;
  d.s("* PREAUTH [CAPABILITY IMAP4rev1 ID NAMESPACE LIST-EXTENDED LIST-STATUS " +
      provider.capabilities + "] " + provider.greeting);
  d.c("A1 ID (\"name\" \"postferry\" \"version\" \"0.1\")").c("A2 NAMESPACE");
  d.c("A3 LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY))");
  d.s("* ID " + provider.id).s("A1 OK").s("* NAMESPACE " + provider.namespaces).s("A2 OK");
  for (const std::string& line : provider.listing) d.s(line);
  d.s("A3 OK");
  return d;
}

/// Every connect gets the stream; there is one.
class OneLine {
 public:
  explicit OneLine(std::unique_ptr<net::Stream> stream)
      : stream_(std::move(stream)),
        network_([this](net::ConnectOptions) -> Task<std::unique_ptr<net::Stream>> {
          co_return std::move(stream_);
        }) {}

  ConnectorContext context() {
    ConnectorContext context;
    context.network = &network_;
    context.version = "0.1";
    return context;
  }
  EndSetup setup(const std::string& url = "imaps://ann@mail.example") {
    EndSetup setup;
    setup.endpoint = parse_endpoint(url);
    setup.credentials = &credentials_;
    return setup;
  }

 private:
  std::unique_ptr<net::Stream> stream_;
  net::ScriptedNetwork network_;
  OneSecret credentials_;
};

/// A source session behind the listing, which `use` gets too. What `use` throws is returned.
inline std::optional<Error> with_source(
    const Provider& provider, const Dialogue& script,
    const std::function<Task<void>(Source&, SourceSession&, std::vector<FolderInfo>)>& use) {
  std::optional<Error> error;
  Dialogue d = login_of(provider);
  d.then(script);
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    OneLine line(std::move(stream));
    const std::unique_ptr<Source> source = imap::make_source(line.context(), line.setup());
    const std::unique_ptr<SourceSession> session = co_await source->connect();
    error.reset();
    try {
      std::vector<FolderInfo> folders = co_await session->list();
      co_await use(*source, *session, std::move(folders));
    } catch (const Error& thrown) {
      error = thrown;
    }
  });
  return error;
}

inline std::optional<Error> with_target(
    const Provider& provider, const Dialogue& script,
    const std::function<Task<void>(TargetSession&, std::vector<FolderInfo>)>& use) {
  std::optional<Error> error;
  Dialogue d = login_of(provider);
  d.then(script);
  converse(d, [&](std::unique_ptr<net::Stream> stream) -> Task<void> {
    OneLine line(std::move(stream));
    const std::unique_ptr<Target> target = imap::make_target(line.context(), line.setup());
    const std::unique_ptr<TargetSession> session = co_await target->connect();
    error.reset();
    try {
      std::vector<FolderInfo> folders = co_await session->list();
      co_await use(*session, std::move(folders));
    } catch (const Error& thrown) {
      error = thrown;
    }
  });
  return error;
}

/// Keeps what a fetch yields: "UID(flags)@seconds='bytes' ", or "UID gone ", "UID unreadable 'why'
/// ".
class Keeper final : public MessageSink {
 public:
  Task<void> message(Message message) override {
    std::string bytes;
    co_await message.body.write_to([&bytes](std::string_view part) -> Task<void> {
      bytes += part;
      co_return;
    });
    const std::string date = message.date ? fmt::format("@{}", message.date->seconds) : "";
    told += fmt::format("{}({}){}='{}' ", message.key.uid().value, message.flags.to_string(), date,
                        bytes);
  }
  Task<void> missing(MessageKey key, bool gone, std::string reason) override {
    told += fmt::format("{} {} ", key.uid().value,
                        gone ? "gone" : fmt::format("unreadable '{}'", reason));
    co_return;
  }
  void crawling() override { ++crawls; }
  std::string told;
  int crawls = 0;
};

/// One batch of short messages; `told` is "uid " or "'words' " for each.
class OneBatch final : public AppendFeed {
 public:
  explicit OneBatch(const std::vector<std::pair<std::string, std::string>>& messages) {
    Batch batch;
    batch.id = 1;
    for (const auto& [bytes, flags] : messages) {
      Message message;
      message.key = MessageKey(Uid{static_cast<std::uint32_t>(batch.messages.size() + 1)});
      message.flags = Flags::parse(flags);
      message.body = Body(bytes);
      batch.bytes += bytes.size();
      batch.messages.push_back(std::move(message));
    }
    batch_ = std::move(batch);
  }
  Task<std::optional<Batch>> next() override { co_return std::exchange(batch_, std::nullopt); }
  Task<void> done(Batch, std::vector<AppendResult> results) override {
    for (const AppendResult& result : results) {
      const auto* stored = std::get_if<Stored>(&result);
      told += stored ? fmt::format("{} ", stored->uid.value)
                     : fmt::format("'{}' ", std::get<Rejected>(result).text);
    }
    co_return;
  }
  std::string told;

 private:
  std::optional<Batch> batch_;
};

/// EXAMINE or SELECT of INBOX as `tag`, with so many messages.
inline Dialogue opens(const std::string& tag, const std::string& verb, int messages,
                      const std::string& more = "* OK [UIDVALIDITY 7] ok") {
  Dialogue d;
  d.c(tag + " " + verb + " \"INBOX\"").s(fmt::format("* {} EXISTS", messages)).s(more);
  d.s("* OK [UIDNEXT 100] ok").s(tag + " OK done");
  return d;
}

inline std::string body_line(std::uint32_t uid, const std::string& body,
                             const std::string& more = "") {
  return fmt::format("* {} FETCH (UID {}{} BODY[] {{{}}}\r\n{})\r\n", uid, uid, more, body.size(),
                     body);
}

inline std::vector<Catalogue::Entry> entries(const Catalogue& catalogue) {
  std::vector<Catalogue::Entry> all;
  for (std::size_t i = 0; i < catalogue.size(); ++i) all.push_back(catalogue[i]);
  return all;
}

}  // namespace postferry::imap::testing
