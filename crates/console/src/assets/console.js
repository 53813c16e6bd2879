// What pages do better with a script; all of them work without. No state of its own: what it needs is in the HTML.
'use strict';

// Relative times go on being true.
function tellTimes(root) {
  const now = Date.now();
  for (const element of root.querySelectorAll('time[datetime]')) {
    const at = Date.parse(element.dateTime);
    if (!Number.isNaN(at)) element.textContent = ago(now - at, element.dateTime);
  }
}

// As layout/time.rs has it.
function ago(passed, date) {
  const second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
  if (Math.abs(passed) < 5 * second) return passed < 0 ? 'in a moment' : 'just now';
  const away = passed < 0 ? rounded(-passed, [day, hour, minute, second]) : passed;
  if (away >= 30 * day) return date.slice(0, 10);
  const [unit, name] = away < minute ? [second, 's'] : away < hour ? [minute, 'min'] : away < day ? [hour, 'h'] : [day, away < 2 * day ? 'day' : 'days'];
  const words = `${Math.floor(away / unit)} ${name}`;
  return passed < 0 ? `in ${words}` : `${words} ago`;
}

// What is to come is told to the nearest unit: a day that has just begun is 24 h, not 23.
function rounded(away, units) {
  const unit = units.find((unit) => away >= unit);
  return Math.round(away / unit) * unit;
}

// Buttons that copy: hidden until there is a script for them.
function offerCopies(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll('button[data-copy]')) button.hidden = false;
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  const word = button.querySelector('span');
  word.textContent = 'Copied';
  setTimeout(() => { word.textContent = 'Copy'; }, 1500);
}

// Parts that keep themselves up to date. Only while somebody looks: connections are few.
function follow(section) {
  let source = null;
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(section.dataset.live);
    source.onmessage = (event) => { show(section, event.data); };
    source.onerror = () => {
      // A refusal ends the source; a page that was left standing is loaded anew, which leads to the sign-in.
      if (source && source.readyState === EventSource.CLOSED) close();
    };
  };
  const close = () => {
    if (source) source.close();
    source = null;
  };
  document.addEventListener('visibilitychange', () => { if (document.hidden) close(); else open(); });
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', open);
  open();
}

// Whoever stands on a link or a field in there keeps it until they leave.
const waiting = new WeakMap();

function show(section, html) {
  if (!section.contains(document.activeElement)) return replace(section, html);
  if (!waiting.has(section)) {
    section.addEventListener('focusout', () => setTimeout(() => {
      const newest = waiting.get(section);
      waiting.delete(section);
      show(section, newest);
    }), { once: true });
  }
  waiting.set(section, html);
}

function replace(section, html) {
  const opened = new Set([...section.querySelectorAll('details[open][id]')].map((details) => details.id));
  section.innerHTML = html;
  for (const id of opened) {
    const details = section.querySelector(`#${CSS.escape(id)}`);
    if (details) details.open = true;
  }
  enrich(section);
}

// The theme changes at once; the form keeps the choice.
function switchTheme(form, button) {
  document.documentElement.dataset.theme = button.value;
  for (const other of form.querySelectorAll('button')) other.setAttribute('aria-pressed', String(other === button));
  const body = new URLSearchParams(new FormData(form));
  body.set('theme', button.value);
  fetch(form.action, { method: 'POST', body, redirect: 'manual' });
}

function enrich(root) {
  tellTimes(root);
  offerCopies(root);
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-copy]');
  if (button) copy(button);
});
document.addEventListener('submit', (event) => {
  if (event.target.matches('form.theme') && event.submitter) {
    event.preventDefault();
    switchTheme(event.target, event.submitter);
  }
});
// A form is sent once, however often its button is pressed.
document.addEventListener('submit', (event) => {
  if (event.defaultPrevented || event.target.method !== 'post') return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = 'yes';
});
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});

enrich(document);
// On a phone the tabs are wider than the window.
const tab = document.querySelector('.tabs [aria-current]');
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - 16;
for (const section of document.querySelectorAll('[data-live]')) follow(section);
setInterval(() => tellTimes(document), 10000);
