// How an upload stands: speed without jumps, sizes, time left, words, and which files of a folder are sent.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Speed, fingerprint, isReadable, left, percent, price, size, sum, words } from '../../static/js/progress.js';

test('a speed is smoothed, and begins anew after a fall back', () => {
  const speed = new Speed();
  speed.at(0, 1000);
  speed.at(100_000, 1100); // too soon to measure
  assert.equal(speed.perSecond, 0);
  speed.at(1_000_000, 2000);
  assert.equal(speed.perSecond, 1_000_000);
  speed.at(1_000_000, 3000); // a second of nothing does not make it zero
  assert.equal(speed.perSecond, 750_000);
  assert.equal(speed.left(1_500_000), 2);
  speed.at(500_000, 4000);
  assert.equal(speed.perSecond, 0);
  assert.equal(speed.left(1), null);
});

test('sizes are said in decimal units, as the server says them', () => {
  const sizes = [0, 31_000, 512_000, 999_499, 999_500, 3_400_000, 99_900_000, 412_300_000, 999_500_000, 1_200_000_000];
  const said = ['1 kB', '31 kB', '512 kB', '999 kB', '1 MB', '3.4 MB', '99.9 MB', '412 MB', '1 GB', '1.2 GB'];
  assert.deepEqual(sizes.map(size), said);
});

test('time left is said roughly', () => {
  assert.deepEqual([2, 33, 60, 600, 7200, null, Infinity].map(left),
    ['1 s left', '35 s left', '1 min left', '10 min left', '2 h left', '', '']);
});

test('a price is said roughly, and none where there is none', () => {
  assert.deepEqual([[3600, 0.39], [60, 3.6], [5, 0.15], [3600, 0], [NaN, 1], [Infinity, 1]].map(([seconds, rate]) => price(seconds, rate)),
    ['about $0.39', 'about $0.06', 'less than $0.01', '', '', '']);
});

test('a file is whole only when all of it is there', () => {
  assert.deepEqual([[999, 1000], [1000, 1000], [0, 0], [0, 7]].map(([sent, whole]) => percent(sent, whole)), [99, 100, 100, 0]);
});

test('every state has its words', () => {
  const said = ['uploading', 'paused', 'away', 'failed', 'done', 'waiting'].map((state) => words(state, 48));
  assert.deepEqual(said, ['Uploading 48 %', 'Paused at 48 %', 'Connection lost at 48 %', 'Not uploaded', 'Uploaded', 'Waiting for its turn']);
});

test('of many it is said in a line how many are up, and how many were not taken', () => {
  assert.equal(sum(['done', 'uploading', 'waiting', 'paused']), '1 of 4 uploaded');
  assert.equal(sum(['done', 'failed', 'failed']), '1 of 3 uploaded, 2 not taken');
});

test('the same file has the same fingerprint, of bounded length', () => {
  const file = { name: 'a.wav', size: 5, lastModified: 7 };
  assert.equal(fingerprint(file), 'a.wav|5|7');
  assert.equal(fingerprint({ ...file, name: 'x'.repeat(4000) }).length, 200);
});

test('of a folder recordings and transcripts are sent', () => {
  const read = ['a.wav', 'B.MP3', 'talk.webm', 'x.ts', '00001.MTS', '1.m2ts', 'VTS_01.VOB', 'b.mp2', 'c.wv', 'd.ac3', 'e.srt', 'f.VTT', 'g.json', 'h.txt'];
  const others = ['.hidden.wav', 'cover.jpg', 'readme', 'letter.docx'];
  assert.deepEqual([...read, ...others].filter((name) => isReadable({ name, type: '' })), read);
  assert.ok(isReadable({ name: 'odd', type: 'audio/x-odd' }));
});
