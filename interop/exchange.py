"""Exchanges envelopes with the Rust side, by files of vectors.

    exchange.py check FILE    opens every good one, is refused every bad one, makes every good one again, and sees which bad
                              ones a reader opens that compares no commitment
    exchange.py seal FILE     writes fresh good ones, and bad ones made of them, for the Rust side
"""

import json
import os
import random
import sys
from unittest import mock

import open_envelope as tokenkeep


def encoded_context(context):
    vault = bytes.fromhex(context["vault"])
    if context["of"] == "vault key":
        return tokenkeep.vault_key_context(vault, context["purpose"])
    assert context["of"] == "token", context["of"]
    return tokenkeep.token_context(
        vault,
        context["tenant"],
        context["connection"],
        bytes.fromhex(context["incarnation"]),
        context["provider"],
        context["origin"],
        context["kind"],
        int(context["secret_version"]),
    )


def key_of(vector):
    """The KEK at hand, and the DEK where a remote key service gave it back."""
    kek = vector["kek"]
    if "dek" in vector:
        return tokenkeep.Kek(bytes.fromhex(kek["id"]), None), bytes.fromhex(vector["dek"])
    return tokenkeep.Kek(bytes.fromhex(kek["id"]), bytes.fromhex(kek["key"])), None


def outcome(vector):
    """The payload in hex, or the error and the step."""
    (kek, dek), context = key_of(vector), encoded_context(vector["context"])
    try:
        return tokenkeep.open_envelope(kek, context, bytes.fromhex(vector["envelope"]), dek).hex()
    except tokenkeep.Refused as refused:
        return (refused.error, refused.step)


def careless_outcome(vector):
    """As `outcome`, of a reader that takes every commitment for the right one; None if it refuses all the same."""
    with mock.patch.object(tokenkeep, "bytes_eq", return_value=True):
        payload = outcome(vector)
    return payload if isinstance(payload, str) else None


