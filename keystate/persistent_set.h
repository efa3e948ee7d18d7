// An immutable ordered set whose versions share what they have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace hallmark {

// What a tree without summaries carries.
struct NoSummary {
  template <class T>
  static NoSummary Of(const T&) {
    return {};
  }
  friend NoSummary operator|(NoSummary, NoSummary) { return {}; }
};

// An AVL tree with path copying: Insert and Erase leave this version as it is and return another,
// which shares all but O(log n) nodes with it. A copy is one pointer.
//
// `Less` orders values; it may also compare values with other types, which then serve as keys.
// `Summary` says something about whole subtrees, so that a search can pass over them: Summary::Of a
// value, joined with `|`.
//
// Thread-safety: versions are immutable; any number of threads may read and copy the same one.
// No recursion is deeper than the tree is high, which is below 1.45 log2(n) + 2; destruction
// included.
template <class T, class Less, class Summary = NoSummary>
class PersistentSet {
 public:
  PersistentSet() = default;

  // `sorted` must be strictly ascending. O(n).
  static PersistentSet FromSorted(std::span<const T> sorted) {
    return PersistentSet(Build(sorted));
  }

  bool empty() const { return root_ == nullptr; }

  // Null if there is none; belongs to this version.
  template <class K>
  const T* Find(const K& key) const {
    const Node* node = root_.get();
    while (node != nullptr) {
      if (Less{}(key, node->value)) {
        node = node->left.get();
      } else if (Less{}(node->value, key)) {
        node = node->right.get();
      } else {
        return &node->value;
      }
    }
    return nullptr;
  }

  // Replaces an equal value.
  PersistentSet Insert(T value) const { return PersistentSet(InsertAt(root_, std::move(value))); }

  // Shares everything with this version if there is no such value.
  template <class K>
  PersistentSet Erase(const K& key) const {
    if (Find(key) == nullptr) return *this;
    return PersistentSet(EraseAt(root_, key));
  }

  // Calls `visit` with the values from the first that is not less than `from`, in order, until it
  // returns false. Subtrees of whose summary `worth` says false are passed over, so that not every
  // value of the others is worth a look, either. Nothing is allocated.
  template <class K, class Worth, class Visit>
  void VisitFrom(const K& from, const Worth& worth, Visit&& visit) const {
    static_cast<void>(VisitFromAt(root_.get(), from, worth, visit));
  }
  template <class K, class Visit>
  void VisitFrom(const K& from, Visit&& visit) const {
    VisitFrom(
        from, [](const Summary&) { return true; }, visit);
  }
  template <class Visit>
  void VisitAll(Visit&& visit) const {
    static_cast<void>(VisitAllAt(
        root_.get(), [](const Summary&) { return true; }, visit));
  }

  // Calls `removed` with what is in `before` alone and `added` with what is in `after` alone, in
  // order; an equal value that is not the same (by ==) is both. Costs O(log n) per change between
  // two versions, since what they share is passed over.
  template <class Removed, class Added>
  static void Diff(const PersistentSet& before, const PersistentSet& after, const Removed& removed,
                   const Added& added) {
    Cursor a(before.root_.get());
    Cursor b(after.root_.get());
    while (!a.done() || !b.done()) {
      const Node* subtree_a = a.subtree();
      const Node* subtree_b = b.subtree();
      if (subtree_a != nullptr && subtree_a == subtree_b) {
        a.Skip();
        b.Skip();
      } else if (subtree_a != nullptr && HeightOf(subtree_a) >= HeightOf(subtree_b)) {
        a.Expand();
      } else if (subtree_b != nullptr) {
        b.Expand();
      } else if (b.done() || (!a.done() && Less{}(a.value(), b.value()))) {
        removed(a.value());
        a.Skip();
      } else if (a.done() || Less{}(b.value(), a.value())) {
        added(b.value());
        b.Skip();
      } else {
        if (!(a.value() == b.value())) {
          removed(a.value());
          added(b.value());
        }
        a.Skip();
        b.Skip();
      }
    }
  }

  // For tests: every subtree is in balance and knows its height.
  bool Balanced() const { return CheckedHeight(root_.get()) >= 0; }

 private:
  struct Node;
  using NodePtr = std::shared_ptr<const Node>;
  struct Node {
    Node(NodePtr l, T v, NodePtr r)
        : left(std::move(l)),
          right(std::move(r)),
          value(std::move(v)),
          summary(Summary::Of(value)),
          height(1 + std::max(HeightOf(left.get()), HeightOf(right.get()))) {
      if (left != nullptr) summary = summary | left->summary;
      if (right != nullptr) summary = summary | right->summary;
    }
    NodePtr left, right;
    T value;
    Summary summary;
    int height;
  };

