// @ts-check
/** The export dialog: htmx brings its form, this shows it, and closes it once the file is on its way. */

const dialog = () => /** @type {HTMLDialogElement | null} */ (document.getElementById('export'));

document.addEventListener('htmx:afterSettle', (event) => {
  const box = dialog();
  if (event.target === box && box && !box.open) box.showModal();
});

document.addEventListener('click', (event) => {
  if (/** @type {Element} */ (event.target).closest('#export [data-close]')) dialog()?.close();
});

document.addEventListener('submit', (event) => {
  if (/** @type {Element} */ (event.target).closest('#export')) setTimeout(() => dialog()?.close());
});
