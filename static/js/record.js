// @ts-check
/** Around a record's text: rename in place, copy all. */

const COPIED_MS = 2000;

document.addEventListener('dblclick', (event) => {
  const details = /** @type {Element} */ (event.target).closest('.titled')?.querySelector('details');
  if (details) details.open = true;
});

document.addEventListener('toggle', (event) => {
  const details = /** @type {HTMLDetailsElement} */ (event.target);
  if (details.matches('.renaming') && details.open) details.querySelector('input')?.select();
}, { capture: true });

document.addEventListener('keydown', (event) => {
  const details = /** @type {Element} */ (event.target).closest('details.renaming[open]');
  if (event.key !== 'Escape' || event.isComposing || !details) return;
  details.removeAttribute('open');
  details.querySelector('form')?.reset();
  details.querySelector('summary')?.focus();
});

document.addEventListener('htmx:afterSettle', (event) => {
  if (/** @type {Element} */ (event.target).id === 'titled') document.getElementById('title')?.focus();
});

document.addEventListener('click', async (event) => {
  const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-copy]'));
  if (!button) return;
  const label = button.querySelector('span');
  const before = label?.textContent ?? '';
  const copied = await copy(button.dataset.copy ?? '');
  if (!label) return;
  label.textContent = copied ? 'Copied' : 'Not copied. Export it as text.';
  setTimeout(() => { label.textContent = before; }, COPIED_MS);
});

/** Put what this address answers on the clipboard. @param {string} address @returns {Promise<boolean>} */
async function copy(address) {
  try {
    const answer = await fetch(address);
    if (!answer.ok) return false;
    const text = await answer.text();
    if (!navigator.clipboard) return copyBySelection(text);
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** The old way, for pages a browser does not trust: plain http on a local network. @param {string} text */
function copyBySelection(text) {
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done;
}
