# SPDX-License-Identifier: BSD-3-Clause
"""What hosts send through the node: frames of all lengths and kinds, floods, and TCP."""
import time

from frames import IPV4, IPV6, QINQ, VLAN, ethernet, ipv4, ipv6, ipv6_fragment, pattern, udp
from steady_sender import SteadySender

EXPERIMENTAL = 0x88B5
FLOOD_PORT, TCP_PORT = 5301, 5302


def frames_of_all_kinds(longest):
    """Runts to the longest, tagged, tunnelled, fragmented, damaged."""
    made = []
    for source in range(0, 256, 7):
        for port in range(6000, 6016, 3):
            size = (source * 37 + port * 11) % (longest - 60)
            data = udp(port, pattern(size), 40000 + source)
            made.append(ethernet(IPV4, ipv4(f"198.51.100.{source}", "203.0.113.9", data)))
    made += [pattern(size) for size in (14, 15, 20, 33)]
    made += [ethernet(EXPERIMENTAL, pattern(size)) for size in (1, 46, 700, longest - 14)]
    inner = ipv4("198.51.100.1", "203.0.113.9", udp(6001, pattern(99)), ds_field=0xB8 | 1)
    made += [ethernet(IPV4, inner, tags) for tags in ([(VLAN, 5)], [(QINQ, 7), (VLAN, 5)])]
    data = udp(6002, pattern(200))
    made.append(ethernet(IPV6, ipv6("2001:db8::1", "2001:db8::2", data)))
    made += [
        ethernet(IPV6, ipv6_fragment("2001:db8::1", "2001:db8::2", data[:104], 0, True)),
        ethernet(IPV6, ipv6_fragment("2001:db8::1", "2001:db8::2", data[104:], 104, False)),
    ]
    made += [ethernet(IPV4, inner[:length]) for length in range(0, len(inner), 5)]
    made += [ethernet(IPV4, bytes([value]) + inner[1:]) for value in (0x4F, 0x40, 0x65, 0xFF)]
    return made


def odd_frames(link, a_second, longest):
    """A sender of them, in turns."""
    frames = frames_of_all_kinds(longest)
    return SteadySender(link, a_second, lambda number: frames[number % len(frames)])


class Programs:
    """iperf3: a flood of small datagrams, and connections, for so many seconds."""

    def __init__(self, link, seconds):
        self.link, self.seconds = link, seconds

    def __enter__(self):
        left, right = self.link.left, self.link.right
        self.servers = [
            right.spawn("iperf3", "--server", "--one-off", "--port", str(port))
            for port in (FLOOD_PORT, TCP_PORT)
        ]
        time.sleep(0.3)
        client = ["iperf3", "--client", right.address, "--time", str(self.seconds)]
        self.clients = [
            left.spawn(*client, "--port", str(FLOOD_PORT), "--udp", "--bitrate", "0", "-l", "100"),
            left.spawn(*client, "--port", str(TCP_PORT), "--parallel", "4"),
        ]
        return self

    def __exit__(self, *_):
        for process in self.clients + self.servers:
            if process.poll() is None:
                process.terminate()
        for process, host in [(p, self.link.left) for p in self.clients] + [
            (p, self.link.right) for p in self.servers
        ]:
            try:
                process.wait(10)
            except Exception:
                process.kill()
                process.wait()
            host.processes.remove(process)
