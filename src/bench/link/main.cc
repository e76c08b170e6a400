// SPDX-License-Identifier: BSD-3-Clause
// drip-link: reads the command line and runs one of its commands.
#include <CLI/CLI.hpp>
#include <exception>

#include "commands.h"
#include "fmt/format.h"
#include "traffic.h"

int main(int argc, char** argv) {
  using namespace drip::bench;  // NOLINT(google-build-using-namespace): its only user.
  CLI::App app("drip-link: sends, receives, delays and weighs traffic between kernel interfaces.");
  app.require_subcommand(1);

  SendOptions sending;
  CLI::App* const sender = app.add_subcommand("send", "UDP frames of many flows");
  sender->add_option("--interface", sending.interface)->required();
  sender->add_option("--frame-bytes", sending.frame_bytes, "without FCS")
      ->check(CLI::Range(std::size_t{kLeastFrameBytes}, std::size_t{9000}));
  sender->add_option("--flows", sending.flows, "in turn, by destination port")
      ->check(CLI::Range(1U, kMaxFlows));
  sender->add_option("--seconds", sending.seconds)->check(CLI::PositiveNumber);
  sender->add_option("--pps", sending.pps, "0: as fast as it goes")->check(CLI::NonNegativeNumber);
  sender->add_flag("--spin", sending.spin, "each frame at its own moment");
  sender->add_option("--cpu", sending.cpu);
  sender->add_option("--stalls", sending.stalls_path, "file for the stalls of --spin");

  ReceiveOptions receiving;
  CLI::App* const receiver = app.add_subcommand("receive", "the gaps between one flow's frames");
  receiver->add_option("--interface", receiving.interface)->required();
  receiver->add_option("--flow", receiving.flow)->check(CLI::Range(0U, kMaxFlows - 1));
  receiver->add_option("--seconds", receiving.seconds)->check(CLI::PositiveNumber);
  receiver->add_option("--skip-seconds", receiving.skip_seconds)->check(CLI::NonNegativeNumber);
  receiver->add_option("--ideal-gap-ns", receiving.ideal_gap_ns)->check(CLI::NonNegativeNumber);
  receiver->add_option("--cpu", receiving.cpu);
  receiver->add_option("--stamps", receiving.stamps_path, "file for the stamps of all frames");

  SoakOptions soaking;
  CLI::App* const soaker = app.add_subcommand("soak", "how much of a CPU others leave over");
  soaker->add_option("--seconds", soaking.seconds)->check(CLI::PositiveNumber);
  soaker->add_option("--cpu", soaking.cpu)->required();

  DelayOptions delaying;
  CLI::App* const delayer = app.add_subcommand("delay", "what is routed into it leaves later");
  delayer->add_option("--tun", delaying.tun, "the interface that it makes")->required();
  delayer->add_option("--interface", delaying.interface, "out of which it goes")->required();
  delayer->add_option("--to-mac", delaying.to_mac, "of whoever is to get it")->required();
  delayer->add_option("--delay", delaying.delays, "by destination")
      ->required()
      ->type_name("ADDRESS=MS");

  CLI11_PARSE(app, argc, argv);
  try {
    if (sender->parsed()) send(sending);
    if (receiver->parsed()) receive(receiving);
    if (soaker->parsed()) soak(soaking);
    if (delayer->parsed()) delay(delaying);
  } catch (const std::exception& error) {
    fmt::print(stderr, "drip-link: {}\n", error.what());
    return 1;
  }
  return 0;
}