def check(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    complaints = []

    def expect(vector, what, found, expected):
        if found != expected:
            complaints.append(f"{vector['name']}: {what}: {str(found)[:80]}, not {str(expected)[:80]}")
        return found == expected

    rows = {"opened": 0, "made again, byte for byte": 0}
    for_commitment = 0
    for vector in vectors["good"]:
        (kek, dek), context, envelope = key_of(vector), encoded_context(vector["context"]), vector["envelope"]
        drawn, payload = bytes.fromhex(vector["drawn"]), bytes.fromhex(vector["payload"])
        expect(vector, "context", context.hex(), vector["encoded_context"])
        expect(vector, "payload AAD", tokenkeep.payload_aad(context).hex(), vector["payload_aad"])
        expect(vector, "wrap AAD", tokenkeep.wrap_aad(kek.id, context).hex(), vector["wrap_aad"])
        digest = tokenkeep.context_digest(kek.id, context).hex()
        expect(vector, "context digest", digest, vector["context_digest"])
        rows["opened"] += expect(vector, "opened", outcome(vector), vector["payload"])
        # What a key service returned can't be made again: it is taken from the envelope.
        wrapped = None if dek is None else tokenkeep.decode(bytes.fromhex(envelope)).wrapped_dek
        sealed = tokenkeep.seal(kek, context, payload, drawn, wrapped).hex()
        rows["made again, byte for byte"] += expect(vector, "made again", sealed, envelope)
    for vector in vectors["bad"]:
        careless = careless_outcome(vector)
        expect(vector, "opened without commitments", careless, vector.get("without_commitment"))
        for_commitment += careless is not None
        found = outcome(vector)
        row = f"refused with {vector['error']} by {vector['refused_at']}"
        rows[row] = rows.get(row, 0) + expect(vector, "opened", found, (vector["error"], vector["refused_at"]))

    print(f"    {len(vectors['good'])} good, {len(vectors['bad'])} bad")
    for row, count in rows.items():
        print(f"    {count:5}  {row}")
    print(f"    {for_commitment:5}  of these for a commitment alone")
    if not vectors["good"] or not vectors["bad"]:
        complaints.append("the file lacks good ones or bad ones")
    for complaint in complaints:
        print(f"    WRONG  {complaint}")
    return not complaints


def fresh(number):
    """A good vector from the operating system's generator, of random sizes."""
    dice = random.SystemRandom()
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"

    def name(alphabet, most):
        return "".join(dice.choice(alphabet) for _ in range(dice.randint(1, most)))

    kek_id, drawn = os.urandom(dice.randint(1, 29)), os.urandom(tokenkeep.DRAWN)
    if number % 3 == 0:
        kek, wrapped = tokenkeep.Kek(kek_id, None), os.urandom(dice.choice([1, 104, dice.randint(1, 600), 65_535]))
        at_hand = {"kek": {"id": kek.id.hex()}, "dek": drawn[: tokenkeep.KEY].hex()}
    else:
        kek, wrapped = tokenkeep.Kek(kek_id, os.urandom(32)), None
        at_hand = {"kek": {"id": kek.id.hex(), "key": kek.key.hex()}}
    if number % 4 == 0:
        purpose = dice.choice(["fingerprint", "record-mac", "audit-mac", "checkpoint-signing", "tenant-pseudonym"])
        context = {"of": "vault key", "vault": os.urandom(16).hex(), "purpose": purpose}
    else:
        port = dice.choice(["", f":{dice.randint(444, 65_535)}"])
        context = {
            "of": "token",
            "vault": os.urandom(16).hex(),
            "tenant": name(letters + "ABC.@/_-", 255),
            # At most three bytes a character, 255 bytes in all.
            "connection": name(letters + "äß№客戶", 85),
            "incarnation": os.urandom(16).hex(),
            "provider": name(letters, 64),
            "origin": f"https://h{name(letters, 62)}.example{port}",
            "kind": 1,
            "secret_version": str(dice.randrange(2**64)),
        }
    encoded = encoded_context(context)
    payload = os.urandom(dice.choice([0, 1, 46, dice.randint(0, 2_048), tokenkeep.MAX_PAYLOAD]))
    return {
        "name": f"from Python, {number}",
        **at_hand,
        "context": context,
        "drawn": drawn.hex(),
        "payload": payload.hex(),
        "encoded_context": encoded.hex(),
        "payload_aad": tokenkeep.payload_aad(encoded).hex(),
        "wrap_aad": tokenkeep.wrap_aad(kek.id, encoded).hex(),
        "context_digest": tokenkeep.context_digest(kek.id, encoded).hex(),
        "envelope": tokenkeep.seal(kek, encoded, payload, drawn, wrapped).hex(),
    }


def spoiled(good):
    """A good one with one bit flipped, at a random place; not in what a key service returned, which it alone can check."""
    envelope = bytearray.fromhex(good["envelope"])
    places = range(len(envelope))
    if "dek" in good:
        start = 5 + len(good["kek"]["id"]) // 2
        end = start + len(tokenkeep.decode(bytes(envelope)).wrapped_dek)
        places = [*range(start), *range(end, len(envelope))]
    dice = random.SystemRandom()
    byte, bit = dice.choice(places), dice.randrange(8)
    envelope[byte] ^= 1 << bit
    bad = {name: good[name] for name in ("kek", "dek", "context") if name in good}
    bad["name"] = f"{good['name']}, bit {bit} of byte {byte} flipped"
    bad["envelope"] = envelope.hex()
    found = outcome(bad)
    assert isinstance(found, tuple), f"{bad['name']}: it opens"
    bad["error"], bad["refused_at"] = found
    return bad


def seal(path):
    good = [fresh(number) for number in range(64)]
    bad = [spoiled(vector) for vector in good]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"good": good, "bad": bad}, file, indent=1)
    print(f"    {len(good)} sealed, {len(bad)} with one bit flipped")
    return True


COMMANDS = {"check": check, "seal": seal}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    sys.exit(0 if COMMANDS[sys.argv[1]](sys.argv[2]) else 1)
