// Shows the page in a state it cannot be driven into at will, by the page's own view.
async ({ more, words }) => {
  const address = document.querySelector('script[src*="dictation"]').src.replace('dictation.js', 'view.js');
  const { View } = await import(address);
  window.testsView ??= new View(() => {});
  const facts = {
    phase: 'recording', problem: null, trouble: null, device: 'Built-in microphone', line: true, everUp: true,
    server: 'listening', note: '', engine: 'moonshine', cost: null, capturedMs: 134000, safeMs: 126000,
    transcribedMs: 132000, lagMs: 0, quietFrames: 0, heard: true, unsent: 80, keeps: true,
    stalled: false, gap: null, unsafeMs: 0, restFrames: 0, restsInMs: null, restedMs: 0, voicedMs: 0, voicedFrom: 114000, ...more,
  };
  const spoken = words && facts.phase !== 'idle' && facts.phase !== 'asking';
  const phrase = (key, start, text) => `<p id="s-${key}" data-start="${start}" data-end="${start + 4000}">${text} </p>`;
  const log = spoken ? words.map((text, i) => phrase(i, i * 9000, text)).join('') : '';
  window.testsView.html(`<div hx-swap-oob="innerHTML:#log">${log}</div>`);
  const text = spoken && facts.phase === 'recording' ? 'and how the recorder was left running through' : '';
  window.testsView.partial({ text, start_ms: 18500 });
  for (let i = 0; i < 86; i++) window.testsView.level(Math.abs(Math.sin(i / 7)) * Math.abs(Math.sin(i / 2)) / 4);
  window.testsView.render(facts);
}
