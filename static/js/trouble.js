// @ts-check
/** What a request of htmx that failed means to the person who made it, in words. */

/** No answer, or that of a proxy in front of a server that is away. */
const AWAY = [0, 502, 503, 504];

/**
 * Empty for what the page asks by itself, a poll: it asks again.
 * @param {{verb: string, triggeringEvent?: Event}} request @param {number} status 0: no answer came
 * @returns {{words: string, link: string}} the link leads to this page, loaded anew
 */
export function trouble({ verb, triggeringEvent }, status) {
  const reads = verb.toLowerCase() === 'get';
  if (reads && !triggeringEvent) return { words: '', link: '' };
  if (status === 401) return { words: `You are signed out${reads ? '' : ': not saved'}.`, link: 'Sign in again' };
  if (AWAY.includes(status)) return { words: reads ? 'No answer. Try again.' : 'No answer: not saved. Try again.', link: '' };
  if (status === 429) return { words: `Too much at once${reads ? '' : ': not saved'}. Wait a moment, then try again.`, link: '' };
  return { words: reads ? 'That could not be shown.' : 'That did not work: not saved.', link: 'Load the page again' };
}
