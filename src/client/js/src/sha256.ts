// HMAC-SHA256 (FIPS 180-4, RFC 2104) in plain JavaScript. The browser's crypto.subtle has it too, but only on pages that
// were loaded over HTTPS or from localhost, and only asynchronously; here it signs some 50 bytes for each resume.

const constants = new Uint32Array([
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

function rotate(value: number, bits: number): number {
    return (value >>> bits) | (value << (32 - bits));
}

export function sha256(message: Uint8Array): Uint8Array {
    // The message, one bit, zeros, and the length in bits as 64 of them, to a multiple of 64 bytes.
    const padded = new Uint8Array(((message.length + 8) >> 6 << 6) + 64);
    padded.set(message);
    padded[message.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setUint32(padded.length - 8, Math.floor(message.length / 0x2000_0000));
    view.setUint32(padded.length - 4, message.length << 3);

    const state = new Uint32Array([
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ]);
    const words = new Uint32Array(64);
    for (let block = 0; block < padded.length; block += 64) {
        for (let i = 0; i < 16; i += 1) words[i] = view.getUint32(block + 4 * i);
        for (let i = 16; i < 64; i += 1) {
            const w15 = words[i - 15]!, w2 = words[i - 2]!;
            const s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
            const s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
            words[i] = words[i - 16]! + s0 + words[i - 7]! + s1;
        }
        let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
        for (let i = 0; i < 64; i += 1) {
            const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
            const one = (h + s1 + ((e & f) ^ (~e & g)) + constants[i]! + words[i]!) | 0;
            const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
            const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
            [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
        }
        [a, b, c, d, e, f, g, h].forEach((value, i) => (state[i] += value));
    }
    const digest = new Uint8Array(32);
    const out = new DataView(digest.buffer);
    state.forEach((value, i) => out.setUint32(4 * i, value));
    return digest;
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
    const block = new Uint8Array(64);
    block.set(key.length > 64 ? sha256(key) : key);
    const joined = (pad: number, rest: Uint8Array): Uint8Array => {
        const bytes = new Uint8Array(64 + rest.length);
        bytes.set(block.map((byte) => byte ^ pad));
        bytes.set(rest, 64);
        return bytes;
    };
    return sha256(joined(0x5c, sha256(joined(0x36, message))));
}
