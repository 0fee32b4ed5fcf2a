/** The dictation page as seen: puts facts into the page. Text is placed as text, fragments through htmx. */

import { leave } from './focus.js';
import { Follow } from './follow.js';
import { clock, countWords, isWordless, pageState } from './words.js';

const BARS = 86;
const PARAGRAPH_MS = 2500;
const $ = (id) => document.getElementById(id);

const say = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

export class View {
  #levels = [];
  #does = '';
  #state = '';
  #words = 0;

  /** @param {(action: string) => void} act what a note's button asks for */
  constructor(act) {
    this.follow = new Follow($('jump'));
    $('note-action').addEventListener('click', () => act(this.#does));
    say($('today'), new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' }).format());
  }

  /** What is settled so far, in its paragraphs. */
  get text() {
    const phrases = [...$('log').children].map((p) => (p.classList.contains('new') ? '\n\n' : ' ') + p.textContent.trim());
    return phrases.join('').trim();
  }

  get isEmpty() {
    return $('log').childElementCount === 0;
  }

  /** @param {object} facts of recorder.js */
  render(facts) {
    const { state, words, detail, note } = pageState(facts);
    if (state !== this.#state) document.body.dataset.state = this.#state = state;
    say($('status'), words);
    say($('detail'), detail);
    this.#note(note);
    this.#clocks(facts);
    this.#language($('language').value);
    if (facts.capturedMs > 0 && this.#words === 0) say($('words'), '0 words');
    $('start').setAttribute('aria-disabled', String(state === 'asking' || state === 'finishing'));
    $('ghost').hidden = !this.isEmpty || $('interim').textContent !== '';
  }

  #note(note) {
    $('note').hidden = note === null;
    // Only what stops a person interrupts: a count of seconds read out every second would.
    const isBad = note?.kind === 'bad';
    say($('note-bad'), isBad ? note.text : '');
    say($('note-text'), note && !isBad ? note.text : '');
    if (note === null) return;
    $('note').dataset.kind = note.kind;
    say($('note-action'), note.label);
    $('note-action').hidden = note.label === '';
    this.#does = note.does;
  }

  #clocks(facts) {
    const { capturedMs, safeMs, transcribedMs, voicedFrom, cost, engine, keeps } = facts;
    // What has no words counts as transcribed, as silence does: here it is known that there was sound.
    const transcribed = isWordless(facts) ? `no words since ${clock(voicedFrom)}` : `transcribed ${clock(transcribedMs)}`;
    const parts = [`captured ${clock(capturedMs)}`, `safe ${clock(safeMs)}`, transcribed];
    if (cost !== null) parts.push(`cost $${cost}`);
    if (!keeps) parts.push('this browser keeps nothing');
    say($('clocks'), parts.join(' · '));
    say($('engine'), engine);
  }

  /** What is listened for. "" is no language, and not the page's: once it is found out, each phrase tells its own. @param {string} code */
  #language(code) {
    for (const place of [$('log'), $('interim')]) if (place.lang !== code) place.lang = code;
  }

  /** One more bar of the level. @param {number} peak 0 to 1 */
  level(peak) {
    // Square root: speech sits low on a straight scale.
    this.#levels.push(Math.sqrt(peak));
    if (this.#levels.length > BARS) this.#levels.shift();
    const first = BARS - this.#levels.length;
    const bar = (level, i) => `M${(first + i) * 4 + 2} ${(18 - 1.2 - 15 * level).toFixed(1)}V${(18 + 1.2 + 15 * level).toFixed(1)}`;
    $('wave').setAttribute('d', this.#levels.map(bar).join(''));
  }

  partial({ text, start_ms: start }) {
    say($('interim'), text);
    $('interim').classList.toggle('new', this.#opensParagraph($('log').lastElementChild, start));
    if (text) this.follow.grew();
    $('ghost').hidden = !this.isEmpty || text !== '';
  }

  /** A fragment from the server: finals, or the whole log anew. */
  html(html) {
    // A log shown anew is not news to whoever listens to it.
    const anew = html.includes('innerHTML:#log');
    if (anew) $('log').setAttribute('aria-live', 'off');
    htmx.swap(document.body, html, { swapStyle: 'none' });
    if (anew) requestAnimationFrame(() => $('log').setAttribute('aria-live', 'polite'));
    this.#count();
    this.#paragraphs(anew);
    $('ghost').hidden = !this.isEmpty;
    this.follow.grew();
  }

  #count() {
    this.#words = countWords($('log').textContent);
    say($('words'), this.#words === 1 ? '1 word' : `${this.#words} words`);
  }

  #paragraphs(all) {
    const phrases = all ? $('log').children : [$('log').lastElementChild].filter(Boolean);
    for (const phrase of phrases) {
      phrase.classList.toggle('new', this.#opensParagraph(phrase.previousElementSibling, Number(phrase.dataset.start)));
    }
  }

  #opensParagraph(before, start) {
    return before !== null && start - Number(before.dataset.end) > PARAGRAPH_MS;
  }

  microphones(list, chosen) {
    const select = $('device');
    select.replaceChildren(new Option('Default microphone', ''));
    for (const { id, label } of list) if (id !== 'default') select.add(new Option(label || 'Microphone', id));
    if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
  }

  /** A quiet word in the corner; a newer one takes its place. */
  notice(text, link = '') {
    for (const old of $('notices').querySelectorAll('[data-passing]')) old.remove();
    const notice = noticeOf(text);
    notice.dataset.passing = '';
    if (link) notice.append(Object.assign(document.createElement('a'), { href: link, className: 'link', textContent: 'Open' }));
    notice.append(dismissing());
    $('notices').append(notice);
  }

  /** Sound that stays in this browser: to download, or to discard in two steps. */
  stuck(text, { download, discard }) {
    const notice = noticeOf(text);
    const gone = async () => {
      await discard();
      leave(notice);
      notice.remove();
    };
    const ask = (sure) => {
      doing.hidden = sure;
      asking.hidden = !sure;
      (sure ? asking : doing).querySelector('button').focus();
    };
    const doing = group(button('Download', download), button('Discard', () => ask(true)));
    const asking = group(button('Yes, discard', gone), button('Keep it', () => ask(false)));
    asking.hidden = true;
    notice.append(doing, asking, dismissing());
    $('notices').append(notice);
  }
}

function noticeOf(text) {
  const notice = Object.assign(document.createElement('mem-notice'), { className: 'notice' });
  notice.append(Object.assign(document.createElement('p'), { textContent: text }));
  return notice;
}

function button(label, does = () => {}) {
  const made = Object.assign(document.createElement('button'), { type: 'button', className: 'link', textContent: label });
  made.addEventListener('click', does);
  return made;
}

function dismissing() {
  const made = button('Dismiss');
  made.dataset.dismiss = '';
  return made;
}

function group(...buttons) {
  const made = Object.assign(document.createElement('span'), { className: 'does' });
  made.append(...buttons);
  return made;
}
