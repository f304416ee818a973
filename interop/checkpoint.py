"""Checks a published checkpoint as an auditor would: with another library, by the text of the specifications alone.

    checkpoint.py KEY NOTE    checks the signature, takes the text apart, and makes the same note again from its seed
"""

import base64
import hashlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# The published checkpoint is signed with a key made of this.
SEED = bytes([0x42]) * 32
DASH = "\u2014"


def key_id(name, public):
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def open_key(text):
    """The name and the public key in `name+id+key`."""
    name, identifier, encoded = text.split("+", 2)
    encoded = base64.b64decode(encoded, validate=True)
    assert encoded[0] == 1 and len(encoded) == 33, "an Ed25519 key"
    assert key_id(name, encoded[1:]).hex() == identifier, "the key's id"
    return name, encoded[1:]


def open_note(note, name, public):
    """The text of a note that this key signed."""
    text, signature = note.rsplit("\n\n", 1)
    text += "\n"
    match = re.fullmatch(f"{DASH} (\\S+) (\\S+)\n", signature)
    assert match and match[1] == name, "one signature under the key's name"
    signature = base64.b64decode(match[2], validate=True)
    assert signature[:4] == key_id(name, public), "the key's id"
    Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode())
    return text


def sign(text, name):
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    signature = key_id(name, private.public_key().public_bytes(*raw)) + private.sign(text.encode())
    return f"{text}\n{DASH} {name} {base64.b64encode(signature).decode()}\n"


FORM = (
    "tokenkeep checkpoint v1\n"
    "vault ([0-9a-f]{32})\n"
    "number ([1-9][0-9]*)\n"
    r"time \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z" + "\n"
    "previous [0-9a-f]{64}\n" + "".join(f"head {shard} (0|[1-9][0-9]*) [0-9a-f]{{64}}\n" for shard in range(16))
)


def main(key_file, note_file):
    with open(key_file, encoding="utf-8") as file:
        name, public = open_key(file.read().strip())
    with open(note_file, encoding="utf-8", newline="") as file:
        note = file.read()
    text = open_note(note, name, public)
    fields = re.fullmatch(FORM, text)
    assert fields and name == f"tokenkeep/{fields[1]}", "the form of a checkpoint"
    assert sign(text, name) == note, "the same note, made again"
    try:
        open_note(note.replace(f"number {fields[2]}\n", f"number {int(fields[2]) + 1}\n"), name, public)
    except InvalidSignature:
        pass
    else:
        raise AssertionError("an altered checkpoint is refused")
    entries = sum(int(count) for count in fields.groups()[2:])
    print(f"    checkpoint {fields[2]} over {entries} entries: signature, form and text fit")


if __name__ == "__main__":
    main(*sys.argv[1:])
