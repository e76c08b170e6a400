#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A per-flow rule changes under load: max_flows, capacity, name, prefix and key. No flow gets a
second rate beside the first, none is put out of order, and nothing is lost that is not counted."""
import collections
import dataclasses
import json
import threading
import time

import stage
from frames import IPV4, ethernet, ipv4, pattern, udp
from packet_socket import PacketSocket
from stage import check, wait_until

RATE = 200  # Of a bucket, packets a second.
CAPACITY = 100  # Half a second of queue: a second bucket would send that at once beside the first.
OFFERED = 3 * RATE  # By each source.
SLOW = RATE // 4  # For a queue that is long in time.
LONG_QUEUE = 4  # Seconds.
SOURCES = [f"198.51.100.{host}" for host in range(1, 5)]
PORTS = (7000, 7001)
DESTINATION = "203.0.113.9"
WINDOW = 0.5  # Seconds over which a rate is taken.
# A busy machine may deliver what left over a longer time in a window; a second bucket would double
# the rate.
MOST = 1.3 * RATE * WINDOW + 2
PHASE = 2.0  # Seconds of load after each change.
SETTLED = 1.0  # After it the flows of a former key are gone.
MARK = b"flow"
HEADERS = 14 + 20 + 8


@dataclasses.dataclass(frozen=True)
class Arrived:
    at: float  # By the kernel of the receiver.
    source: str
    port: int
    number: int  # Counts the packets of one source and port.


def of_source(packet):
    return packet.source


def of_network(packet):
    return packet.source.rsplit(".", 1)[0]


def of_flow(packet):
    return packet.source, packet.port


class Load:
    """All sources send to both ports, at three times the rate that one bucket has."""

    def __init__(self, link):
        self.left = PacketSocket(link.left)
        self.numbers = collections.Counter()
        self.sent = 0
        self.running = True
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.left.__exit__()

    def run(self):
        flows = [(source, port) for port in PORTS for source in SOURCES]
        rate = OFFERED * len(SOURCES)
        begin, due = time.monotonic(), 0
        while self.running:
            # What a busy machine has made very late is left out: the port has room for a burst of
            # so many.
            now = int((time.monotonic() - begin) * rate)
            due = max(due, now - 400)
            while due < now:
                source, port = flows[due % len(flows)]
                number = self.numbers[source, port]
                payload = MARK + number.to_bytes(4, "big") + pattern(100)
                frame = ethernet(IPV4, ipv4(source, DESTINATION, udp(port, payload)))
                self.left.send(frame)
                self.numbers[source, port] = number + 1
                self.sent += 1
                due += 1
            time.sleep(0.002)


class Receiver:
    def __init__(self, right):
        self.right = right
        self.packets = []

    def take(self):
        for frame, at in self.right.arrived():
            if frame[HEADERS : HEADERS + len(MARK)] != MARK:
                continue
            source = ".".join(map(str, frame[26:30]))
            port = int.from_bytes(frame[36:38], "big")
            number = int.from_bytes(frame[HEADERS + 4 : HEADERS + 8], "big")
            self.packets.append(Arrived(at, source, port, number))

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.1)
            self.take()


class Rule:
    """The only rule. `settings`: of its per_flow, as in a rule set's file."""

    def __init__(self, daemon, scratch):
        self.daemon, self.file = daemon, scratch / "rules.json"
        self.name = "customers"
        self.key = ["--per-flow", "source"]
        self.max_flows, self.capacity, self.rate = 64, CAPACITY, RATE

    def set(self, **changed):
        vars(self).update(changed)
        self.daemon.ctl(
            *["rule", "add", self.name, "--proto", "udp", *self.key],
            *["--max-flows", str(self.max_flows), "--capacity", str(self.capacity)],
            *["--rate", f"{self.rate}/s", "--max-catchup", "10ms"],
        )

    def rename(self, name):
        """The same rule under another name, by a set of all rules."""
        rules = self.daemon.ctl("rule", "list", "--as-set")
        rules["rules"][0]["rule_id"] = name
        self.file.write_text(json.dumps(rules))
        self.daemon.ctl("rule", "set", str(self.file))
        self.name = name


SOURCE = ["--per-flow", "source"]
NETWORK = ["--per-flow", "source", "--prefix4", "24"]
FIVE_TUPLE = ["--per-flow", "five-tuple"]


def set_two_keys(rule):
    """The second one while packets wait by the key before the first."""
    rule.set(key=NETWORK)
    rule.set(key=FIVE_TUPLE)


def set_key_and_back(rule):
    """The first key again, while packets wait that came by the one in between: queues are longer
    than what commands take on a busy machine."""
    rule.set(max_flows=16, rate=SLOW, capacity=LONG_QUEUE * SLOW)
    time.sleep(1)
    rule.set(key=NETWORK)
    rule.set(key=SOURCE)


