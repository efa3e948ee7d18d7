// What every KeyStore must do, as one parametrised suite.
#pragma once

#include "keystate/key_store.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

namespace hallmark::store {

// An empty store that can be closed and opened again.
class KeyStoreFixture {
 public:
  virtual ~KeyStoreFixture() = default;
  // The open store.
  virtual KeyStore& store() = 0;
  // Closes the store and opens what it left behind.
  virtual void Reopen() = 0;
};

struct KeyStoreFactory {
  std::string name;
  std::function<std::unique_ptr<KeyStoreFixture>()> make;
};
inline void PrintTo(const KeyStoreFactory& factory, std::ostream* out) { *out << factory.name; }

class KeyStoreConformance : public ::testing::TestWithParam<KeyStoreFactory> {
 protected:
  KeyStoreConformance() : fixture_(GetParam().make()) {}
  KeyStore& store() { return fixture_->store(); }
  void Reopen() { fixture_->Reopen(); }

 private:
  std::unique_ptr<KeyStoreFixture> fixture_;
};

}  // namespace hallmark::store
