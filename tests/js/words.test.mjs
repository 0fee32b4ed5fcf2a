import assert from 'node:assert/strict';
import { test } from 'node:test';

import { meaning } from '../../static/js/shortcuts.js';
import { bytesOf, readHeader, wavOf } from '../../static/js/frames.js';
import { Framer } from '../../static/js/pcm-worklet.js';
import { clock, countWords, pageState, PROBLEMS, roomFor, span, uuid7 } from '../../static/js/words.js';

const facts = (more) => ({
  phase: 'recording', problem: null, trouble: null, device: '', line: true, everUp: true, server: 'listening', note: '',
  capturedMs: 134_000, safeMs: 126_000, transcribedMs: 132_000, lagMs: 0, quietFrames: 0, heard: true, keeps: true,
  stalled: false, gap: null, unsafeMs: 0, restFrames: 0, restsInMs: null, restedMs: 0, voicedMs: 0, voicedFrom: 0, ...more,
});

const STATES = [
  [{ phase: 'idle' }, 'idle', 'Ready'],
  [{ phase: 'asking' }, 'asking', 'Asking for microphone'],
  [{ phase: 'opening', line: false, everUp: false }, 'opening', 'Not recording yet'],
  [{ line: false, everUp: false }, 'connecting', 'Connecting'],
  [{ server: 'connecting' }, 'connecting', 'Connecting'],
  [{ server: '' }, 'connecting', 'Connecting'],
  [{}, 'listening', 'Listening'],
  [{ quietFrames: 30 }, 'silence', 'Silence'],
  [{ stalled: true }, 'stalled', 'Not recording'],
  [{ stalled: true, line: false }, 'stalled', 'Not recording'],
  [{ stalled: true, phase: 'paused' }, 'paused', 'Paused'],
  [{ line: false }, 'reconnecting', 'Still recording'],
  [{ server: 'reconnecting' }, 'reconnecting', 'Still recording'],
  [{ server: 'failed' }, 'reconnecting', 'Still recording'],
  [{ server: 'catching_up', lagMs: 6000 }, 'catching_up', 'Catching up'],
  [{ phase: 'paused' }, 'paused', 'Paused'],
  [{ phase: 'finishing' }, 'finishing', 'Finishing'],
  [{ phase: 'idle', problem: { code: 'denied' } }, 'error', 'No microphone'],
  [{ phase: 'paused', problem: { code: 'unplugged' } }, 'paused', 'Microphone gone'],
];

for (const [more, state, words] of STATES) {
  test(`${JSON.stringify(more)} is shown as ${state}, in the words "${words}"`, () => {
    const shown = pageState(facts(more));
    assert.deepEqual([shown.state, shown.words], [state, words]);
  });
}

test('a session that goes on says what it waits for once that takes long', () => {
  const opening = (more) => pageState(facts({ phase: 'opening', line: false, ...more })).note;
  assert.equal(opening({ awaits: 'server', late: false }), null);
  assert.match(opening({ awaits: 'server', late: true }).text, /server does not answer.*Nothing you say is recorded/);
  assert.match(opening({ awaits: 'earlier', late: true }).text, /^Sound from before/);
  assert.equal(opening({ awaits: 'server', late: true }).does, 'finish');
});

test('what pauses by itself says so a minute before, and why once it has', () => {
  const soon = pageState(facts({ quietFrames: 5400, restFrames: 5400, restsInMs: 60_000 }));
  assert.equal(soon.state, 'silence');
  assert.equal(soon.note.text, 'Nothing said for 9 minutes. Recording pauses by itself in 60 seconds.');
  assert.deepEqual([soon.note.label, soon.note.does], ['Keep recording', 'keep-on']);
  const rested = pageState(facts({ phase: 'paused', restedMs: 600_000 }));
  assert.equal(rested.note.text, 'Nothing was said for 10 minutes, so recording paused. Nothing is lost.');
  assert.deepEqual([rested.note.label, rested.note.does], ['Resume', 'toggle']);
  const offline = pageState(facts({ phase: 'paused', restedMs: 600_000, line: false }));
  assert.match(offline.note.text, /^Connection lost/);
});

test('a lost line says how much is kept here and offers one action', () => {
  const { note } = pageState(facts({ line: false }));
  assert.equal(note.text, 'Connection lost. 8 seconds kept safely on this device.');
  assert.deepEqual([note.label, note.does], ['Retry now', 'retry']);
});

test('where the browser keeps nothing it is not said to be kept', () => {
  const { note } = pageState(facts({ line: false, keeps: false }));
  assert.equal(note.text, 'Connection lost. 8 seconds held by this page alone: please leave it open.');
});

const noteOf = (more) => pageState(facts(more)).note;

