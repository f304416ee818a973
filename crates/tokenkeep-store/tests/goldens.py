"""The figures in goldens.rs, by a second implementation of the encoding that RecordMac and AuditChain describe.

Run it with Python 3; it needs nothing else.
"""

import hashlib
import hmac
import struct


def text(value):
    return [value.encode()]


def number(value):
    return [struct.pack(">Q", value)]


def time(millis):
    return [struct.pack(">q", millis)]


def optional(fields):
    return number(0) if fields is None else number(1) + fields


def mac(key, fields):
    encoded = b"".join(struct.pack(">Q", len(field)) + field for field in fields)
    return hmac.new(key, encoded, hashlib.sha256).digest()


KEY = bytes(range(32))
INCARNATION = bytes(range(0x10, 0x20))


def record(revision, status, sealed, account, expires, paused, purge):
    return mac(
        KEY,
        text("tokenkeep record") + text("Kunde 17 é") + text("main") + text("apify") + text("https://api.apify.com")
        + number(1)
        + [INCARNATION]
        + number(3) + number(revision)
        + text(status)
        + optional(sealed)
        + optional(account)
        + time(1_700_000_000_000) + time(-1) + time(1_700_000_000_002)
        + optional(expires)
        + optional(paused)
        + text(purge),
    )


def entry(shard, sequence, before, action, record_mac, count, subject):
    return mac(
        KEY,
        text("tokenkeep audit entry") + number(shard) + number(sequence)
        + [before]
        + time(1_700_000_000_003)
        + text(action)
        + text("Kunde 17 é") + text("main")
        + [INCARNATION]
        + number(3) + number(2**63 - 1)
        + optional(record_mac)
        + number(count)
        + optional(subject),
    )


sealed = [bytes(range(200)), b"KEK-1", b"\xf5" * 32]
live = record(4, "active", sealed, text("id-1") + text("Náme"), time(1_800_000_000_000), time(1_750_000_000_000), "not-due")
gone = record(2**63 - 1, "disconnected", None, None, None, None, "pending")
print("live record    ", live.hex())
print("tombstone      ", gone.hex())
first = entry(9, 1, bytes(32), "disconnected", [gone], 1, None)
print("pinning entry  ", first.hex())
print("use            ", entry(9, 2, first, "used-again", None, 41, text("run-1")).hex())
for tenant in ["Kunde 17 é", "a", "b"]:
    print("shard of", tenant, hashlib.sha256(tenant.encode()).digest()[0] % 16)