  // What is left of a walk in order: subtrees and single values, the next one last.
  class Cursor {
   public:
    explicit Cursor(const Node* root) { Push(root, true); }
    bool done() const { return rest_.empty(); }
    // Null if a single value is next, or nothing.
    const Node* subtree() const {
      return !done() && rest_.back().whole ? rest_.back().node : nullptr;
    }
    const T& value() const { return rest_.back().node->value; }
    void Skip() { rest_.pop_back(); }
    void Expand() {
      const Node* node = rest_.back().node;
      rest_.pop_back();
      Push(node->right.get(), true);
      Push(node, false);
      Push(node->left.get(), true);
    }

   private:
    struct Item {
      const Node* node;
      bool whole;
    };
    void Push(const Node* node, bool whole) {
      if (node != nullptr) rest_.push_back({node, whole});
    }
    std::vector<Item> rest_;
  };

  explicit PersistentSet(NodePtr root) : root_(std::move(root)) {}

  static int HeightOf(const Node* node) { return node == nullptr ? 0 : node->height; }

  static NodePtr Make(NodePtr left, T value, NodePtr right) {
    return std::make_shared<const Node>(std::move(left), std::move(value), std::move(right));
  }

  static NodePtr Build(std::span<const T> sorted) {
    if (sorted.empty()) return nullptr;
    const std::size_t middle = sorted.size() / 2;
    return Make(Build(sorted.first(middle)), sorted[middle], Build(sorted.subspan(middle + 1)));
  }

  // Make for subtrees whose heights differ by two at most.
  static NodePtr Balance(NodePtr left, T value, NodePtr right) {
    const int difference = HeightOf(left.get()) - HeightOf(right.get());
    if (difference > 1) {
      if (HeightOf(left->left.get()) >= HeightOf(left->right.get())) {
        return Make(left->left, left->value, Make(left->right, std::move(value), std::move(right)));
      }
      const Node& middle = *left->right;
      return Make(Make(left->left, left->value, middle.left), middle.value,
                  Make(middle.right, std::move(value), std::move(right)));
    }
    if (difference < -1) {
      if (HeightOf(right->right.get()) >= HeightOf(right->left.get())) {
        return Make(Make(std::move(left), std::move(value), right->left), right->value,
                    right->right);
      }
      const Node& middle = *right->left;
      return Make(Make(std::move(left), std::move(value), middle.left), middle.value,
                  Make(middle.right, right->value, right->right));
    }
    return Make(std::move(left), std::move(value), std::move(right));
  }

  static NodePtr InsertAt(const NodePtr& node, T value) {
    if (node == nullptr) return Make(nullptr, std::move(value), nullptr);
    if (Less{}(value, node->value)) {
      return Balance(InsertAt(node->left, std::move(value)), node->value, node->right);
    }
    if (Less{}(node->value, value)) {
      return Balance(node->left, node->value, InsertAt(node->right, std::move(value)));
    }
    return Make(node->left, std::move(value), node->right);
  }

  template <class K>
  static NodePtr EraseAt(const NodePtr& node, const K& key) {
    if (Less{}(key, node->value)) {
      return Balance(EraseAt(node->left, key), node->value, node->right);
    }
    if (Less{}(node->value, key)) {
      return Balance(node->left, node->value, EraseAt(node->right, key));
    }
    if (node->left == nullptr) return node->right;
    if (node->right == nullptr) return node->left;
    const Node* next = node->right.get();
    while (next->left != nullptr) next = next->left.get();
    return Balance(node->left, next->value, EraseFirst(node->right));
  }

  static NodePtr EraseFirst(const NodePtr& node) {
    if (node->left == nullptr) return node->right;
    return Balance(EraseFirst(node->left), node->value, node->right);
  }

  template <class K, class Worth, class Visit>
  static bool VisitFromAt(const Node* node, const K& from, const Worth& worth, Visit& visit) {
    if (node == nullptr || !worth(node->summary)) return true;
    if (Less{}(node->value, from)) return VisitFromAt(node->right.get(), from, worth, visit);
    return VisitFromAt(node->left.get(), from, worth, visit) && visit(node->value) &&
           VisitAllAt(node->right.get(), worth, visit);
  }

  template <class Worth, class Visit>
  static bool VisitAllAt(const Node* node, const Worth& worth, Visit& visit) {
    if (node == nullptr || !worth(node->summary)) return true;
    return VisitAllAt(node->left.get(), worth, visit) && visit(node->value) &&
           VisitAllAt(node->right.get(), worth, visit);
  }

  // Negative if something is wrong.
  static int CheckedHeight(const Node* node) {
    if (node == nullptr) return 0;
    const int left = CheckedHeight(node->left.get());
    const int right = CheckedHeight(node->right.get());
    const int height = 1 + std::max(left, right);
    const bool good =
        left >= 0 && right >= 0 && std::abs(left - right) <= 1 && node->height == height;
    return good ? height : -1;
  }

  NodePtr root_;
};

}  // namespace hallmark
