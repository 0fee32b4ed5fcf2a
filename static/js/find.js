// @ts-check
/** The search that is everywhere: `/` or Ctrl/Cmd+K opens it, arrows walk through what was found, Enter opens. */
import { focusOf } from './shortcuts.js';

const dialog = () => /** @type {HTMLDialogElement | null} */ (document.getElementById('find'));

/** Into the page's own field where it has one. */
function open() {
  const own = /** @type {HTMLInputElement | null} */ (document.querySelector('main .search input'));
  if (own) {
    own.focus(); // to select alone gives no focus in Safari
    own.select();
    return;
  }
  const find = dialog();
  if (!find || document.querySelector('dialog[open]')) return;
  find.showModal();
  const field = find.querySelector('input');
  field?.focus();
  field?.select();
}

/** @param {KeyboardEvent} event */
function walk(event) {
  const links = /** @type {HTMLElement[]} */ ([...(dialog()?.querySelectorAll('#found a') ?? [])]);
  const at = links.indexOf(/** @type {HTMLElement} */ (document.activeElement)) + (event.key === 'ArrowDown' ? 1 : -1);
  event.preventDefault();
  if (at < 0) dialog()?.querySelector('input')?.focus();
  else links[Math.min(at, links.length - 1)]?.focus();
}

document.addEventListener('keydown', (event) => {
  if (event.isComposing || event.altKey) return;
  const command = event.ctrlKey || event.metaKey;
  const focus = focusOf(document.activeElement);
  if (command && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    open();
  } else if (event.key === '/' && !command && !focus.field && !focus.dialog) {
    event.preventDefault();
    open();
  } else if (dialog()?.open && event.key === 'Escape') {
    // A search field would only empty itself.
    event.preventDefault();
    dialog()?.close();
  } else if (dialog()?.open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
    walk(event);
  }
});

document.addEventListener('click', (event) => {
  const target = /** @type {Element} */ (event.target);
  if (target === dialog() || target.closest('#find [data-close]')) dialog()?.close();
  if (!target.closest('a[data-find]')) return; // the buttons of a record's own find bar have another [data-find]
  event.preventDefault();
  open();
});
