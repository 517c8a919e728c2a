#include <filesystem>
#include <system_error>
#include <utility>

#include "alertd/notify/channel.h"
#include "alertd/notify/mail.h"
#include "base/file.h"

namespace atalaya::alertd {
namespace {

constexpr unsigned kMailMode = 0600;

// A repeated attempt writes the same file again, so that nothing doubles.
Status WriteMail(const std::filesystem::path& directory, const std::string& notice_id,
                 const std::string& message) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed)
    return Fail(ErrorCode::kIo, "{}: cannot create: {}", directory.string(), failed.message());
  return WriteFileAtomic(directory / (notice_id + ".eml"), message, kMailMode);
}

class MailDirectoryChannel final : public Channel {
 public:
  MailDirectoryChannel(const ReceiverConfig& receiver, const ChannelContext& context)
      : config_(receiver.email), context_(context) {}

  void Deliver(const Notice& notice, const std::string& /*target*/, Done done) override {
    const std::string to = fmt::format("{}", fmt::join(config_.to, ",\r\n "));
    std::string message = RenderMail(notice, {config_.from, to}, context_.external_url);
    context_.workers->Run([this, id = notice.id, message = std::move(message),
                           done = std::move(done)](const std::stop_token&) {
      using Kind = DeliveryOutcome::Kind;
      const Status written = WriteMail(config_.directory, id, message);
      done({written ? Kind::kAccepted : Kind::kRetry, written ? "" : written.error().message,
            std::nullopt});
    });
  }

 private:
  EmailConfig config_;
  ChannelContext context_;
};

}  // namespace

std::unique_ptr<Channel> MakeMailDirectoryChannel(const ReceiverConfig& receiver,
                                                  const ChannelContext& context) {
  return std::make_unique<MailDirectoryChannel>(receiver, context);
}

}  // namespace atalaya::alertd
