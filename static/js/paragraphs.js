// @ts-check
/** The paragraphs of a record's text, as the page holds them. */

/** Segments of a paragraph as the server wants to hear of them: "key:revision". @param {Element} article */
export const segmentsOf = (article) => /** @type {HTMLElement[]} */ ([...article.querySelectorAll('.s')])
  .map((segment) => `${keyOf(segment)}:${segment.dataset.rev ?? 0}`);

/** @param {Element} segment */
export const keyOf = (segment) => segment.id.slice(2);

/** What a paragraph reads. @param {Element} article */
export const textOf = (article) => article.querySelector('.prose > p')?.textContent ?? '';

/** @param {Element} article */
export const startOf = (article) => Number(/** @type {HTMLElement} */ (article).dataset.start ?? 0);

/** @param {Element} article */
export const endOf = (article) => Number(/** @type {HTMLElement | undefined} */ ([...article.querySelectorAll('.s')].at(-1))?.dataset.end);

/** The paragraph before or after, or null. @param {Element} article @param {number} step */
export function beside(article, step) {
  const all = [...(article.closest('mem-text')?.querySelectorAll('.turn') ?? [])];
  return all[all.indexOf(article) + step] ?? null;
}

/** Where in a paragraph's text a point of a text node lies. @param {Element} article @param {Node} node @param {number} offset */
export function offsetOf(article, node, offset) {
  const range = document.createRange();
  range.selectNodeContents(/** @type {Node} */ (article.querySelector('.prose > p')));
  if (!range.intersectsNode(node)) return 0;
  range.setEnd(node, offset);
  return range.toString().length;
}

/**
 * Where a place in a text stands in the text it was made of; within what was written new, where that begins.
 * @param {string} before @param {string} after @param {number} at a place in the latter
 */
export function placeBefore(before, after, at) {
  const rest = after.length - at;
  let [first, last] = [0, 0];
  while (first < at && before[first] === after[first]) first += 1;
  while (last < rest && before.at(-1 - last) === after.at(-1 - last)) last += 1;
  return first < at && last === rest ? Math.max(before.length - rest, first) : first;
}

/**
 * When what stands at a place in a paragraph's text is said, in ms: by its word's time; where words have none, by its share
 * of the segment. Wants the segments spread.
 * @param {Element} article @param {number} at
 */
export function timeAt(article, at) {
  const words = /** @type {HTMLElement[]} */ ([...article.querySelectorAll('.w')]);
  const word = words.findLast((one) => offsetOf(article, one, 0) <= at);
  if (!word) return startOf(article);
  const { start, end, words: packed } = /** @type {HTMLElement} */ (word.closest('.s')).dataset;
  if (packed) return Number(word.dataset.start);
  const share = (at - offsetOf(article, word, 0)) / ((word.textContent ?? '').length || 1);
  return Number(start) + (Number(end) - Number(start)) * Math.min(share, 1);
}

/** Ask for the next part of the text. False where there is none, or none comes. @returns {Promise<boolean>} */
export function more() {
  const onward = document.querySelector('.onward');
  if (!onward) return Promise.resolve(false);
  return new Promise((done) => {
    const over = new AbortController();
    const end = (/** @type {boolean} */ came) => {
      over.abort();
      done(came);
    };
    for (const name of ['htmx:responseError', 'htmx:sendError']) {
      document.addEventListener(name, (event) => { if (event.target === onward) end(false); }, over);
    }
    document.addEventListener('htmx:load', (event) => {
      if (/** @type {Element} */ (event.target).closest('mem-text')) end(true);
    }, over);
    onward.dispatchEvent(new Event('mem-more'));
  });
}

/** Take a paragraph off the page, and the part that held nothing else. @param {Element} article */
export function takeOff(article) {
  const part = article.parentElement;
  article.remove();
  if (!part?.childElementCount) part?.remove();
}

/** What the server answered to a correction: paragraphs, and what it says beside them. */
export class Answer {
  /** @param {string} html */
  constructor(html) {
    const template = document.createElement('template');
    template.innerHTML = html;
    this.articles = /** @type {HTMLElement[]} */ ([...template.content.querySelectorAll('.turn')]);
    const output = template.content.querySelector('output');
    this.said = output?.textContent ?? '';
    this.edit = output?.dataset.edit ?? '';
    this.canUndo = output?.dataset.undo === 'yes';
    this.canRedo = output?.dataset.redo === 'yes';
    /** Whether it is about more of the page than its paragraphs: names, the title. */
    this.anew = output?.hasAttribute('data-anew') ?? false;
    this.touched = (output?.dataset.touched ?? '').split(' ').filter(Boolean);
  }

  /** The new paragraphs that hold any of these segments. @param {string[]} keys */
  holding(keys) {
    return this.articles.filter((article) => [...article.querySelectorAll('.s')].some((one) => keys.includes(keyOf(one))));
  }

  /**
   * Put the paragraphs in the place of the old ones. False where the page groups them otherwise: load it again.
   * @param {ParentNode} text
   */
  swapInto(text) {
    const fresh = new Set(this.articles.flatMap((article) => [...article.querySelectorAll('.s')].map(keyOf)));
    const known = new Set([...fresh, ...this.touched]);
    const old = [...text.querySelectorAll('.turn')].filter((turn) => [...turn.querySelectorAll('.s')].some((one) => known.has(keyOf(one))));
    const strange = old.some((turn) => [...turn.querySelectorAll('.s')].some((one) => !known.has(keyOf(one))));
    if (strange || !old.length) return false;
    old[0].before(...this.articles);
    for (const turn of old) takeOff(turn);
    return true;
  }
}
