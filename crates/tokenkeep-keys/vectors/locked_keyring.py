"""Makes locked_keyring.txt and escrow.txt without any of tokenkeep's code: Argon2id and AES from the package `cryptography`
(OpenSSL), the rest from the formats' descriptions. Run it in its own folder; it draws nothing and gives the same bytes each time."""

import hashlib

from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

PASSPHRASE = b"an example passphrase"
KEKS = (
    f"kek 0a0b open-only 1700000000 {'11' * 32}\n"
    "kek 0c0d destroyed 1700000100 1700000900\n"
    f"kek 0e0f primary 1700000200 {'22' * 32}\n"
    f"kek 1a1b beside 1700000300 {'33' * 32}\n"
).encode()


def cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def suite(key: bytes, nonce: bytes, aad: bytes, plain: bytes) -> bytes:
    subkey = b"".join(cmac(key, bytes([0, n]) + b"X\0" + nonce[:12]) for n in (1, 2))
    commitment = b"".join(cmac(key, b"XCMT" + nonce + bytes([0, 1, 0, n])) for n in (1, 2))
    return AESGCM(subkey).encrypt(nonce[12:], plain, aad) + commitment


def locked(name: str, memory: int, salt: bytes, nonce: bytes) -> bytes:
    header = f"{name} argon2id {memory} 3 4 {salt.hex()}\n".encode()
    key = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=memory).derive(PASSPHRASE)
    label = b"tokenkeep keyring"
    aad = len(label).to_bytes(2, "big") + label + bytes([1, 1]) + header
    text = header + b"sealed " + (nonce + suite(key, nonce, aad, KEKS)).hex().encode() + b"\n"
    return text + b"end " + hashlib.sha256(text).hexdigest().encode() + b"\n"


open("locked_keyring.txt", "wb").write(locked("tokenkeep-keyring 2", 65536, bytes(range(16)), bytes(range(24))))
# Another cost than the one that is written today: what the file says counts.
open("escrow.txt", "wb").write(locked("tokenkeep-escrow 1", 98304, bytes(range(16, 32)), bytes(range(24, 48))))
