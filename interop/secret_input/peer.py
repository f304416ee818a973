"""The PyPI package apify, asked by JSON lines: one question a line on the input, one answer a line on the output. It ends when
its input does.

An answer is {"ok": ...} or {"refused": "the kind of error"}. Inputs and schemas come and go as JSON text in a string, so that what
is parsed is the very text of the case.
"""

import importlib.metadata
import importlib.machinery
import json
import platform
import sys
from types import ModuleType


def as_namespaces(*names):
    """Makes the modules of these packages importable without what the packages' own `__init__` imports: a web server, an HTTP
    client, a crawler. The modules themselves are the installed ones."""
    for name in names:
        parent, _, last = name.rpartition(".")
        folders = sys.modules[parent].__path__ if parent else sys.path
        spec = importlib.machinery.PathFinder.find_spec(name, folders)
        module = ModuleType(name)
        module.__path__ = list(spec.submodule_search_locations)
        sys.modules[name] = module


as_namespaces("apify", "crawlee", "crawlee._utils")

from apify import _consts, _crypto  # noqa: E402

private_key = None


def open_key(question):
    global private_key
    private_key = _crypto.load_private_key(question["file"], question["passphrase"])


def is_looking_encrypted(value):
    return isinstance(value, str) and _consts.ENCRYPTED_INPUT_VALUE_REGEXP.fullmatch(value)


def is_falsy(value):
    """As JavaScript has it: an empty list or object is not."""
    return value is None or value is False or value == "" or (type(value) in (int, float) and value == 0)


def encrypted(value):
    """One value. The package has no more than `public_encrypt`; the form around it is the one that its own regular expression
    reads. It has no hash."""
    prefix, text = _consts.ENCRYPTED_STRING_VALUE_PREFIX, value
    if not isinstance(value, str):
        if not isinstance(value, (dict, list)):
            raise TypeError("neither text nor JSON")
        prefix, text = _consts.ENCRYPTED_JSON_VALUE_PREFIX, json.dumps(value)
    made = _crypto.public_encrypt(text, public_key=private_key.public_key())
    return f"{prefix}:{made['encrypted_password']}:{made['encrypted_value']}"


def encrypt(question):
    properties, values = json.loads(question["schema"])["properties"], json.loads(question["input"])
    for name, schema in properties.items():
        value = values.get(name)
        if schema.get("isSecret") and not is_falsy(value) and not is_looking_encrypted(value):
            values[name] = encrypted(value)
    return json.dumps(values)


def decrypt(question):
    return json.dumps(_crypto.decrypt_input_secrets(private_key, json.loads(question["input"])))


def versions(_):
    version = importlib.metadata.version("apify")
    return {"package": f"apify {version}", "runtime": f"Python {platform.python_version()}"}


OPERATIONS = {"versions": versions, "open": open_key, "encrypt": encrypt, "decrypt": decrypt}

for line in sys.stdin.buffer:
    question = json.loads(line)
    operation = OPERATIONS[question["ask"]]
    try:
        answer = {"ok": operation(question)}
    except Exception as error:  # noqa: BLE001 - whatever it is, the other side wants to know
        # The kind alone: a message may hold what was to be encrypted.
        answer = {"refused": type(error).__name__}
    print(json.dumps(answer), flush=True)