test('where nothing comes from the microphone it is said since when, in words that do not change, and how to go on', () => {
  const note = noteOf({ stalled: true });
  assert.deepEqual([note.kind, note.text], ['bad', 'Nothing has been recorded since 2:14. The microphone sends nothing.']);
  assert.equal(note.does, 'reopen');
  assert.match(noteOf({ stalled: true, capturedMs: 0 }).text, /^Nothing is recorded\./);
  const trouble = { code: 'muted', message: 'The system has muted the microphone.' };
  assert.match(noteOf({ stalled: true, trouble }).text, /since 2:14\. The system has muted the microphone\.$/);
  assert.match(noteOf({ stalled: true, line: false }).text, /^Nothing has been recorded/, 'before whatever else there is to say');
  assert.equal(noteOf({ stalled: true, phase: 'paused' }), null);
  assert.match(noteOf({ stalled: true, phase: 'paused', line: false }).text, /^Connection lost/);
});

test('what was not recorded is said once sound is back, after what still goes wrong', () => {
  const gap = { ms: 40_000, slept: true };
  const note = noteOf({ gap });
  assert.deepEqual([note.kind, note.text], ['warn', 'Nothing was recorded for 40 seconds while this page slept.']);
  assert.deepEqual([note.label, note.does], ['Dismiss', 'forget-gap']);
  assert.match(noteOf({ gap: { ms: 3000, slept: false } }).text, /3 seconds while the microphone sent nothing\.$/);
  for (const state of [{ server: 'connecting' }, { server: 'catching_up' }, { quietFrames: 30 }]) assert.match(noteOf({ gap, ...state }).text, /slept/);
  assert.match(noteOf({ gap, line: false }).text, /^Connection lost/);
  assert.match(noteOf({ gap, server: 'failed' }).text, /gateway/);
  assert.match(noteOf({ gap, unsafeMs: 8000 }).text, /^The server has kept nothing/);
});

test('after five seconds in which nothing becomes safe it is said where the sound is', () => {
  assert.equal(noteOf({ unsafeMs: 4999 }), null);
  assert.equal(noteOf({ unsafeMs: 8000 }).text, 'The server has kept nothing for 8 seconds. What you say is kept safely on this device.');
  assert.match(noteOf({ unsafeMs: 8000, keeps: false }).text, /held by this page alone: please leave it open\.$/);
  assert.match(noteOf({ unsafeMs: 8000, server: 'failed' }).text, /^The server has kept nothing/);
  assert.match(noteOf({ unsafeMs: 8000, line: false }).text, /^Connection lost/);
  const trouble = { code: 'disk_full', message: 'The disk is full.' };
  assert.equal(noteOf({ unsafeMs: 8000, trouble }).text, 'The disk is full.');
});

test('after fifteen seconds of sound without a word it is said, softly, while the server hears', () => {
  assert.equal(noteOf({ voicedMs: 14_900 }), null);
  const note = noteOf({ voicedMs: 18_000 });
  assert.equal(note.text, 'No words for the last 18 seconds of sound. Recording goes on. Right microphone, right language?');
  assert.deepEqual([note.kind, note.does], ['', 'options']);
  assert.match(noteOf({ voicedMs: 18_000, quietFrames: 30 }).text, /^No words/, 'also to whoever has stopped to look');
  for (const server of ['connecting', 'catching_up', 'reconnecting', 'failed']) {
    assert.doesNotMatch(noteOf({ voicedMs: 18_000, server })?.text ?? '', /^No words/, server);
  }
});

test('nothing is lost is said where it is so: what this page alone holds is said to be there', () => {
  const shown = (code, more) => pageState(facts({ phase: 'paused', problem: { code }, ...more }));
  for (const [code, [, detail]] of Object.entries(PROBLEMS)) {
    const unkept = shown(code, { keeps: false, unsent: 3 });
    assert.doesNotMatch(`${unkept.detail} ${unkept.note.text}`, /nothing is lost|on this device\./i, code);
    assert.equal(shown(code, { keeps: true, unsent: 3 }).detail, detail);
    assert.equal(shown(code, { keeps: false, unsent: 0 }).detail, detail, 'the server has all of it');
  }
  assert.equal(shown('unplugged', { keeps: false, unsent: 3 }).detail, 'Held by this page alone');
  assert.match(shown('signed_out', { keeps: false, unsent: 3 }).note.text, /waits in this page: please leave it open\.$/);
  const problem = { code: 'capacity', message: 'Every place is taken.', action: 'retry' };
  assert.equal(pageState(facts({ phase: 'paused', problem, keeps: false, unsent: 3 })).detail, 'Held by this page alone');
  assert.equal(pageState(facts({ phase: 'idle', problem, keeps: false, unsent: 3 })).detail, 'Nothing was recorded');
});

