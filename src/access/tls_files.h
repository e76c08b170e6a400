// SPDX-License-Identifier: BSD-3-Clause
// The certificate, key and client CA of a server, read again when their files change.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file_stamp.h"
#include "base/mutex.h"

namespace drip::access {

struct TlsPaths {
  std::string cert;       ///< PEM: the server's certificate, then those between it and its CA.
  std::string key;        ///< PEM, without a passphrase.
  std::string client_ca;  ///< PEM: who may sign certificates of clients; empty: none are asked for.

  friend bool operator==(const TlsPaths&, const TlsPaths&) = default;
};

/// The content of the files, checked: key and certificate belong together.
struct TlsMaterial {
  std::string cert_chain;
  std::string private_key;
  std::string client_ca;
  std::string expiry;  ///< Of the certificate, as text.
  std::int64_t expires_epoch_s = 0;
};
using TlsMaterialRef = std::shared_ptr<const TlsMaterial>;

/// INVALID_ARGUMENT naming the file and what is wrong: it cannot be read, is no PEM, has a
/// passphrase, does not fit the key, is expired or not valid yet; a key that every user of the
/// machine can read or write.
[[nodiscard]] absl::StatusOr<TlsMaterial> read_tls(const TlsPaths& paths);

/// What the TLS of a server is at present. Thread safe.
class TlsSource {
 public:
  virtual ~TlsSource() = default;
  /// What new connections are to use. Another pointer after each change, the same one between.
  [[nodiscard]] virtual TlsMaterialRef current() const = 0;
  [[nodiscard]] virtual bool verifies_clients() const = 0;
};

/// Thread safe.
class TlsFiles final : public TlsSource {
 public:
  /// The errors of read_tls().
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<TlsFiles>> load(TlsPaths paths);

  [[nodiscard]] TlsMaterialRef current() const override;
  [[nodiscard]] bool verifies_clients() const override { return !paths_.client_ca.empty(); }

  /// Reads the files again if one of them has changed. With an error in them what was before stays
  /// in use, and the error is logged. A pair that is being replaced, so that key and certificate do
  /// not fit, is tried again with the next change.
  void reload_changed();

  /// What the operator should know, in sentences: files with an error, an expiry that is near.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  struct Stamps {
    FileStamp cert, key, client_ca;
    friend bool operator==(const Stamps&, const Stamps&) = default;
  };
  TlsFiles(TlsPaths paths, const Stamps& stamps, TlsMaterialRef material);
  [[nodiscard]] static Stamps stamps_of(const TlsPaths& paths);

  const TlsPaths paths_;
  mutable Mutex mutex_;
  Stamps stamps_ ABSL_GUARDED_BY(mutex_);
  TlsMaterialRef material_ ABSL_GUARDED_BY(mutex_);
  std::string error_ ABSL_GUARDED_BY(mutex_);  // Of the files as they are now; empty: none.
};

}  // namespace drip::access
