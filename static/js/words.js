/** Small texts of the dictation page, and the state of it in words. Pure. */

/** 2:14, or 1:02:14. @param {number} ms */
export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const pad = (n) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** 8 seconds, 1 minute. @param {number} ms */
export function span(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 120) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  return `${Math.round(seconds / 60)} minutes`;
}

/** @param {string} text @returns {number} words in any script that has them */
export function countWords(text) {
  return text.match(/[\p{L}\p{N}]+(?:['’\-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
}

/** A UUID of version 7: sorts by the moment it was made. @param {number} ms @param {Uint8Array} random 10 bytes */
export function uuid7(ms, random) {
  const hex = ms.toString(16).padStart(12, '0') + [...random].map((b) => b.toString(16).padStart(2, '0')).join('');
  const variant = ((parseInt(hex[16], 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** What was said here while another device went on with that dictation. @param {string} title of that one */
export const meanwhile = (title) => (title ? `Meanwhile, on another device: ${title}` : 'Meanwhile, on another device');

export const FRAME_MS = 100;
export const FRAMES_PER_MINUTE = 600;
const WARN_UNSENT = 30 * FRAMES_PER_MINUTE;
const MOST_UNSENT = 120 * FRAMES_PER_MINUTE;
const MOST_QUOTA = 0.8;

/**
 * Whether this device should keep more unsent sound. Nothing is ever dropped: recording stops instead.
 * @param {number} unsent frames
 * @param {{usage?: number, quota?: number}} storage bytes, where known
 * @returns {'' | 'warn' | 'long_unsent' | 'local_full'} the last two are codes of PROBLEMS
 */
export function roomFor(unsent, { usage = 0, quota = Infinity } = {}) {
  if (unsent >= MOST_UNSENT) return 'long_unsent';
  if (usage > MOST_QUOTA * quota) return 'local_full';
  return unsent === WARN_UNSENT ? 'warn' : '';
}

const SAFE = 'Nothing is lost';

/** What stops a dictation: heading, detail, sentence, one action {label, does}, and the sentence where this page alone has the sound. */
export const PROBLEMS = {
  denied: ['No microphone', 'Blocked', 'Your browser blocked the microphone.', 'How to allow it', 'help'],
  missing: ['No microphone', 'None found', 'No microphone was found. Plug one in, then try again.', 'Try again', 'start'],
  busy: ['No microphone', 'In use', 'Another program holds the microphone. Close it, then try again.', 'Try again', 'start'],
  insecure: ['No microphone', 'Plain http', 'Browsers give a microphone to https pages only.', 'What to do', 'help'],
  unsupported: ['No microphone', 'Old browser', 'This browser cannot record. A current Chrome, Firefox, Edge or Safari can.', '', ''],
  failed: ['No microphone', 'Not started', 'The microphone did not start.', 'Try again', 'start'],
  unplugged: ['Microphone gone', SAFE, 'The microphone went away. Plug it in or choose another to go on.', 'Choose', 'options'],
  taken: ['Open elsewhere', SAFE, 'Another tab has this session.', 'Use it here', 'retry'],
  signed_out: [
    'Signed out', SAFE, 'You are signed out. What is not sent yet waits on this device.', 'Sign in', 'sign-in',
    'You are signed out. What is not sent yet waits in this page: please leave it open.',
  ],
  foreign: ['Not yours', '', 'This session belongs to somebody else.', 'Start anew', 'anew'],
  refused: ['Stopped', SAFE, 'The server would not go on with this page.', 'Try again', 'retry'],
  hole: ['Stopped', 'Part is missing', 'The server asks for sound this browser no longer has.', 'Download the rest', 'download'],
  local_full: ['Stopped', SAFE, 'This device has no room for more unsent sound.', 'Download audio', 'download'],
  long_unsent: [
    'Stopped', SAFE, 'Two hours wait unsent on this device. Recording stopped.', 'Download audio', 'download',
    'Two hours wait unsent in this page: please leave it open. Recording stopped.',
  ],
};

/** Labels of the actions a server's error may ask for. */
const ACTIONS = { retry: ['Retry now', 'retry'], settings: ['Open settings', 'settings'], 'sign-in': ['Sign in', 'sign-in'] };

const note = (kind, text, label = '', does = '') => ({ kind, text, label, does });

/** Whether what was said is anywhere but in this page. */
const isKept = ({ keeps, unsent }) => keeps || unsent === 0;

function problemOf(facts) {
  const { problem, phase } = facts;
  const safe = isKept(facts) ? SAFE : 'Held by this page alone';
  if (problem.message) {
    const [label, does] = ACTIONS[problem.action] ?? ['', ''];
    const [words, detail] = phase === 'idle' ? ['Not started', 'Nothing was recorded'] : ['Stopped', safe];
    return { words, detail, note: note('bad', problem.message, label, does) };
  }
  const [words, detail, text, label, does, unkept = text] = PROBLEMS[problem.code] ?? PROBLEMS.failed;
  const sentence = isKept(facts) ? text : unkept;
  return { words, detail: detail === SAFE ? safe : detail, note: note('bad', sentence, label, does) };
}

/** Softer than this, about -34 dB, nobody speaks to a microphone; words may come of it all the same. */
const SPEECH_PEAK = 0.02;

/** Whether a frame is loud enough to be speech. @param {number} peak 0 to 1 */
export const isSpeech = (peak) => peak >= SPEECH_PEAK;

const QUIET_FRAMES = 30;
/** The server says of nothing that it is safe, for so long. */
const UNSAFE_MS = 5000;
/** So much sound that could be speech, and no words out of it. */
const WORDLESS_MS = 15_000;

const wherever = ({ keeps }) => (keeps ? 'kept safely on this device' : 'held by this page alone: please leave it open');

/** Whether sound is heard, and yet no words come. */
export const isWordless = ({ voicedMs }) => voicedMs >= WORDLESS_MS;

/** The line is up, and nothing of what is sent becomes safe. */
function unsafeNote(facts) {
  if (!facts.line || facts.unsafeMs < UNSAFE_MS) return null;
  return note('warn', `The server has kept nothing for ${span(facts.unsafeMs)}. What you say is ${wherever(facts)}.`);
}

function gapNote({ gap }) {
  if (!gap) return null;
  const why = gap.slept ? 'this page slept' : 'the microphone sent nothing';
  return note('warn', `Nothing was recorded for ${span(gap.ms)} while ${why}.`, 'Dismiss', 'forget-gap');
}

/** It is about to pause by itself. */
function restNote({ restFrames, restsInMs }) {
  if (restsInMs === null) return null;
  const text = `Nothing said for ${span(restFrames * FRAME_MS)}. Recording pauses by itself in ${span(restsInMs)}.`;
  return note('warn', text, 'Keep recording', 'keep-on');
}

function wordlessNote(facts) {
  if (!isWordless(facts)) return null;
  const text = `No words for the last ${span(facts.voicedMs)} of sound. Recording goes on. Right microphone, right language?`;
  return note('', text, 'Choose', 'options');
}

/** The microphone is open and nothing comes from it. */
function stalledOf({ capturedMs, trouble }) {
  const detail = clock(capturedMs);
  const since = capturedMs > 0 ? `Nothing has been recorded since ${detail}.` : 'Nothing is recorded.';
  const why = trouble?.code === 'muted' ? trouble.message : 'The microphone sends nothing.';
  return { state: 'stalled', words: 'Not recording', detail, note: note('bad', `${since} ${why}`, 'Open it again', 'reopen') };
}

function recordingOf(facts) {
  const detail = clock(facts.capturedMs);
  const kept = facts.capturedMs - facts.safeMs;
  const trouble = facts.trouble ? problemOf({ problem: facts.trouble }).note : unsafeNote(facts);
  if (!facts.line && facts.everUp) {
    const text = `Connection lost. ${span(kept)} ${wherever(facts)}.`;
    return { state: 'reconnecting', words: 'Still recording', detail, note: trouble ?? note('warn', text, 'Retry now', 'retry') };
  }
  if (facts.server === 'reconnecting' || facts.server === 'failed') {
    const text = facts.note || 'The gateway went away. Recording goes on, text follows.';
    return { state: 'reconnecting', words: 'Still recording', detail, note: trouble ?? note('warn', text, 'Retry now', 'retry') };
  }
  const told = trouble ?? gapNote(facts) ?? restNote(facts);
  if (!facts.line || facts.server === '' || facts.server === 'connecting') return { state: 'connecting', words: 'Connecting', detail, note: told };
  if (facts.server === 'catching_up') {
    return { state: 'catching_up', words: 'Catching up', detail, note: told ?? note('', `The text is ${span(facts.lagMs)} behind.`) };
  }
  const wordless = told ?? wordlessNote(facts);
  if (facts.quietFrames >= QUIET_FRAMES) {
    const never = facts.heard ? null : note('warn', 'Nothing heard yet. Is this the right microphone?', 'Choose', 'options');
    return { state: 'silence', words: 'Silence', detail, note: wordless ?? never };
  }
  return { state: 'listening', words: 'Listening', detail, note: wordless ?? (facts.note ? note('', facts.note) : null) };
}

/** Why it is paused, where nobody asked for it. */
function restedNote({ restedMs }) {
  if (restedMs === 0) return null;
  return note('', `Nothing was said for ${span(restedMs)}, so recording paused. ${SAFE}.`, 'Resume', 'toggle');
}

/** What a session that goes on waits for, once that takes long. */
function openingNote({ awaits, late }) {
  if (!late) return null;
  const text = awaits === 'earlier' ? 'Sound from before is still on its way to the server.' : 'The server does not answer.';
  return note('warn', `${text} Nothing you say is recorded until then.`, 'Cancel', 'finish');
}

/**
 * The page in one word for its looks, in words for the person, with at most one note and one action.
 * @param {object} facts what recorder.js knows
 * @returns {{state: string, words: string, detail: string, note: {kind: string, text: string, label: string, does: string} | null}}
 */
export function pageState(facts) {
  // A session that only waits for its microphone can still be resumed or finished: it looks paused.
  if (facts.problem) return { state: facts.phase === 'paused' ? 'paused' : 'error', ...problemOf(facts) };
  if (facts.phase === 'opening') return { state: 'opening', words: 'Not recording yet', detail: 'One moment', note: openingNote(facts) };
  if (facts.phase === 'asking') return { state: 'asking', words: 'Asking for microphone', detail: 'Please allow it', note: null };
  if (facts.phase === 'paused') {
    const offline = facts.everUp && !facts.line ? recordingOf(facts).note : null;
    return { state: 'paused', words: 'Paused', detail: clock(facts.capturedMs), note: offline ?? restedNote(facts) };
  }
  if (facts.phase === 'finishing') {
    const left = facts.capturedMs - facts.transcribedMs;
    const detail = left > 1000 ? `last ${span(left)}` : 'last words';
    const offline = facts.line ? null : note('warn', 'Connection lost. It finishes when the line is back.', 'Retry now', 'retry');
    return { state: 'finishing', words: 'Finishing', detail, note: offline };
  }
  if (facts.phase === 'recording') return facts.stalled ? stalledOf(facts) : recordingOf(facts);
  return { state: 'idle', words: 'Ready', detail: facts.device || 'Default microphone', note: null };
}
