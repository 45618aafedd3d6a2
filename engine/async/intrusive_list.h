// A doubly linked list whose links live inside its members: no allocation, removal in constant
// time, and a member that dies leaves the list by itself. One thread only. Knows nothing of
// coroutines.
#pragma once

#include <cassert>

namespace postferry {

// The links of a member. An object that stands in two lists derives from two tags.
template <class Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return next_ != nullptr; }

  // Leaves the list, if it is in one.
  void unlink() {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T, class ListTag>
  friend class IntrusiveList;

  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

// Members are neither owned nor copied. Members left at the end of the list's life are let go.
template <class T, class Tag>
class IntrusiveList {
 public:
  IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (pop_front() != nullptr) {
    }
  }

  bool empty() const { return head_.next_ == &head_; }

  void push_back(T& member) {
    ListNode<Tag>& node = member;
    assert(!node.linked());
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
  }

  // The first member, still in the list; null when empty.
  T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }

  // Takes the first member out; null when empty.
  T* pop_front() {
    T* member = front();
    if (member != nullptr) static_cast<ListNode<Tag>*>(member)->unlink();
    return member;
  }

 private:
  ListNode<Tag> head_;
};

}  // namespace postferry