test('every problem has a cause in a sentence without apology, and at most one action', () => {
  for (const [code, [words, , text, label, does]] of Object.entries(PROBLEMS)) {
    assert.match(text, /\.$/, code);
    assert.doesNotMatch(text, /sorry|oops|!/i, code);
    assert.ok(words.length > 0 && (label === '') === (does === ''), code);
  }
});

test("what the server says about a problem is shown in the server's words", () => {
  const { note } = pageState(facts({ trouble: { code: 'funds', message: 'The balance is used up.', action: 'settings' } }));
  assert.deepEqual([note.text, note.does], ['The balance is used up.', 'settings']);
});

test('what could not begin has lost nothing; what began is kept', () => {
  const problem = { code: 'capacity', message: 'Every place is taken.', action: 'retry' };
  const { words, detail } = pageState(facts({ phase: 'idle', problem }));
  assert.deepEqual([words, detail], ['Not started', 'Nothing was recorded']);
  const stopped = pageState(facts({ phase: 'paused', problem }));
  assert.deepEqual([stopped.state, stopped.words, stopped.detail], ['paused', 'Stopped', 'Nothing is lost']);
});

test('times are written as people write them', () => {
  assert.deepEqual([clock(0), clock(134_999), clock(3_734_000)], ['0:00', '2:14', '1:02:14']);
  assert.deepEqual([span(900), span(8000), span(180_000)], ['1 second', '8 seconds', '3 minutes']);
});

test('words are counted in any script with spaces', () => {
  assert.equal(countWords('Don’t stop: 11 boxes, über-gut. Привет мир'), 7);
  assert.equal(countWords(' … '), 0);
});

test('session ids are UUIDs of version 7 that sort by time', () => {
  const random = Uint8Array.from({ length: 10 }, () => 0xff);
  const [first, second] = [uuid7(1_700_000_000_000, random), uuid7(1_700_000_000_001, new Uint8Array(10))];
  assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(second, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(first < second);
});

const key = (name, more = {}) => ({
  key: name, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, repeat: false, isComposing: false, ...more,
});
const free = { field: false, button: false, dialog: false, singleKeys: true };

test('single keys work outside fields, buttons and dialogs only, and can be switched off', () => {
  const meanings = { ' ': 'toggle', r: 'record', R: 'record', p: 'pause', m: 'mark', '?': 'keys', x: '' };
  for (const [name, does] of Object.entries(meanings)) {
    assert.equal(meaning(key(name), free), does);
    for (const place of ['field', 'button', 'dialog']) assert.equal(meaning(key(name), { ...free, [place]: true }), '');
    assert.equal(meaning(key(name), { ...free, singleKeys: false }), '');
    for (const held of ['repeat', 'isComposing', 'ctrlKey', 'altKey']) assert.equal(meaning(key(name, { [held]: true }), free), '');
  }
});

test('command keys work everywhere, but never take undo from a field', () => {
  for (const command of ['ctrlKey', 'metaKey']) {
    assert.equal(meaning(key('Enter', { [command]: true }), { ...free, field: true }), 'finish');
    assert.equal(meaning(key('z', { [command]: true }), { ...free, singleKeys: false }), 'undo');
    assert.equal(meaning(key('z', { [command]: true }), { ...free, field: true }), '');
    assert.equal(meaning(key('z', { [command]: true, shiftKey: true }), free), 'redo');
  }
  assert.equal(meaning(key('Escape'), free), 'ask');
});

test('a WAV holds the samples of the frames and nothing else', async () => {
  const frames = [];
  const framer = new Framer((buffer) => frames.push(bytesOf(buffer)));
  framer.write(new Float32Array(2000).fill(0.25), 2000);
  framer.end();
  const wav = new DataView(await wavOf(frames).arrayBuffer());
  assert.equal(wav.byteLength, 44 + 4000);
  assert.equal(wav.getUint32(40, true), 4000);
  assert.equal(wav.getInt16(44 + 3998, true), 8192);
  assert.deepEqual(frames.map((frame) => readHeader(frame).samples), [1600, 400]);
});

test('unsent sound is warned about once at half an hour, and recording stops at two hours or a nearly full device', () => {
  assert.deepEqual([17_999, 18_000, 18_001, 71_999].map((unsent) => roomFor(unsent)), ['', 'warn', '', '']);
  assert.equal(roomFor(72_000), 'long_unsent');
  assert.equal(roomFor(600, { usage: 81, quota: 100 }), 'local_full');
  assert.equal(roomFor(600, { usage: 80, quota: 100 }), '');
  for (const code of ['long_unsent', 'local_full']) assert.ok(PROBLEMS[code]);
});
