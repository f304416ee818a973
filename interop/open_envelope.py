"""Opens and makes tokenkeep's envelopes, version 1.

Written from FORMAT.md of the crate tokenkeep-core, on the package `cryptography` alone: a second implementation, to hold
the first one against, and a way to reach a token should the first one ever be gone.

It is for that and for tests. Python wipes nothing: keys and payloads stay in memory.
"""

import hashlib
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.constant_time import bytes_eq

VERSION = 1
SUITE = 1
MAX_KEK_ID = 29
MAX_PAYLOAD = 16_384
KEY, NONCE, TAG, COMMITMENT = 32, 24, 16, 32
DRAWN = KEY + 2 * NONCE


class Refused(Exception):
    """An envelope that does not open: the error by its name in FORMAT.md, and the step that refused."""

    def __init__(self, error, step):
        super().__init__(f"{error}, by the step {step!r}")
        self.error = error
        self.step = step


@dataclass(frozen=True)
class Kek:
    """A key-encryption key: its id of 1 to 29 bytes, its key of 32. A remote key service keeps the key to itself."""

    id: bytes
    key: bytes | None


# Context and associated data


def field(value):
    """`F(x)`."""
    return len(value).to_bytes(2, "big") + value


def token_context(vault, tenant, connection, incarnation, provider, origin, kind, secret_version):
    """The context of a token; vault and incarnation are 16 bytes, the names are text."""
    return b"".join(
        field(value)
        for value in (
            b"tokenkeep token",
            vault,
            tenant.encode(),
            connection.encode(),
            incarnation,
            provider.encode(),
            origin.encode(),
            kind.to_bytes(1, "big"),
            secret_version.to_bytes(8, "big"),
        )
    )


def vault_key_context(vault, purpose):
    """The context of one of a vault's own keys."""
    return field(b"tokenkeep vault key") + field(vault) + field(purpose.encode())


def payload_aad(context):
    return field(b"tokenkeep payload") + bytes([VERSION, SUITE]) + context


def wrap_aad(kek_id, context):
    return field(b"tokenkeep wrapped dek") + bytes([VERSION, SUITE]) + field(kek_id) + context


def context_digest(kek_id, context):
    """What a remote key service is given to bind the DEK to."""
    return hashlib.sha256(wrap_aad(kek_id, context)).digest()


# The suite: KC-XAES-256-GCM


def cmac(key, message):
    mac = CMAC(AES(key))
    mac.update(message)
    return mac.finalize()


def derived_key(key, nonce):
    """`Kx`."""
    return b"".join(cmac(key, bytes([0, counter, 0x58, 0]) + nonce[:12]) for counter in (1, 2))


def commitment(key, nonce):
    return b"".join(cmac(key, b"XCMT" + nonce + bytes([0, 1, 0, counter])) for counter in (1, 2))


def encrypt(key, nonce, aad, plain):
    """Ciphertext, tag, commitment."""
    return AESGCM(derived_key(key, nonce)).encrypt(nonce[12:], plain, aad) + commitment(key, nonce)


def decrypt(key, nonce, aad, output, step):
    sealed, committed = output[:-COMMITMENT], output[-COMMITMENT:]
    if not bytes_eq(committed, commitment(key, nonce)):
        raise Refused("Rejected", step)
    try:
        return AESGCM(derived_key(key, nonce)).decrypt(nonce[12:], sealed, aad)
    except InvalidTag:
        raise Refused("Rejected", step) from None


# The envelope


@dataclass(frozen=True)
class Envelope:
    """An envelope's fields; `output` is ciphertext, tag and commitment."""

    kek_id: bytes
    wrapped_dek: bytes
    nonce: bytes
    output: bytes


def decode(data):
    """Takes the fields apart, in the order in which they stand."""
    at = 0

    def take(length):
        nonlocal at
        if len(data) - at < length:
            raise Refused("Truncated", "decode")
        at += length
        return data[at - length : at]

    if take(1)[0] != VERSION:
        raise Refused("UnknownVersion", "decode")
    if take(1)[0] != SUITE:
        raise Refused("UnknownSuite", "decode")
    id_length = take(1)[0]
    if not 1 <= id_length <= MAX_KEK_ID:
        raise Refused("Length", "decode")
    kek_id = take(id_length)
    wrapped_length = int.from_bytes(take(2), "big")
    if wrapped_length == 0:
        raise Refused("Length", "decode")
    wrapped_dek = take(wrapped_length)
    nonce, output = take(NONCE), data[at:]
    if len(output) < TAG + COMMITMENT:
        raise Refused("Truncated", "decode")
    if len(output) - TAG - COMMITMENT > MAX_PAYLOAD:
        raise Refused("Length", "decode")
    return Envelope(kek_id, wrapped_dek, nonce, output)


def unwrap(kek, context, wrapped):
    """The DEK, under a KEK whose key is here."""
    if len(wrapped) != NONCE + KEY + TAG + COMMITMENT:
        raise Refused("Rejected", "wrap")
    return decrypt(kek.key, wrapped[:NONCE], wrap_aad(kek.id, context), wrapped[NONCE:], "wrap")


def open_envelope(kek, context, data, dek=None):
    """The payload. `context` is encoded. `dek` is what a remote key service gave back for the wrapped DEK."""
    envelope = decode(data)
    if envelope.kek_id != kek.id:
        raise Refused("OtherKek", "kek")
    if dek is None:
        dek = unwrap(kek, context, envelope.wrapped_dek)
    return decrypt(dek, envelope.nonce, payload_aad(context), envelope.output, "payload")


def seal(kek, context, payload, drawn=None, wrapped=None):
    """An envelope. `wrapped` is what a remote key service made of the DEK.

    `drawn` is for making published vectors again; bytes that are used twice give the plaintexts away.
    """
    if wrapped is not None and drawn is None:
        raise ValueError("what was wrapped is the first 32 bytes drawn")
    if len(payload) > MAX_PAYLOAD:
        raise ValueError("the payload is over 16 KiB")
    drawn = os.urandom(DRAWN) if drawn is None else drawn
    dek, nonce, wrap_nonce = drawn[:KEY], drawn[KEY : KEY + NONCE], drawn[KEY + NONCE :]
    if wrapped is None:
        wrapped = wrap_nonce + encrypt(kek.key, wrap_nonce, wrap_aad(kek.id, context), dek)
    return (
        bytes([VERSION, SUITE, len(kek.id)])
        + kek.id
        + field(wrapped)
        + nonce
        + encrypt(dek, nonce, payload_aad(context), payload)
    )
