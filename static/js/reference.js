// @ts-check
/** The reference: copy an example, and see all of them in the language that was chosen last. */
import { put, say } from './clipboard.js';

const KEPT = 'memweb-reference-language';

/** @param {string} language */
function choose(language) {
  for (const radio of document.querySelectorAll('.seg input')) {
    if (radio instanceof HTMLInputElement && radio.value === language) radio.checked = true;
  }
}

document.addEventListener('change', (event) => {
  const radio = /** @type {HTMLInputElement} */ (event.target);
  if (!radio.closest('.seg')) return;
  const was = radio.getBoundingClientRect().top;
  choose(radio.value);
  localStorage.setItem(KEPT, radio.value);
  scrollBy(0, radio.getBoundingClientRect().top - was); // examples above have grown or shrunk
});

document.addEventListener('click', async (event) => {
  const button = /** @type {Element} */ (event.target).closest('[data-copy-example]');
  const blocks = [...button?.closest('.ex')?.querySelectorAll('[data-language]') ?? []];
  const shown = blocks.find((block) => block.checkVisibility());
  if (!button || !shown) return;
  say(button, await put(shown.textContent ?? '') ? 'Copied' : 'Not copied');
});

choose(localStorage.getItem(KEPT) ?? '');

// On a phone the pages lie in one line, and this one may be far to the right.
document.querySelector('.toc [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });

// A link into a closed operation opens it.
function reveal() {
  const found = document.getElementById(location.hash.slice(1));
  if (found instanceof HTMLDetailsElement) found.open = true;
}
addEventListener('hashchange', reveal);
reveal();
