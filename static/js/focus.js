// @ts-check
/** Where the focus goes when what has it leaves the page: to its like beside it, else to the page's text. */

/** Call before it is removed. @param {Element} leaving */
export function leave(leaving) {
  if (leaving.contains(document.activeElement)) enter(leaving.nextElementSibling ?? leaving.previousElementSibling);
}

/** To the first thing in it that takes the focus. @param {Element | null} part */
export function enter(part) {
  const inside = /** @type {HTMLElement[]} */ ([...(part?.querySelectorAll('a[href], button') ?? [])]);
  (inside.find((one) => one.checkVisibility()) ?? document.getElementById('main'))?.focus();
}
