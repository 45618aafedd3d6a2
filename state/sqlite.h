// SQLite, owned and typed: a database, its prepared statements, a transaction.
// Knows files and SQL; must not know accounts, folders or messages.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace postferry::state {

/// SQL that lives as long as the program: a literal. Its address names the prepared statement.
class Sql {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): literals are meant to become Sql by themselves.
  consteval Sql(const char* text) : text_(text) {}
  const char* text() const { return text_; }

 private:
  const char* text_;
};

/// One value on its way into a statement; a view, copied when it is bound.
class Value {
 public:
  // NOLINTBEGIN(google-explicit-constructor): a list of values should read like a row.
  Value(std::nullptr_t) {}
  template <std::integral T>
  Value(T number) : type_(Type::integer), integer_(static_cast<std::int64_t>(number)) {}
  Value(std::string_view text) : type_(Type::text), bytes_(text.data()), size_(text.size()) {}
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(const char* text) : Value(std::string_view(text)) {}
  Value(std::span<const unsigned char> blob)
      : type_(Type::blob), bytes_(blob.data()), size_(blob.size()) {}
  template <class T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value(nullptr)) {}
  // NOLINTEND(google-explicit-constructor)

 private:
  friend class Query;
  enum class Type { null, integer, text, blob };
  Type type_ = Type::null;
  std::int64_t integer_ = 0;
  const void* bytes_ = nullptr;
  std::size_t size_ = 0;
};

class Database;

/// A statement on loan from its database, prepared when it is first used; given back, reset, when
/// this goes. At most one loan of a statement at a time.
class Query {
 public:
  Query(Query&& other) noexcept;
  Query& operator=(Query&&) = delete;
  ~Query();

  /// Gives every parameter its value, in order; starts the statement anew.
  Query& bind(std::initializer_list<Value> values);
  /// Goes to the next row; false at the end. Throws Error{journal}.
  bool step();
  /// Steps to the end. Throws Error{journal}.
  void run();

  bool is_null(int column) const;
  bool is_integer(int column) const;
  std::int64_t integer(int column) const;
  /// Views, good until the next step.
  std::string_view text(int column) const;
  std::span<const unsigned char> blob(int column) const;
  template <std::integral T>
  std::optional<T> optional(int column) const {
    if (is_null(column)) return std::nullopt;
    return static_cast<T>(integer(column));
  }

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Loan {
    std::unique_ptr<sqlite3_stmt, Finalizer> statement;
    bool out = false;
  };
  Query(Database& database, Sql sql, Loan& loan);
  sqlite3_stmt* statement();

  Database& database_;
  Sql sql_;
  Loan* loan_;
};

/// One connection. One thread at a time.
class Database {
 public:
  enum class Mode { create, read_only };

  /// Opens a file; with Mode::create, one that is absent is made, readable by the owner alone, in
  /// a directory that must be there. Throws Error{journal}, naming the file.
  static Database open(const std::string& path, Mode mode);
  /// Opens or makes a file of the SQLite VFS of this name, which the caller has registered.
  static Database open_on(const std::string& vfs, const std::string& path);
  static Database open_in_memory();
  /// What the file at `path` holds now, in memory; nothing is left beside the file.
  static Database copy_in_memory(const std::string& path);

  Database(Database&& other) noexcept = default;
  Database& operator=(Database&&) = delete;
  ~Database();

  /// Borrows the statement for `sql`.
  Query query(Sql sql);
  /// Runs statements of which no result is wanted. Throws Error{journal}.
  void execute(const std::string& script);
  /// The first column of the only row of a statement. Throws Error{journal}.
  std::int64_t integer(Sql sql);

  std::int64_t last_insert_id() const;
  /// False also after SQLite has rolled back by itself (disk full, I/O error).
  bool in_transaction() const;
  /// fsync: all that is committed is on the disk when this returns. Outside transactions only.
  void sync();
  /// What the end of the last connection does: all that is committed leaves the log for the file.
  /// Where that fails it stays in the log, and nothing is lost.
  void empty_log();

  const std::string& path() const { return path_; }
  bool read_only() const { return read_only_; }
  /// Throws what SQLite says of its last failure as Error{journal}.
  [[noreturn]] void fail(int code) const;

 private:
  friend class Query;
  struct Closer {
    void operator()(sqlite3* handle) const;
  };

  Database(std::string path, int flags, const char* vfs = nullptr);
  void check(int code) const;

  std::string path_;
  bool read_only_ = false;
  std::unique_ptr<sqlite3, Closer> handle_;
  std::map<const char*, Query::Loan> statements_;
};

/// Makes the directories above `path` that are missing, for the owner alone. Throws Error{journal}.
void make_parents(const std::string& path);

/// Rolls back unless committed.
class Transaction {
 public:
  /// For writing at once, so that it can never be refused half-way.
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
};

}  // namespace postferry::state
