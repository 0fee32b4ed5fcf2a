/** Reading the frames that pcm-worklet.js makes, and what can be made of them. */

export const HEADER_BYTES = 32;
export const RATE = 16000;
export const SAMPLES_PER_MS = RATE / 1000;

/**
 * @param {ArrayBuffer | Uint8Array} frame
 * @returns {{seq: number, samples: number, last: boolean, peak: number, first: number, wall: number}} peak from 0 to 1
 */
export function readHeader(frame) {
  const view = frame instanceof ArrayBuffer ? new DataView(frame) : new DataView(frame.buffer, frame.byteOffset);
  return {
    last: (view.getUint8(3) & 1) === 1,
    seq: view.getUint32(4, true),
    samples: view.getUint16(8, true),
    peak: view.getUint16(10, true) / 65535,
    first: view.getFloat64(16, true),
    wall: view.getFloat64(24, true),
  };
}

/** Give a frame another number and place, in itself: it became part of another recording. @param {ArrayBuffer | Uint8Array} frame */
export function renumber(frame, { seq, first }) {
  const view = frame instanceof ArrayBuffer ? new DataView(frame) : new DataView(frame.buffer, frame.byteOffset);
  view.setUint32(4, view.getUint32(4, true) - seq, true);
  view.setFloat64(16, view.getFloat64(16, true) - first, true);
}

/** The bytes of a frame that count: a pooled buffer may be longer than what it holds. */
export function bytesOf(buffer) {
  return new Uint8Array(buffer, 0, HEADER_BYTES + 2 * readHeader(buffer).samples);
}

/** Every frame the browser keeps of a session, in order. @returns {Promise<Uint8Array[]>} */
export async function framesOf(store, sid) {
  const frames = [];
  for await (const frame of store.all(sid, (one) => readHeader(one).seq)) frames.push(frame);
  return frames;
}

/** A WAV file of these frames, in their order. @param {Uint8Array[]} frames @returns {Blob} */
export function wavOf(frames) {
  const parts = frames.map((frame) => frame.subarray(HEADER_BYTES));
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, value) => [...value].forEach((c, i) => head.setUint8(at + i, c.charCodeAt(0)));
  text(0, 'RIFF');
  head.setUint32(4, 36 + size, true);
  text(8, 'WAVEfmt ');
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, 1, true);
  head.setUint32(24, RATE, true);
  head.setUint32(28, 2 * RATE, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  text(36, 'data');
  head.setUint32(40, size, true);
  return new Blob([head, ...parts], { type: 'audio/wav' });
}
