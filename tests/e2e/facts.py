"""The figures of an alert, read from the sentences a person reads, and compared with the truth."""
import re
from collections import namedtuple

Facts = namedtuple("Facts", "rate low high since grain", defaults=[0])  # rates an hour (goroutines, descriptors or bytes); since: Unix seconds

SCALE = {"s": 3600, "min": 60, "h": 1, "d": 1 / 24}
BYTES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
AGO = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def rates(text):
    """Every rate of a text ("40/s (95 %: 38/s to 42/s)"), an hour."""
    return [float(number.replace(",", "")) * BYTES[unit] * SCALE[per]
            for number, unit, per in re.findall(r"(-?[\d,]+(?:\.\d+)?) ?(B|KiB|MiB|GiB|)/(s|min|h|d)\b", text)]


def of(alert):
    """The facts of an alert as the webhook got it (harness.Receiver.alerts)."""
    found = rates(alert["annotations"]["rate"])
    assert len(found) == 3, f"a rate and its interval: {alert['annotations']['rate']!r}"
    ago = re.search(r"((?:\d+ (?:s|min|h|d) ?)+) ago$", alert["annotations"]["since"])
    assert ago, f"since when: {alert['annotations']['since']!r}"
    seconds = sum(int(n) * AGO[unit] for n, unit in re.findall(r"(\d+) (s|min|h|d)", ago.group(1)))
    # From a minute on seconds are not said: it began up to a minute before what is.
    return Facts(*found, alert["at"] - seconds, 0 if "s" in re.findall(r"\d+ (s|min|h|d)", ago.group(1)) else 60)


def compare(name, told, true_rate, true_since, within=0.20, within_seconds=5):
    """Rate within a fifth of the truth, beginning within seconds of it; prints how near both are."""
    print(f"{name}: rate {told.rate:,.0f}/h, true {true_rate:,.0f}/h ({told.rate / true_rate - 1:+.1%}); "
          f"since {told.since - true_since:+.1f} s from the truth")
    assert abs(told.rate / true_rate - 1) <= within, f"{name}: told {told.rate}/h, true {true_rate}/h"
    assert told.low <= told.rate <= told.high
    assert -within_seconds <= told.since - true_since <= within_seconds + told.grain, f"{name}: since is {told.since - true_since:+.1f} s off"
