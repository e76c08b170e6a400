# SPDX-License-Identifier: BSD-3-Clause
"""What must hold of a node at rest: when nobody sends and nobody changes anything."""
import re
import time

# What drivers, a full disk and a killed control process make dripd say: the first when an interface
# is deleted, whose XDP program is gone with it.
MAY_SAY = re.compile(
    r"bpf_xdp_detach failed|removing XDP program|No space left on device"
    r"|control process \d+ was killed by signal 9 "
)
TAKEN = ("rx_packets", "rx_missed", "rx_errors", "rx_no_mbuf")
GONE = ("tx_packets", "tx_errors")


def near(sent, taken):
    """Two counters that are read one after the other, of the kernel and of a driver."""
    return abs(sent - taken) <= max(3, sent // 1000)


def all_taken(sent, taken, missed):
    """The kernel counts as dropped, and so as missed, what it gave to a packet socket and then has no
    other use for: frames with two tags, and tagged ones that are not IP. So there may be too many.
    """
    total = sum(taken)
    return near(sent, total) or total - missed <= sent <= total


def bucket_balance(status):
    """All that came to a bucket less what became of it: 0."""
    count = lambda name: int(status.get(name, 0))
    gone = sum(map(count, ("processed_requests", "rejected_requests", "dropped_requests")))
    return count("total_requests") - gone - count("queue_size")


def settles(value, seconds=10):
    """Whether `value()`, read of counters that may just change, becomes true."""
    deadline = time.monotonic() + seconds
    while not value():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class Invariants:
    def __init__(self, node, journal):
        self.node, self.journal = node, journal
        self.begin_of_life()

    def begin_of_life(self):
        """The node is a new process: its counters begin at zero."""
        self.outside = None

    def hold(self, hosts_are_comparable):
        """`hosts_are_comparable`: no interface was down or gone since the last call."""
        check, daemon = self.journal.check, self.node.daemon
        if not check(self.node.alive(), "dripd runs", f"exit code {daemon.process.returncode}"):
            return
        balance = daemon.balance()
        check(balance.holds, "received = sent + dropped + waiting", balance.text)
        self.buckets()
        self.ends(hosts_are_comparable)
        lines = self.node.log().splitlines()
        errors = [line for line in lines if " error " in line and not MAY_SAY.search(line)]
        check(not errors, "no error in the log", "; ".join(errors[:3]))

    def buckets(self):
        def all_even():
            buckets = self.node.daemon.ctl("bucket", "list").get("buckets", [])
            self.uneven = [
                f"{one['config']['bucket_id']}: {bucket_balance(one)}"
                for one in buckets
                if not one["config"].get("inner") and bucket_balance(one) != 0
            ]
            return not self.uneven

        self.journal.check(
            settles(all_even),
            "each bucket: came = left + rejected + dropped + waiting",
            ", ".join(self.uneven),
        )

    def ends(self, comparable):
        """The hosts' own counters beside those of the ports."""

        def read():
            """By side: what the host sent and got, and what the port counted."""
            ports = {one["name"]: one for one in self.node.daemon.ctl("port", "list")["ports"]}
            hosts = {"left": self.node.link.left, "right": self.node.link.right}
            return {
                side: dict(zip(("got", "sent"), self.eth0(host)))
                | {name: int(ports[side].get(name, 0)) for name in TAKEN + GONE}
                for side, host in hosts.items()
            }

        def same():
            now = read()
            self.rises = {
                side: {name: now[side][name] - before[name] for name in before}
                for side, before in self.outside.items()
            }
            return all(
                all_taken(rise["sent"], [rise[name] for name in TAKEN], rise["rx_missed"])
                and near(rise["got"], rise["tx_packets"])
                for rise in self.rises.values()
            )

        if self.outside and comparable:
            holds = settles(same)
            self.journal.check(
                holds, "hosts sent = ports took, and hosts got = ports sent", f"{self.rises}"
            )
        self.outside = read()

    @staticmethod
    def eth0(host):
        """Packets received, and sent: those too that veth had no room for, which it calls dropped."""
        fields = [int(field) for field in host.proc("dev").split("eth0:")[1].split()]
        return fields[1], fields[9] + fields[11]
