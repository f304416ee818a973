// The npm package @apify/input_secrets, asked by JSON lines: one question a line on the input, one answer a line on the output.
// It ends when its input does.
//
//     node peer.mjs FOLDER    FOLDER holds node_modules
//
// An answer is {"ok": …} or {"refused": "the kind of error"}. Inputs and schemas come and go as JSON text in a string, so that
// what is parsed is the very text of the case.

import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const folder = path.resolve(process.argv[2]);
const secrets = createRequire(path.join(folder, 'package.json'))('@apify/input_secrets');

let publicKey;
let privateKey;

const SECRET_JSON = /^ENCRYPTED_JSON:/;

// As the SDK for JavaScript reads APIFY_INPUT_SECRETS_PRIVATE_KEY_FILE.
function open({ file, passphrase }) {
    privateKey = crypto.createPrivateKey({ key: Buffer.from(file, 'base64'), passphrase });
    publicKey = crypto.createPublicKey(privateKey);
}

// A fresh pair: what the platform keeps and gives, and what Node.js makes of the private half.
function makeKeys({ bits, passphrase }) {
    const pair = crypto.generateKeyPairSync('rsa', { modulusLength: bits });
    const form = (type, cipher) => {
        const pem = pair.privateKey.export({ type, format: 'pem', ...(cipher ? { cipher, passphrase } : {}) });
        return Buffer.from(pem).toString('base64');
    };
    return {
        public: Buffer.from(pair.publicKey.export({ type: 'spki', format: 'pem' })).toString('base64'),
        private: {
            'PKCS#1, DES-EDE3-CBC': form('pkcs1', 'des-ede3-cbc'),
            'PKCS#1, AES-128-CBC': form('pkcs1', 'aes-128-cbc'),
            'PKCS#1, AES-256-CBC': form('pkcs1', 'aes-256-cbc'),
            'PKCS#8, AES-128-CBC': form('pkcs8', 'aes-128-cbc'),
            'PKCS#8, AES-256-CBC': form('pkcs8', 'aes-256-cbc'),
            'PKCS#8, DES-EDE3-CBC': form('pkcs8', 'des-ede3-cbc'),
        },
        plain: { 'PKCS#1': form('pkcs1'), 'PKCS#8': form('pkcs8') },
        pem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    };
}

// An encrypted value as nobody's library makes it: any bytes, any password, a tag of any length, another digest.
function craft({ prefix, hash, bytes, password, tag = 16, digest = 'sha1' }) {
    const secret = Buffer.from(password, 'base64');
    const cipher = crypto.createCipheriv('aes-256-gcm', secret.subarray(0, 32), secret.subarray(32, 48));
    const sealed = Buffer.concat([cipher.update(Buffer.from(bytes, 'base64')), cipher.final()]);
    const value = Buffer.concat([sealed, cipher.getAuthTag().subarray(0, tag)]).toString('base64');
    const wrapped = crypto.publicEncrypt({ key: publicKey, oaepHash: digest }, secret).toString('base64');
    return [prefix, ...(hash === null ? [] : [hash]), wrapped, value].join(':');
}

function encrypt({ schema, input }) {
    const encrypted = secrets.encryptInputSecrets({
        input: JSON.parse(input),
        inputSchema: JSON.parse(schema),
        publicKey,
    });
    return JSON.stringify(encrypted);
}

function decrypt({ input }) {
    return JSON.stringify(secrets.decryptInputSecrets({ input: JSON.parse(input), privateKey }));
}

// The hash that the package puts into an encrypted value of a field with this schema.
function hash({ schema }) {
    return secrets.encryptInputSecretValue({ value: {}, publicKey, schema: JSON.parse(schema) }).split(':')[1];
}

// The secret fields whose value's hash, or lack of one, the package says does not fit their schema.
function misfits({ schema, input }) {
    const { properties } = JSON.parse(schema);
    return Object.entries(JSON.parse(input))
        .filter(([name, value]) => typeof value === 'string' && SECRET_JSON.test(value) && Object.hasOwn(properties, name))
        .filter(([name, value]) => !secrets.isEncryptedValueForFieldSchema(value, properties[name]))
        .map(([name]) => name);
}

// Nanoseconds for all of the inputs: from text to text as a caller has them, and the package's own part of it.
function time({ what, schema, inputs, times }) {
    const inputSchema = JSON.parse(schema);
    const work = {
        encrypt: (input) => secrets.encryptInputSecrets({ input, inputSchema, publicKey }),
        decrypt: (input) => secrets.decryptInputSecrets({ input, privateKey }),
    }[what];
    let inside = 0n;
    let bytes = 0;
    const begin = process.hrtime.bigint();
    for (let turn = 0; turn < times; turn += 1) {
        for (const text of inputs) {
            const input = JSON.parse(text);
            const entered = process.hrtime.bigint();
            const output = work(input);
            inside += process.hrtime.bigint() - entered;
            bytes += JSON.stringify(output).length;
        }
    }
    const whole = process.hrtime.bigint() - begin;
    return { whole: Number(whole), inside: Number(inside), bytes };
}

function versions() {
    const file = path.join(folder, 'node_modules/@apify/input_secrets/package.json');
    const { name, version } = JSON.parse(fs.readFileSync(file));
    return { package: `${name} ${version}`, runtime: `Node.js ${process.versions.node}` };
}

const OPERATIONS = { versions, makeKeys, open, craft, encrypt, decrypt, hash, misfits, time };

// Not `readline`: U+2028 ends a line for it.
async function* lines(stream) {
    let pieces = [];
    for await (let chunk of stream) {
        for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10)) {
            yield Buffer.concat([...pieces, chunk.subarray(0, end)]).toString();
            pieces = [];
            chunk = chunk.subarray(end + 1);
        }
        pieces.push(chunk);
    }
}

for await (const line of lines(process.stdin)) {
    const question = JSON.parse(line);
    const operation = OPERATIONS[question.ask];
    if (!operation) throw new Error(`no operation is named ${question.ask}`);
    let answer;
    try {
        answer = { ok: operation(question) ?? null };
    } catch (error) {
        // The kind alone: a message may hold what was to be encrypted.
        answer = { refused: error.code ?? error.name };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
}
