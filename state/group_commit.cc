// Savepoints inside one transaction; the plain way, one by one, when that breaks.

#include "state/group_commit.h"

namespace postferry::state {

namespace {

/// Runs one call between savepoints. False when the whole transaction is lost.
bool run_saved(Store& store, Call& call) {
  Database& database = store.database();
  database.query("SAVEPOINT call").run();
  try {
    call.run(store);
  } catch (...) {
    call.error = std::current_exception();
    store.rolled_back();
    if (!database.in_transaction()) return false;
    database.query("ROLLBACK TO call").run();
  }
  database.query("RELEASE call").run();
  return true;
}

/// False when nothing of it is committed, whatever the calls say.
bool run_all(Store& store, std::span<Call* const> calls) {
  try {
    Transaction transaction(store.database());
    for (Call* call : calls) {
      if (!run_saved(store, *call)) return false;
    }
    transaction.commit();
    return true;
  } catch (...) {
    store.rolled_back();
    return false;  // Each call will meet the cause again when it runs alone, and report it.
  }
}

void run_alone(Store& store, Call& call) {
  call.error = nullptr;
  try {
    Transaction transaction(store.database());
    call.run(store);
    transaction.commit();
  } catch (...) {
    call.error = std::current_exception();
    store.rolled_back();
  }
}

}  // namespace

void commit_together(Store& store, std::span<Call* const> calls) {
  if (calls.size() == 1 || !run_all(store, calls)) {
    for (Call* call : calls) run_alone(store, *call);
  }
  bool durable = false;
  for (Call* call : calls) durable = durable || call->durable();
  if (!durable) return;
  try {
    store.database().sync();
  } catch (...) {
    for (Call* call : calls) {
      if (call->durable() && call->error == nullptr) call->error = std::current_exception();
    }
  }
}

}  // namespace postferry::state
