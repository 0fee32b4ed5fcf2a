// @ts-check
/** Which key does what on a record's page. Pure first; then what a person changed, and the sheet that shows it. */

/** @typedef {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean}} Press */

/** By group: [what, in words, keys]. `Mod` is Ctrl or the command key. @type {[string, [string, string, string[]][]][]} */
export const SHEET = [
  ['Listening', [
    ['play', 'Play or pause', ['Space']],
    ['play-typing', 'The same, while typing', ['Escape']],
    ['back', 'Back', ['ArrowLeft', 'Alt+J', 'F1']],
    ['forward', 'Forward', ['ArrowRight', 'Alt+L', 'F2']],
    ['slower', 'Slower', [',', 'F3', 'Alt+-']],
    ['faster', 'Faster', ['.', 'F4', 'Alt+=']],
    ['again', 'Say that again', ['Mod+Shift+P']],
    ['loop', 'Loop this paragraph', ['L']],
    ['to-playing', 'To the word being played', ['Mod+G']],
    ['mark', 'Mark this moment', ['M']],
    ['chapter', 'Begin a chapter here', ['Shift+M']],
  ]],
  ['Correcting', [
    ['next', 'Next paragraph', ['J']],
    ['previous', 'Previous paragraph', ['K']],
    ['uncertain', 'Next uncertain word', ['U']],
    ['edit', 'Edit', ['E', 'Enter']],
    ['from-caret', 'Play from the caret', ['Mod+Enter']],
    ['save', 'Save', ['Mod+S']],
    ['speaker', 'Change the speaker', ['Alt+S']],
    ['undo', 'Undo', ['Mod+Z']],
    ['redo', 'Redo', ['Mod+Shift+Z', 'Mod+Y']],
  ]],
  ['Finding', [
    ['find', 'In this transcript', ['Mod+F']],
    ['replace', 'Find and replace', ['Mod+H']],
    ['keys', 'This list', ['?']],
  ]],
];

/** Keys of the text field itself, which cannot be others. @type {[string, string][]} */
export const FIXED = [['Save', '↵'], ['Split here', '⇧ ↵'], ['Join to the one before', '⌫ at the start'], ['Next paragraph', 'Tab']];

/** How a press is written: "Mod+Shift+P". @param {Press} press */
export function written({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  const letter = key === ' ' ? 'Space' : key.length === 1 ? key.toUpperCase() : key;
  const shifts = shiftKey && (key.length > 1 || letter !== key.toLowerCase());
  return [ctrlKey || metaKey ? 'Mod' : '', altKey ? 'Alt' : '', shifts ? 'Shift' : '', letter].filter(Boolean).join('+');
}

/** Whether it is a key alone, which must not fire in a field. @param {string} combination */
export const isSingle = (combination) => !/^(Mod|Alt)\+|^F\d|^Escape$/.test(combination);

/**
 * What a press means, or ''.
 * @param {Press} press
 * @param {{typing: boolean, singleKeys: boolean, changed: Record<string, string[]>}} where
 */
export function meaning(press, { typing, singleKeys, changed }) {
  const combination = written(press);
  for (const [, rows] of SHEET) {
    for (const [what, , keys] of rows) {
      if (!(changed[what] ?? keys).includes(combination)) continue;
      if (typing ? isSingle(combination) : what === 'play-typing' || (isSingle(combination) && !singleKeys)) continue;
      return what === 'play-typing' ? 'play' : what;
    }
  }
  return '';
}

/** As a person reads it. @param {string} combination @param {string} command */
export function shown(combination, command) {
  /** @type {Record<string, string>} */
  const signs = { Mod: command, Shift: '⇧', ArrowLeft: '←', ArrowRight: '→', Enter: '↵', Escape: 'Esc' };
  return combination.split(/\+(?=.)/).map((part) => signs[part] ?? part).join(' ');
}

const KEY = 'memweb.keys';

/** What this person changed, kept in this browser. */
export class Changed {
  constructor() {
    /** @type {Record<string, string[]>} */
    this.all = {};
    try {
      this.all = JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {};
    } catch {
      // A browser that keeps nothing: the keys are as they were made.
    }
  }

  /** One key for this from now on; what had it before loses it. @param {string} what @param {string} combination */
  set(what, combination) {
    for (const [, rows] of SHEET) {
      for (const [other, , keys] of rows) {
        const now = this.all[other] ?? keys;
        if (other !== what && now.includes(combination)) this.all[other] = now.filter((key) => key !== combination);
      }
    }
    this.all[what] = [combination];
    this.#keep();
  }

  reset() {
    this.all = {};
    this.#keep();
  }

  #keep() {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.all));
    } catch {
      // It holds for this visit.
    }
  }
}
