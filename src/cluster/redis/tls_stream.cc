// SPDX-License-Identifier: BSD-3-Clause
// OpenSSL between two buffers in memory, so that it never touches a socket or a signal.
#include "cluster/redis/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.h"

namespace drip::cluster {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, Free>;
using SslPtr = std::unique_ptr<SSL, Free>;

std::string openssl_reason() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return reason == nullptr ? "TLS failed" : reason;
}

absl::Status unusable(std::string_view what, const std::string& path) {
  return absl::InvalidArgumentError(joined("TLS, ", what, " '", path, "': ", openssl_reason()));
}

absl::StatusOr<ContextPtr> make_context(const TlsFiles& files) {
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return absl::ResourceExhaustedError("TLS: no memory");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (files.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), files.ca.c_str(), nullptr) != 1) {
    return unusable("CA file", files.ca);
  }
  if (!files.cert.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), files.cert.c_str()) != 1) {
      return unusable("certificate", files.cert);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1) {
      return unusable("key", files.key);
    }
  }
  return context;
}

absl::StatusOr<SslPtr> make_ssl(const std::string& host, const TlsFiles& files) {
  ERR_clear_error();
  const auto context = make_context(files);
  if (!context.ok()) return context.status();
  SslPtr ssl(SSL_new(context->get()));  // Holds the context from here on.
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  if (ssl == nullptr || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    return absl::ResourceExhaustedError("TLS: no memory");
  }
  SSL_set_bio(ssl.get(), in, out);
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1) {
    SSL_set1_host(ssl.get(), host.c_str());
    SSL_set_tlsext_host_name(ssl.get(), host.c_str());
  }
  ERR_clear_error();
  SSL_set_connect_state(ssl.get());
  return ssl;
}

class TlsStream final : public ByteStream {
 public:
  TlsStream(std::unique_ptr<ByteStream> under, SslPtr ssl)
      : under_(std::move(under)), ssl_(std::move(ssl)) {}

  absl::Status handshake(Deadline deadline) {
    return until_done(deadline, [this] { return SSL_do_handshake(ssl_.get()); });
  }
  absl::Status write(std::string_view bytes, Deadline deadline) override {
    while (!bytes.empty()) {
      std::size_t written = 0;
      auto status = until_done(
          deadline, [&] { return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written); });
      if (!status.ok()) return status;
      bytes.remove_prefix(written);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::size_t> read(std::span<char> into, Deadline deadline) override {
    std::size_t count = 0;
    auto status = until_done(
        deadline, [&] { return SSL_read_ex(ssl_.get(), into.data(), into.size(), &count); });
    if (!status.ok()) return status;
    return count;
  }

 private:
  // Calls OpenSSL until it has done what was asked, and carries its records in between.
  template <class Call>
  absl::Status until_done(Deadline deadline, Call call) {
    while (true) {
      ERR_clear_error();
      const int result = call();
      const int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
      // Also after a failure: an alert tells the peer why.
      const absl::Status sent = send_records(deadline);
      if (absl::IsUnavailable(sent)) return reason_of_closing(sent, deadline);
      if (error == SSL_ERROR_NONE) return sent;
      if (error != SSL_ERROR_WANT_READ) return failure(error);
      if (!sent.ok()) return sent;
      if (auto status = receive_records(deadline); !status.ok()) return status;
    }
  }
  absl::Status send_records(Deadline deadline) {
    char* records = nullptr;
    BIO* const out = SSL_get_wbio(ssl_.get());
    const long size = BIO_get_mem_data(out, &records);
    if (size <= 0) return absl::OkStatus();
    auto status =
        under_->write(std::string_view(records, static_cast<std::size_t>(size)), deadline);
    (void)BIO_reset(out);
    return status;
  }
  absl::Status receive_records(Deadline deadline) {
    std::array<char, 16 * 1024> records;
    const auto count = under_->read(records, deadline);
    if (!count.ok()) return count.status();
    BIO_write(SSL_get_rbio(ssl_.get()), records.data(), static_cast<int>(*count));
    return absl::OkStatus();
  }
  // A peer that closes after the handshake, for want of a certificate of ours, has said so before.
  absl::Status reason_of_closing(const absl::Status& closed, Deadline deadline) {
    if (!receive_records(deadline).ok()) return closed;
    char byte = 0;
    std::size_t count = 0;
    ERR_clear_error();
    const int result = SSL_peek_ex(ssl_.get(), &byte, 1, &count);
    const int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
    return error == SSL_ERROR_SSL ? failure(error) : closed;
  }
  absl::Status failure(int error) {
    if (error == SSL_ERROR_ZERO_RETURN) {
      return absl::UnavailableError("TLS: the peer closed the connection");
    }
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verdict != X509_V_OK) {
      ERR_clear_error();
      return absl::UnauthenticatedError(
          joined("TLS: the peer's certificate: ", X509_verify_cert_error_string(verdict)));
    }
    return absl::UnauthenticatedError(joined("TLS: ", openssl_reason()));
  }

  const std::unique_ptr<ByteStream> under_;
  const SslPtr ssl_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> connect_tls(std::unique_ptr<ByteStream> stream,
                                                        const std::string& host,
                                                        const TlsFiles& files, Deadline deadline) {
  auto ssl = make_ssl(host, files);
  if (!ssl.ok()) return ssl.status();
  auto tls = std::make_unique<TlsStream>(std::move(stream), *std::move(ssl));
  if (auto status = tls->handshake(deadline); !status.ok()) return status;
  return tls;
}

}  // namespace drip::cluster
