// SPDX-License-Identifier: BSD-3-Clause
// Which certificates and keys are taken, and what becomes of those that are replaced.
#include "access/tls_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/text.h"
#include "support/certificates.h"
#include "support/temporary_directory.h"

namespace drip::access {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() : first_(ca_.issue({"dripd", {"DNS:localhost"}})) { write(first_); }

  void write(const IssuedCertificate& issued) {
    write_key(issued.key);
    directory_.write("cert", issued.certificate);
  }
  void write_key(const std::string& pem) {
    const std::string path = directory_.write("key", pem);
    ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  }
  TlsPaths paths(const std::string& client_ca = "") const {
    return {directory_.path_of("cert"), directory_.path_of("key"),
            client_ca.empty() ? "" : directory_.path_of(client_ca)};
  }
  std::string error() const { return std::string(message_of(read_tls(paths()).status())); }

  TemporaryDirectory directory_;
  CertificateAuthority ca_{"ca"};
  IssuedCertificate first_;
};

TEST_F(TlsFilesTest, APairThatFitsIsTaken) {
  directory_.write("ca", ca_.certificate());
  const auto material = read_tls(paths("ca"));
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_EQ(material->cert_chain, first_.certificate);
  EXPECT_EQ(material->private_key, first_.key);
  EXPECT_EQ(material->client_ca, ca_.certificate());
}

TEST_F(TlsFilesTest, AKeyThatEveryUserCanReadIsRefused) {
  const std::string key = directory_.path_of("key");
  ASSERT_EQ(chmod(key.c_str(), 0644), 0);
  EXPECT_EQ(error(), "tls_key: " + key +
                         ": mode 0644 is not allowed: every user of this machine can use the key; "
                         "allowed: 0600, or 0640 for a group");
  ASSERT_EQ(chmod(key.c_str(), 0640), 0);
  EXPECT_EQ(error(), "");
}

TEST_F(TlsFilesTest, ErrorsNameTheFileAndWhatIsWrong) {
  write_key(ca_.issue({"other", {}}).key);
  EXPECT_THAT(error(), HasSubstr("key: is not the key of the certificate in "));
  write_key("no key");
  EXPECT_THAT(error(), HasSubstr("key: has no key in PEM"));
  write(first_);
  directory_.write("cert", "no certificate");
  EXPECT_THAT(error(), HasSubstr("cert: has no certificate in PEM"));
  std::string damaged = first_.certificate;
  damaged[damaged.size() / 2] = '!';
  directory_.write("cert", damaged);
  EXPECT_THAT(error(), HasSubstr("cert: certificate 1 is damaged"));
  directory_.write("cert", first_.certificate + damaged);
  EXPECT_THAT(error(), HasSubstr("cert: certificate 2 is damaged"));
  std::filesystem::remove(directory_.path_of("cert"));
  EXPECT_THAT(error(), HasSubstr("cert: cannot be read: No such file or directory"));
}

TEST_F(TlsFilesTest, ACertificateOutsideOfItsTimeIsRefused) {
  write(ca_.issue({"dripd", {}, -7200, -3600}));
  EXPECT_THAT(error(), HasSubstr("cert: expired at 20"));
  write(ca_.issue({"dripd", {}, 3600, 7200}));
  EXPECT_THAT(error(), HasSubstr("cert: is valid only from 20"));
}

TEST_F(TlsFilesTest, ANewPairIsUsedABadOneKeepsTheOneOfBefore) {
  auto loaded = TlsFiles::load(paths());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  TlsFiles& files = **loaded;
  const TlsMaterialRef before = files.current();
  files.reload_changed();
  EXPECT_EQ(files.current(), before) << "nothing has changed";

  const IssuedCertificate second = ca_.issue({"dripd", {"DNS:localhost"}, -3600, 30L * 24 * 3600});
  write_key(second.key);  // Its certificate is not there yet.
  files.reload_changed();
  EXPECT_EQ(files.current(), before);
  EXPECT_THAT(files.warnings(),
              ElementsAre(HasSubstr("is not the key of the certificate"), HasSubstr("expires at")));
  write(second);
  files.reload_changed();
  EXPECT_EQ(files.current()->cert_chain, second.certificate);
  EXPECT_THAT(files.warnings(), IsEmpty());
}

TEST_F(TlsFilesTest, WarnsAWeekBeforeTheCertificateExpires) {
  write(ca_.issue({"dripd", {}, -3600, 8L * 24 * 3600}));
  EXPECT_THAT((*TlsFiles::load(paths()))->warnings(), IsEmpty());
  write(ca_.issue({"dripd", {}, -3600, 6L * 24 * 3600}));
  EXPECT_THAT((*TlsFiles::load(paths()))->warnings(),
              ElementsAre(HasSubstr("the certificate in use expires at")));
}

}  // namespace
}  // namespace drip::access
