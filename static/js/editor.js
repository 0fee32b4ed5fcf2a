// @ts-check
/** A record's text under a person's hands: write in place, split, join, change speakers, undo, find. */
import { Choices } from './choices.js';
import { Finder } from './finding.js';
import { Changed, meaning } from './keymap.js';
import { beside, more, offsetOf, placeBefore, segmentsOf, startOf, textOf, timeAt } from './paragraphs.js';
import { Away, Drafts, Server } from './saving.js';
import { Sheet } from './sheet.js';
import { focusOf } from './shortcuts.js';
import { Who } from './who.js';
import { Writing } from './writing.js';

const SAID_MS = 4000;

/** What can be done, by name of a key or a button. @type {Record<string, (editor: Editor) => void>} */
const DEEDS = {
  edit: (editor) => editor.open(editor.chosen),
  text: (editor) => editor.open(editor.chosen),
  next: (editor) => editor.choose(editor.current && beside(editor.current, 1)),
  previous: (editor) => editor.choose(editor.current && beside(editor.current, -1)),
  uncertain: (editor) => editor.nextUncertain(),
  speaker: (editor) => editor.who.ask(editor.current),
  save: (editor) => { editor.writing?.save(); },
  undo: (editor) => { editor.send('undoing/', {}); },
  redo: (editor) => { editor.send('undoing/', { redo: 1 }); },
  find: (editor) => editor.finder.open(false),
  replace: (editor) => editor.finder.open(true),
  keys: (editor) => editor.sheet.show(),
  'reset-keys': (editor) => editor.sheet.reset(),
  mark: () => { document.querySelector('mem-marks')?.add(false); },
  chapter: () => { document.querySelector('mem-marks')?.add(true); },
  'from-caret': (editor) => editor.playFromCaret(),
};

export class Editor extends (globalThis.HTMLElement ?? Object) {
  #over = new AbortController();
  #seeks = false;
  /** What takes words away again, by the place they stand in. @type {WeakMap<Element, number>} */
  #silences = new WeakMap();
  /** What was closed before the server had it: opened again, it goes on. @type {WeakMap<HTMLElement, Writing>} */
  #unsaved = new WeakMap();
  /** @type {Writing | null} */ writing = null;
  /** @type {HTMLElement | null} */ chosen = null;

