// @ts-check
/** The files in what was dropped, those in folders too; and those in what was pasted. */
import { isHidden, isReadable } from './progress.js';

const WRITING = 'input:not([type=checkbox], [type=radio], [type=file]), textarea, select, [contenteditable]';

/**
 * None in a field: what is pasted there is its text, and a table or a document puts a picture of itself beside that.
 * Elsewhere such text is known by its HTML: plain text alone may be the files' own names, which some systems add.
 * @param {ClipboardEvent} event @returns {File[]}
 */
export function filesPasted(event) {
  const target = event.target instanceof Element ? event.target : null;
  const data = event.clipboardData;
  if (!data || target?.closest(WRITING) || data.types.includes('text/html')) return [];
  return [...data.files];
}

/**
 * What was dropped, and how many files of the folders among it are left out, since nothing here reads them.
 * @param {DataTransfer} data @returns {Promise<{files: File[], left: number}>}
 */
export async function filesIn(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return { files: [...data.files], left: 0 };
  const chosen = (await Promise.all(entries.filter((entry) => entry.isFile).map(fileOf))).filter(Boolean);
  const found = (await Promise.all(entries.filter((entry) => entry.isDirectory).map(within))).flat();
  const files = found.filter(isReadable);
  return { files: [...chosen, ...files], left: found.filter((file) => !isHidden(file)).length - files.length };
}

const fileOf = (entry) => new Promise((resolve) => entry.file(resolve, () => resolve(null)));

async function within(folder) {
  const found = [];
  for (const inside of await listed(folder.createReader())) {
    if (inside.isDirectory) found.push(...(await within(inside)));
    else found.push(await fileOf(inside));
  }
  return found.filter(Boolean);
}

/** A reader gives a hundred at a time, and none when it is at its end. */
async function listed(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return all;
    all.push(...some);
  }
}
