"""Exchanges envelopes with the Rust side, by files of vectors.

    exchange.py check FILE    opens every good one, is refused every bad one, makes every good one again
    exchange.py seal FILE     writes fresh good ones, and bad ones made of them, for the Rust side
"""

import json
import os
import random
import sys

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
    return tokenkeep.Kek(bytes.fromhex(vector["kek"]["id"]), bytes.fromhex(vector["kek"]["key"]))


def outcome(kek, context, envelope):
    """The payload in hex, or the error and the step."""
    try:
        return tokenkeep.open_envelope(kek, context, envelope).hex()
    except tokenkeep.Refused as refused:
        return (refused.error, refused.step)


def check(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    complaints = []

    def expect(vector, what, found, expected):
        if found != expected:
            complaints.append(f"{vector['name']}: {what}: {str(found)[:80]}, not {str(expected)[:80]}")
        return found == expected

    rows = {"opened": 0, "made again, byte for byte": 0}
    for vector in vectors["good"]:
        kek, context, envelope = key_of(vector), encoded_context(vector["context"]), vector["envelope"]
        drawn, payload = bytes.fromhex(vector["drawn"]), bytes.fromhex(vector["payload"])
        expect(vector, "context", context.hex(), vector["encoded_context"])
        expect(vector, "payload AAD", tokenkeep.payload_aad(context).hex(), vector["payload_aad"])
        expect(vector, "wrap AAD", tokenkeep.wrap_aad(kek.id, context).hex(), vector["wrap_aad"])
        opened = outcome(kek, context, bytes.fromhex(envelope))
        rows["opened"] += expect(vector, "opened", opened, vector["payload"])
        sealed = tokenkeep.seal(kek, context, payload, drawn).hex()
        rows["made again, byte for byte"] += expect(vector, "made again", sealed, envelope)
    for vector in vectors["bad"]:
        found = outcome(key_of(vector), encoded_context(vector["context"]), bytes.fromhex(vector["envelope"]))
        row = f"refused with {vector['error']} by {vector['refused_at']}"
        rows[row] = rows.get(row, 0) + expect(vector, "opened", found, (vector["error"], vector["refused_at"]))

    print(f"    {len(vectors['good'])} good, {len(vectors['bad'])} bad")
    for row, count in sorted(rows.items()):
        print(f"    {count:5}  {row}")
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

    kek = tokenkeep.Kek(os.urandom(dice.randint(1, 29)), os.urandom(32))
    if number % 4 == 0:
        purpose = dice.choice(["fingerprint", "record-mac", "audit-mac", "checkpoint-signing"])
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
    encoded, drawn = encoded_context(context), os.urandom(tokenkeep.DRAWN)
    payload = os.urandom(dice.choice([0, 1, 46, dice.randint(0, 2_048), tokenkeep.MAX_PAYLOAD]))
    return {
        "name": f"from Python, {number}",
        "kek": {"id": kek.id.hex(), "key": kek.key.hex()},
        "context": context,
        "drawn": drawn.hex(),
        "payload": payload.hex(),
        "encoded_context": encoded.hex(),
        "payload_aad": tokenkeep.payload_aad(encoded).hex(),
        "wrap_aad": tokenkeep.wrap_aad(kek.id, encoded).hex(),
        "envelope": tokenkeep.seal(kek, encoded, payload, drawn).hex(),
    }


def spoiled(good):
    """A good one with one bit flipped, at a random place."""
    envelope = bytearray.fromhex(good["envelope"])
    bit = random.SystemRandom().randrange(8 * len(envelope))
    envelope[bit // 8] ^= 1 << bit % 8
    bad = {name: good[name] for name in ("kek", "context")}
    bad["name"] = f"{good['name']}, bit {bit} flipped"
    bad["envelope"] = envelope.hex()
    found = outcome(key_of(good), encoded_context(good["context"]), bytes(envelope))
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
