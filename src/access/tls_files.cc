// SPDX-License-Identifier: BSD-3-Clause
// Reads PEM files and checks with OpenSSL that they can be used, before gRPC gets them.
#include "access/tls_files.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/file_descriptor.h"
#include "base/log.h"
#include "base/text.h"

namespace drip::access {
namespace {

constexpr std::int64_t kWarnBeforeSeconds = 7 * 24 * 3600;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, Free>;
using CertificatePtr = std::unique_ptr<X509, Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;

absl::Status unusable(std::string_view field, const std::string& path, std::string_view why) {
  return absl::InvalidArgumentError(joined(field, ": ", path, ": ", why));
}

absl::StatusOr<std::string> content_of(std::string_view field, const std::string& path,
                                       bool is_secret) {
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto failed = [&] {
    return unusable(field, path,
                    joined("cannot be read: ", std::generic_category().message(errno)));
  };
  if (!fd) return failed();
  struct stat file {};
  if (fstat(fd.get(), &file) != 0) return failed();
  if (!S_ISREG(file.st_mode)) return unusable(field, path, "is no file");
  if (is_secret && (file.st_mode & S_IRWXO) != 0) {
    return unusable(field, path,
                    fmt::format("mode {:04o} is not allowed: every user of this machine can use "
                                "the key; allowed: 0600, or 0640 for a group",
                                file.st_mode & 07777));
  }
  std::string text;
  char chunk[4096];
  for (;;) {
    const ssize_t size = read(fd.get(), chunk, sizeof chunk);
    if (size < 0) return failed();
    if (size == 0) return text;
    text.append(chunk, static_cast<std::size_t>(size));
  }
}

BioPtr bio_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Instead of OpenSSL's own, which asks on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 0;
}

std::int64_t epoch_of(const ASN1_TIME* time) {
  std::tm broken_down{};
  if (ASN1_TIME_to_tm(time, &broken_down) != 1) return 0;
  return timegm(&broken_down);
}

std::string text_of(std::int64_t epoch) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time_t{epoch}));
}

// Every certificate of the file, the first one in `first`.
absl::Status read_certificates(std::string_view field, const std::string& path,
                               const std::string& text, CertificatePtr* first) {
  const BioPtr bio = bio_of(text);
  std::size_t count = 0;
  for (;; ++count) {
    CertificatePtr one(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (one == nullptr) break;
    if (count == 0 && first != nullptr) *first = std::move(one);
  }
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    return unusable(field, path, joined("certificate ", count + 1, " is damaged"));
  }
  if (count == 0) return unusable(field, path, "has no certificate in PEM");
  return absl::OkStatus();
}

absl::Status check_validity(const std::string& path, X509* certificate, TlsMaterial& material) {
  const std::int64_t begin = epoch_of(X509_get0_notBefore(certificate));
  const std::int64_t end = epoch_of(X509_get0_notAfter(certificate));
  const std::int64_t now = std::time(nullptr);
  if (now < begin) return unusable("tls_cert", path, joined("is valid only from ", text_of(begin)));
  if (now >= end) return unusable("tls_cert", path, joined("expired at ", text_of(end)));
  material.expires_epoch_s = end;
  material.expiry = text_of(end);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsMaterial> read_tls(const TlsPaths& paths) {
  TlsMaterial material;
  absl::StatusOr<std::string> cert = content_of("tls_cert", paths.cert, false);
  if (!cert.ok()) return cert.status();
  absl::StatusOr<std::string> key = content_of("tls_key", paths.key, true);
  if (!key.ok()) return key.status();
  ERR_clear_error();
  CertificatePtr certificate;
  absl::Status status = read_certificates("tls_cert", paths.cert, *cert, &certificate);
  if (!status.ok()) return status;
  bool asked = false;
  const BioPtr bio = bio_of(*key);
  const KeyPtr private_key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &asked));
  ERR_clear_error();
  if (private_key == nullptr) {
    return unusable("tls_key", paths.key,
                    asked ? "has a passphrase, which dripd cannot ask for" : "has no key in PEM");
  }
  if (X509_check_private_key(certificate.get(), private_key.get()) != 1) {
    ERR_clear_error();
    return unusable("tls_key", paths.key,
                    joined("is not the key of the certificate in ", paths.cert));
  }
  status = check_validity(paths.cert, certificate.get(), material);
  if (!status.ok()) return status;
  if (!paths.client_ca.empty()) {
    absl::StatusOr<std::string> client_ca = content_of("tls_client_ca", paths.client_ca, false);
    if (!client_ca.ok()) return client_ca.status();
    status = read_certificates("tls_client_ca", paths.client_ca, *client_ca, nullptr);
    if (!status.ok()) return status;
    material.client_ca = *std::move(client_ca);
  }
  material.cert_chain = *std::move(cert);
  material.private_key = *std::move(key);
  return material;
}

TlsFiles::TlsFiles(TlsPaths paths, const Stamps& stamps, TlsMaterialRef material)
    : paths_(std::move(paths)), stamps_(stamps), material_(std::move(material)) {}

TlsFiles::Stamps TlsFiles::stamps_of(const TlsPaths& paths) {
  return {stamp_of(paths.cert), stamp_of(paths.key),
          paths.client_ca.empty() ? FileStamp{} : stamp_of(paths.client_ca)};
}

absl::StatusOr<std::shared_ptr<TlsFiles>> TlsFiles::load(TlsPaths paths) {
  // Before they are read, so that what is written meanwhile is read as well.
  const Stamps stamps = stamps_of(paths);
  absl::StatusOr<TlsMaterial> material = read_tls(paths);
  if (!material.ok()) return material.status();
  return std::shared_ptr<TlsFiles>(new TlsFiles(
      std::move(paths), stamps, std::make_shared<const TlsMaterial>(*std::move(material))));
}

TlsMaterialRef TlsFiles::current() const {
  MutexLock lock(mutex_);
  return material_;
}

void TlsFiles::reload_changed() {
  const Stamps stamps = stamps_of(paths_);
  {
    MutexLock lock(mutex_);
    if (stamps == stamps_) return;
    stamps_ = stamps;
  }
  absl::StatusOr<TlsMaterial> material = read_tls(paths_);
  if (!material.ok()) {
    log_error("TLS: {}; the certificate and key of before stay in use",
              message_of(material.status()));
    MutexLock lock(mutex_);
    error_ = message_of(material.status());
    return;
  }
  log_info("TLS: new connections use the certificate of {}, valid until {}", paths_.cert,
           material->expiry);
  MutexLock lock(mutex_);
  error_.clear();
  material_ = std::make_shared<const TlsMaterial>(*std::move(material));
}

std::vector<std::string> TlsFiles::warnings() const {
  std::vector<std::string> warnings;
  MutexLock lock(mutex_);
  if (!error_.empty()) {
    warnings.push_back(joined(
        "TLS: a file has an error, so the certificate and key of before are in use: ", error_));
  }
  const std::int64_t left = material_->expires_epoch_s - std::time(nullptr);
  if (left <= 0) {
    warnings.push_back(joined("TLS: the certificate in use expired at ", material_->expiry));
  } else if (left < kWarnBeforeSeconds) {
    warnings.push_back(joined("TLS: the certificate in use expires at ", material_->expiry));
  }
  return warnings;
}

}  // namespace drip::access