  connectedCallback() {
    if (!this.dataset.version) return;
    this.server = new Server(this.dataset.base ?? '', this.dataset.version);
    this.drafts = new Drafts(this.server);
    this.changed = new Changed();
    this.text = /** @type {HTMLElement} */ (this.querySelector('mem-text'));
    this.who = new Who(this);
    this.sheet = new Sheet(this);
    this.finder = new Finder(this);
    this.singleKeys = new Choices({ singleKeys: document.body.dataset.singleKeys }).all.singleKeys;
    const until = { signal: this.#over.signal };
    this.addEventListener('click', this.#press, until);
    this.addEventListener('dblclick', this.#read, until);
    this.addEventListener('keydown', this.#type, until);
    this.addEventListener('focusin', this.#chose, until);
    this.addEventListener('focusout', this.#left, until);
    document.addEventListener('keydown', this.#key, { ...until, capture: true });
    addEventListener('pagehide', () => { this.writing?.save(); }, until);
    this.#takeUp();
  }

  disconnectedCallback() {
    this.#over.abort();
  }

  /** Write in a paragraph. @param {HTMLElement | null} article @param {[number, number] | null} [place] @param {string} [text] */
  open(article, place = null, text = undefined) {
    const target = article ?? this.current;
    if (!target || this.writing?.article === target) return;
    this.close();
    this.choose(target, false);
    const begun = this.#unsaved.get(target);
    begun?.enter();
    this.writing = begun ?? new Writing(target, this, text ?? textOf(target));
    const [from, to] = place ?? this.#markedWord(target);
    this.writing.focus(from, to);
  }

  /** Of several open fields, the one that keys are for. @param {Writing} writing */
  goOn(writing) {
    if (this.writing === writing) return;
    this.close();
    this.writing = writing;
  }

  /** Save and leave the field; what cannot be saved stays a draft and is sent later. */
  async close() {
    const writing = this.writing;
    if (!writing) return;
    this.writing = null;
    this.#unsaved.set(writing.article, writing);
    const held = writing.form.contains(document.activeElement);
    const next = beside(writing.article, 1) ?? beside(writing.article, -1);
    const saved = await writing.still(() => writing.save(true));
    const { isConnected } = writing.article; // no longer, where it was emptied
    if (this.writing === writing && isConnected) return; // opened again meanwhile
    if (writing.theirs) {
      this.writing ??= writing;
      return;
    }
    writing.leave();
    if (this.writing === writing) this.writing = null;
    if (saved) this.#unsaved.delete(writing.article);
    else this.#show(writing.article, writing.field.value);
    if (held && !this.writing) this.choose(isConnected ? writing.article : next);
  }

  /**
   * @param {Writing} writing what met with another's words
   * @param {import('./paragraphs.js').Answer} answer @param {string | null} text mine, to go on with
   */
  openAfter(writing, answer, text) {
    const there = answer.holding(writing.keys)[0];
    if (text?.trim() && !there) {
      writing.field.select();
      return this.say('There is no place for your words any more. Copy them, then keep theirs', 'bad', writing);
    }
    const start = startOf(writing.article);
    writing.leave();
    const fits = answer.swapInto(this.text);
    if (fits || text === null) this.#finish(writing);
    if (!fits) return this.#reload(); // a draft of mine is shown there again
    if (text === null || !there) return this.choose(there ?? this.#at(start));
    this.open(there, [text.length, text.length], text);
    if (text.trim()) this.writing?.save();
    else this.close();
  }

  /** A correction of whole paragraphs. @param {string} where @param {Record<string, string | number | string[]>} fields */
  send(where, fields) {
    const { writing } = this;
    return writing ? writing.still(() => this.#send(where, fields, writing)) : this.#send(where, fields);
  }

  /** @param {string} where @param {Record<string, string | number | string[]>} fields @param {Writing} [writing] the open field */
  async #send(where, fields, writing) {
    if (writing && !(await writing.save(true))) return null;
    try {
      const { status, answer } = await this.server.post(where, fields);
      const start = startOf(writing?.article ?? this.current ?? this);
      if (status !== 200) {
        // What is there now, so that the next try is about that. A field stays, with what was typed.
        if (status === 409 && !writing && answer.swapInto(this.text)) this.choose(this.#at(start));
        this.say(answer.said, 'bad');
        return null;
      }
      if (writing) this.#finish(writing);
      if (answer.anew) this.#reload();
      if (answer.articles.length && !answer.swapInto(this.text)) this.#reload();
      this.kept(answer, answer.edit ? 'Saved' : 'Nothing to do');
      this.choose(this.chosen?.isConnected ? this.chosen : this.#at(start));
      return answer;
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      this.say(error.message || 'memweb does not answer. Nothing was changed; try again', 'bad');
      return null;
    }
  }

  /** @param {Writing} writing */
  #finish(writing) {
    writing.finish();
    this.#unsaved.delete(writing.article);
    if (this.writing === writing) this.writing = null;
  }

  /** @param {HTMLElement | Element | null} article @param {boolean} [focus] */
  choose(article, focus = true) {
    if (!article?.isConnected) return;
    this.chosen = /** @type {HTMLElement} */ (article);
    if (!focus) return;
    this.chosen.focus({ preventScroll: true });
    this.chosen.scrollIntoView({ block: 'nearest' });
  }

  /** @param {import('./paragraphs.js').Answer} answer @param {string} [words] @param {Writing | null} [writing] what was sent */
  kept(answer, words = 'Saved', writing = this.writing) {
    for (const [name, can] of Object.entries({ undo: answer.canUndo, redo: answer.canRedo })) {
      /** @type {HTMLButtonElement} */ (this.querySelector(`.tools [data-edit=${name}]`)).disabled = !can;
    }
    if (answer.said) this.say(answer.said, 'bad', writing); // it is saved, but where few will see it
    else this.say(words, 'ok', writing);
  }

  /**
   * Above the text, and in the field that it is about: another that is open keeps its own reason.
   * @param {string} words @param {string} [look] @param {Writing | null} [writing]
   */
  say(words, look = '', writing = this.writing) {
    for (const place of [this.querySelector('.tools .kept'), writing?.form.querySelector('.kept')]) {
      if (place) this.#put(place, words, look);
    }
  }

  /** @param {Element} place @param {string} words @param {string} look */
  #put(place, words, look) {
    clearTimeout(this.#silences.get(place));
    if (!words && !place.textContent) return; // as with every letter but the first
    place.textContent = words;
    place.className = `kept ${look}`;
    if (look === 'ok') this.#silences.set(place, setTimeout(() => this.#put(place, '', ''), SAID_MS));
  }

  /** Also where it is not loaded yet. */
  async nextUncertain() {
    if (this.#seeks) return;
    const marked = this.text.querySelector('.w.chosen');
    const from = marked ?? this.chosen;
    this.#seeks = true;
    let word = this.#uncertainAfter(from);
    while (!word && (await more())) word = this.#uncertainAfter(from);
    this.#seeks = false;
    marked?.classList.remove('chosen');
    if (!word) return this.say('No uncertain word after this one');
    word.classList.add('chosen');
    this.choose(word.closest('.turn'));
    word.scrollIntoView({ block: 'center' });
    this.player?.seek(Number(word.dataset.start) / 1000);
  }

  /** @param {Element | null} from null for the first there is */
  #uncertainAfter(from) {
    const all = /** @type {HTMLElement[]} */ ([...this.text.querySelectorAll('.s[data-words*="?"]')]);
    for (const segment of all) this.text.reader.spread(segment);
    const words = /** @type {HTMLElement[]} */ ([...this.text.querySelectorAll('.w.low')]);
    return words.find((word) => !from || (word !== from && from.compareDocumentPosition(word) & Node.DOCUMENT_POSITION_FOLLOWING));
  }

  /** @returns {any} */
  get player() {
    return document.querySelector('mem-player');
  }

  playFromCaret() {
    const article = this.writing?.article ?? this.current;
    if (!article || !this.player) return;
    const { value = '', selectionStart = 0 } = this.writing?.field ?? {};
    for (const segment of article.querySelectorAll('.s')) this.text.reader.spread(segment);
    this.player.seek(timeAt(article, placeBefore(textOf(article), value, selectionStart)) / 1000);
    this.player.sound.play();
  }

  /** What a word marked as chosen spans, else where what is played stands. @param {HTMLElement} article @returns {[number, number]} */
  #markedWord(article) {
    const word = article.querySelector('.w.chosen') ?? article.querySelector('.w.at');
    if (!word) return [0, 0];
    const begin = offsetOf(article, word, 0);
    return word.classList.contains('chosen') ? [begin, begin + (word.textContent ?? '').length] : [begin, begin];
  }

  /** The paragraph that was chosen, else the one being played, else the first. */
  get current() {
    if (!this.chosen?.isConnected) this.chosen = null;
    return this.chosen ?? /** @type {HTMLElement | null} */ (this.text.querySelector('.turn.now') ?? this.text.querySelector('.turn'));
  }

  /** @param {number} start */
  #at(start) {
    const all = /** @type {HTMLElement[]} */ ([...this.text.querySelectorAll('.turn')]);
    return all.findLast((article) => startOf(article) <= start) ?? all[0] ?? null;
  }

  /**
   * What was typed, in the paragraph, though the server does not have it yet: all of it in the first segment. The others
   * stay, without words, for they say what the paragraph is.
   * @param {Element} article @param {string} text
   */
  #show(article, text) {
    const segments = /** @type {HTMLElement[]} */ ([...article.querySelectorAll('.s')]);
    for (const [place, segment] of segments.entries()) {
      segment.removeAttribute('data-words');
      segment.textContent = place ? '' : text;
    }
    article.querySelector('.prose > p')?.replaceChildren(...segments);
    this.text.reader.refresh();
  }

  /** Drafts of an earlier visit are sent as they would have been. */
  async #takeUp() {
    for (const [key, draft] of Object.entries(this.drafts.all)) {
      try {
        const { status, answer } = await this.server.post('text/', { segment: draft.segments, text: draft.text });
        if (isThere(status, answer, draft)) {
          this.drafts.keep(key, null);
          if (answer.articles.length && !answer.swapInto(this.text)) this.#reload();
          this.kept(answer, 'Saved what was typed before');
        } else {
          this.#openDraft(key, draft, status, answer);
        }
      } catch (error) {
        if (!(error instanceof Away)) throw error;
      }
    }
    for (const drafts of this.drafts.elsewhere) await this.#sendOn(drafts);
  }

  /** Drafts of another version are saved there, and the server says where else; the text on this page is without them. @param {Drafts} drafts */
  async #sendOn(drafts) {
    const { base, version } = drafts.server;
    const name = document.querySelector(`.versions a[href="?version=${version}"] span`)?.textContent;
    const there = name ? `“${name}”` : 'another version';
    let [left, said] = [0, ''];
    for (const [key, draft] of Object.entries(drafts.all)) {
      try {
        const { status, answer } = await drafts.server.post('text/', { segment: draft.segments, text: draft.text });
        if (isThere(status, answer, draft)) {
          drafts.keep(key, null);
          said = (status === 200 && answer.said) || said || `Saved in ${there}, and not in this text.`;
        } else {
          left += 1;
        }
      } catch (error) {
        if (!(error instanceof Away)) throw error;
        left += 1;
      }
    }
    if (said) this.#tell(`What you typed before: ${said}`, `${base}comparison/${version}/${this.server.version}/`, 'Compare the two');
    if (left) this.#tell(`What you typed before in ${there} is not saved yet. It is kept in this browser.`, `${base}?version=${version}`, 'Show it');
  }

  /** Something that stays on the page. @param {string} words @param {string} address @param {string} name of the link */
  #tell(words, address, name) {
    const [line, link] = [document.createElement('p'), document.createElement('a')];
    Object.assign(link, { href: address, textContent: name, className: 'link' });
    line.append(`${words} `, link);
    this.querySelector('.earlier')?.append(line);
  }

  /**
   * A draft that was not taken, where it was typed, with what stands in its way. Its segments are the ones it was typed
   * over: nothing saves it over another's words before these were seen. Any other field stays as it is.
   * @param {string} key @param {{segments: string[], text: string}} draft
   * @param {number} status @param {import('./paragraphs.js').Answer} answer
   */
  #openDraft(key, draft, status, answer) {
    const article = /** @type {HTMLElement | null} */ (document.getElementById(`s-${key}`)?.closest('.turn'));
    if (!article) return this.say('Words typed before could not be saved. They are kept in this browser', 'bad');
    const writing = new Writing(article, this, draft.text, draft.segments);
    this.#unsaved.set(article, writing);
    writing.refused(status, answer);
    if (!this.writing) {
      this.writing = writing;
      writing.focus(0);
    }
    if (status === 409) this.say('This was typed here before, and somebody changed it since', 'bad', writing);
  }

  #reload() {
    const there = this.chosen && segmentsOf(this.chosen)[0]?.split(':')[0];
    location.hash = there ? `s-${there}` : '';
    location.reload();
  }

  /** @param {MouseEvent} event */
  #press = (event) => {
    const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-edit]'));
    const deed = button && DEEDS[button.dataset.edit ?? ''];
    if (!deed) return;
    event.preventDefault();
    this.choose(button.closest('.turn') ?? this.chosen, false);
    deed(this);
  };

  /** A double click on words writes there. @param {MouseEvent} event */
  #read = (event) => {
    const article = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('.turn'));
    const selection = getSelection();
    if (!article || !(/** @type {Element} */ (event.target).closest('.prose > p')) || !selection?.anchorNode) return;
    const places = [[selection.anchorNode, selection.anchorOffset], [selection.focusNode, selection.focusOffset]]
      .map(([node, offset]) => offsetOf(article, /** @type {Node} */ (node), /** @type {number} */ (offset))).sort((a, b) => a - b);
    this.open(article, [places[0], places[1]]);
  };

  /** Keys of the field itself. @param {KeyboardEvent} event */
  #type = (event) => {
    const { writing } = this;
    if (!writing || event.target !== writing.field || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const does = { Enter: event.shiftKey ? 'split' : 'done', Tab: 'tab', Backspace: writing.isAtStart ? 'join' : '' }[event.key];
    if (!does) return;
    const next = beside(writing.article, event.shiftKey ? -1 : 1);
    if (does === 'tab' && (!next || writing.theirs)) return; // in a conflict it leads to the two answers
    event.preventDefault();
    if (does === 'tab') this.open(/** @type {HTMLElement} */ (next), [0, 0]);
    else if (does === 'done') this.close();
    else if (!writing.field.readOnly) this.#reshape(writing, does);
  };

  /** @param {Writing} writing @param {string} what "split" or "join" */
  async #reshape(writing, what) {
    if (!writing.field.value.trim()) return this.close();
    const before = writing.field.value.slice(0, writing.field.selectionStart);
    const at = before.replace(/\s+/g, ' ').trimStart().length;
    const answer = await writing.still(async () => (await writing.save())
      && this.send('paragraph/', { do: what, at, segment: writing.segments }));
    if (answer && what === 'split' && !this.writing) this.open(/** @type {HTMLElement | null} */ (this.chosen && beside(this.chosen, 1)), [0, 0]);
  }

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    const focus = focusOf(document.activeElement);
    if (event.isComposing || event.defaultPrevented) return;
    const typing = focus.field;
    if (typing && !this.contains(document.activeElement)) return;
    const what = meaning(event, { typing, singleKeys: this.singleKeys, changed: this.changed.all });
    if (!what || (focus.button && ['Enter', ' '].includes(event.key))) return;
    if (typing && ['undo', 'redo'].includes(what)) return; // the field has its own
    if (focus.dialog) return;
    const deed = DEEDS[what];
    if (!deed && !this.player) return;
    event.preventDefault();
    event.stopPropagation();
    if (deed) deed(this);
    else this.player.do(what === 'loop' ? 'loop' : what);
  };

  /** @param {FocusEvent} event */
  #chose = (event) => {
    const target = /** @type {Element} */ (event.target);
    const article = /** @type {HTMLElement | null} */ (target.closest('.turn'));
    if (!article) return;
    this.chosen = article;
    const begun = this.#unsaved.get(article);
    if (begun?.form.contains(target)) this.goOn(begun);
  };

  /** Leaving the field saves; a click beside it loses nothing. @param {FocusEvent} event */
  #left = (event) => {
    const { writing } = this;
    if (!writing || event.target !== writing.field || !document.hasFocus()) return;
    const to = /** @type {Node | null} */ (event.relatedTarget);
    if (to && (writing.form.contains(to) || (to instanceof Element && to.closest('mem-player, dialog')))) return;
    writing.save();
  };
}

/**
 * Whether the server has a draft now: it took it, or had it before and the answer was lost.
 * @param {number} status @param {import('./paragraphs.js').Answer} answer @param {{segments: string[], text: string}} draft
 */
function isThere(status, answer, { segments, text }) {
  const now = answer.holding(segments.map((one) => one.replace(/:\d+$/, ''))).map(textOf).join(' ');
  return status === 200 || (status === 409 && now.trim() === text.trim());
}

if (globalThis.customElements) customElements.define('mem-editor', Editor);