def set_what_is_refused(rule):
    """Another key, together with a rule for which there is no memory."""
    rules = rule.daemon.ctl("rule", "list", "--as-set")
    rules["rules"][0]["per_flow"]["ipv4_prefix_length"] = 24
    much = json.loads(json.dumps(rules["rules"][0]))
    much["rule_id"] = "much"
    much["per_flow"].update(max_flows=65536, capacity=65536)
    rules["rules"].append(much)
    rule.file.write_text(json.dumps(rules))
    done = rule.daemon.run_ctl("rule", "set", str(rule.file))
    check(done.returncode != 0, "65,536 flows of 65,536 packets each have memory")
    check("much" in done.stderr or "rules[1]" in done.stderr, f"for another reason: {done.stderr}")


# What is changed; what shares a bucket before and afterwards.
CHANGES = [
    ("more flows", lambda rule: rule.set(max_flows=100), of_source, of_source),
    ("fewer flows", lambda rule: rule.set(max_flows=4), of_source, of_source),
    ("more flows again", lambda rule: rule.set(max_flows=64), of_source, of_source),
    ("capacity over a power of two", lambda rule: rule.set(capacity=150), of_source, of_source),
    ("capacity back", lambda rule: rule.set(capacity=CAPACITY), of_source, of_source),
    ("another name", lambda rule: rule.rename("subscribers"), of_source, of_source),
    ("shorter prefix", lambda rule: rule.set(key=NETWORK), of_source, of_network),
    ("longer prefix", lambda rule: rule.set(key=SOURCE), of_network, of_source),
    ("key with ports", lambda rule: rule.set(key=FIVE_TUPLE), of_source, of_flow),
    ("key without ports", lambda rule: rule.set(key=SOURCE), of_flow, of_source),
    ("two keys in a row", set_two_keys, of_source, of_flow),
    ("a key again", lambda rule: rule.set(key=SOURCE), of_flow, of_source),
    ("what is refused", set_what_is_refused, of_source, of_source),
    ("the first name", lambda rule: rule.rename("customers"), of_source, of_source),
    ("a key and back", set_key_and_back, of_source, of_source),
]


def most_in_a_window(times):
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] > WINDOW:
            first += 1
        most = max(most, last - first + 1)
    return most


def check_rates(what, packets, bucket_of):
    by_bucket = collections.defaultdict(list)
    for packet in packets:
        by_bucket[bucket_of(packet)].append(packet.at)
    worst = 0
    for bucket, times in by_bucket.items():
        most = most_in_a_window(times)
        worst = max(worst, most)
        check(
            most <= MOST,
            f"{what}: {most} packets of {bucket} within {WINDOW} s, at {RATE}/s",
        )
    return worst


def check_order(packets):
    last = collections.defaultdict(lambda: -1)
    for packet in packets:
        flow = of_flow(packet)
        check(
            packet.number > last[flow],
            f"{flow}: number {packet.number} came after {last[flow]}",
        )
        last[flow] = packet.number


def drops(daemon):
    counts = collections.Counter()
    for lcore in daemon.ctl("lcore", "list")["lcores"]:
        for drop in lcore["drops"]:
            counts[drop["reason"]] += int(drop["packets"])
    return counts


def missed(daemon):
    port = next(one for one in daemon.ctl("port", "list")["ports"] if one["name"] == "left")
    return int(port["rx_missed"]) + int(port["rx_errors"])


def check_nothing_is_lost(daemon, load, receiver):
    """Sent = received + dropped by reason + what did not come as far as dripd."""
    lost = load.sent - len(receiver.packets)
    counted, not_taken = sum(drops(daemon).values()), missed(daemon)
    print(f"{load.sent} sent, {lost} not received: dropped {counted}, not taken in {not_taken}")
    check(0 <= lost - counted <= not_taken, f"{lost} are lost, {counted} and {not_taken} counted")
    check(len(set(receiver.packets)) == len(receiver.packets), "a packet came twice")
    check(drops(daemon)["bucket_full"] > 0, "the load was too low to say anything")


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        rule = Rule(daemon, link.scratch)
        rule.set()
        with PacketSocket(link.right) as right:
            receiver = Receiver(right)
            changed = []  # When each change began, and was made.
            with Load(link) as load:
                receiver.watch(PHASE)
                for what, change, _, _ in CHANGES:
                    before = len(receiver.packets)
                    begin = time.time()
                    change(rule)
                    changed.append((begin, time.time()))
                    receiver.watch(PHASE)
                    check(len(receiver.packets) > before, f"{what}: nothing comes any more")
            changed.append((time.time(), None))
            wait_until(lambda: daemon.balance().waiting == 0, "all have left", 60)
            receiver.watch(0.5)
        packets = receiver.packets
        check_order(packets)
        spans = zip(changed, changed[1:])
        for (what, _, before, after), ((begin, made), (end, _)) in zip(CHANGES, spans):
            during = [one for one in packets if begin - WINDOW <= one.at < end]
            later = [one for one in packets if made + SETTLED <= one.at < end]
            # While both are there, what shares a bucket by either is at one rate.
            finer = max(before, after, key=(of_network, of_source, of_flow).index)
            most = check_rates(what, during, finer), check_rates(what, later, after)
            print(f"{what}: at most {most[0]} and later {most[1]} within {WINDOW} s of {MOST:.0f}")
        check_nothing_is_lost(daemon, load, receiver)


if __name__ == "__main__":
    stage.run(test)
