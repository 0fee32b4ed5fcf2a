// @ts-check
/** A link that opens in a dialog (`data-sheet`): its page's fragment is put into <dialog id="sheet">. */
import './copies.js';

document.addEventListener('click', async (event) => {
  const link = /** @type {HTMLAnchorElement | null} */ (/** @type {Element} */ (event.target).closest('a[data-sheet]'));
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('sheet'));
  dialog.replaceChildren();
  try {
    await htmx.ajax('GET', link.href, { source: link, target: dialog, swap: 'innerHTML' });
  } catch {
    // The page itself is asked for below.
  }
  if (!dialog.childElementCount) return link.dataset.sheet === 'stay' ? link.dispatchEvent(new Event('mem-nosheet')) : location.assign(link.href);
  dialog.showModal();
  document.getElementById('sheet-title')?.focus(); // not `autofocus`: htmx would obey it again after every swap
});

// What was in it is not read again, nor asked for again by what listens in it.
document.addEventListener('close', (event) => {
  const dialog = /** @type {Element} */ (event.target);
  if (dialog.id === 'sheet') dialog.replaceChildren();
}, { capture: true });

// What had the focus may be gone with what an answer replaced.
document.addEventListener('htmx:afterSettle', (event) => {
  if (/** @type {Element} */ (event.target).id === 'sheet' && document.activeElement === document.body) document.getElementById('sheet-title')?.focus();
});
