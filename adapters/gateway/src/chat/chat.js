// The page of the web chat. What it asks for and gets is described in `chat.rs`.
//
// Texts become text nodes and never markup: the page's security policy forbids everything else.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const [log, scroll, welcome, typing, latest] = ["log", "scroll", "welcome", "typing", "latest"].map($);
  const [form, text, connection, said] = ["compose", "text", "connection", "said"].map($);

  // === What was said ===
  // Kept for this tab, so that a reload keeps what was read.

  const STORE = "dmgate-chat";
  const KEPT = 300;
  let entries = [];

  function load() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(STORE));
      entries = Array.isArray(kept) ? kept.filter((entry) => typeof entry?.text === "string") : [];
    } catch {
      entries = [];
    }
    // What was on its way when the page was closed may not have arrived; sent again, it counts once.
    for (const entry of entries) if (entry.state === "sending") entry.state = "failed";
  }

  function save() {
    entries = entries.slice(-KEPT);
    try {
      sessionStorage.setItem(STORE, JSON.stringify(entries));
    } catch {
      // Full, or not allowed: a reload then begins anew.
    }
  }

  // === Showing it ===

  function element(name, className, content) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (content) made.append(content);
    return made;
  }

  const isAtEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;

  function toEnd() {
    scroll.scrollTop = scroll.scrollHeight;
    latest.hidden = true;
  }

  // Does something to the page and keeps the end in view for those who were there.
  function follow(change, always = false) {
    const wasAtEnd = isAtEnd();
    change();
    if (wasAtEnd || always) toEnd();
    else latest.hidden = false;
  }

  function show(entry, isFresh) {
    const item = element("li", `message ${entry.mine ? "mine" : "theirs"} ${entry.kind || ""}`);
    item.classList.toggle("fresh", isFresh);
    item.dataset.id = entry.id;
    if (entry.at) item.title = new Date(entry.at).toLocaleString();
    item.append(entry.kind === "challenge" ? pairing(entry.text) : bubble(entry.text));
    if (entry.mine) item.append(element("div", "note"));
    welcome.hidden = true;
    log.append(item);
    if (entry.mine) showState(entry);
  }

  const itemOf = (entry) => log.querySelector(`[data-id="${CSS.escape(entry.id)}"]`);

  function showState(entry) {
    const item = itemOf(entry);
    if (!item) return;
    const note = item.querySelector(".note");
    for (const state of ["sending", "sent", "failed"]) item.classList.toggle(state, entry.state === state);
    if (entry.state !== "failed") {
      note.replaceChildren(entry.state === "sent" ? "Sent" : "Sending…");
      return;
    }
    const again = element("button", "", "Try again");
    again.type = "button";
    again.addEventListener("click", () => deliver(entry));
    note.replaceChildren(`${entry.why || "Not sent."} `, again);
  }

  // A text with its links.
  function bubble(words) {
    const made = element("div", "bubble");
    let end = 0;
    for (const found of words.matchAll(/\bhttps?:\/\/[^\s<>"'`]+/g)) {
      const address = found[0].replace(/[.,;:!?)\]}]+$/, "");
      if (!URL.canParse(address)) continue;
      const link = element("a", "", address);
      link.href = address;
      link.target = "_blank";
      link.rel = "noopener noreferrer nofollow";
      made.append(words.slice(end, found.index), link);
      end = found.index + address.length;
    }
    made.append(words.slice(end));
    return made;
  }

  // === The pairing message ===
  // Its words are the owner's to choose. The code is found by its form; where it ends a line it is shown large.

  const CODE = /(?<![A-Za-z0-9])[A-HJ-NP-Z2-9]{8}(?![A-Za-z0-9])/g;

  function codeOf(words) {
    const counts = new Map();
    for (const [code] of words.matchAll(CODE)) counts.set(code, (counts.get(code) || 0) + 1);
    const weight = ([code, count]) => count * 2 + (/\d/.test(code) ? 1 : 0);
    return [...counts].sort((one, other) => weight(other) - weight(one))[0]?.[0];
  }

  function pairing(words) {
    const code = codeOf(words);
    if (!code) return bubble(words);
    const made = element("div", "pairing");
    let isShown = false;
    for (const part of words.split(/\n+/)) {
      const [, label, value] = /^([^:]{1,60}):\s+(\S+)\s*$/.exec(part) || [];
      if (!isShown && (part.trim() === code || value === code)) {
        made.append(codeBox(label, code));
        isShown = true;
      } else if (part.includes(` ${code}`) && !/[.!?:]\s*$/.test(part)) {
        made.append(commandBox(part.trim()));
      } else if (value?.length > 30) {
        const line = element("p", "id", `${label}: `);
        line.append(element("code", "", value));
        made.append(line);
      } else if (part.trim()) {
        made.append(element("p", "", part));
      }
    }
    if (!isShown) made.prepend(codeBox("", code));
    made.append(element("p", "standing"));
    return made;
  }

  // No code works longer.
  const CODE_LIFE = 60 * 60 * 1000;

  const STANDINGS = {
    waiting: "Waiting for the owner",
    approved: "Approved",
    expired: "This code has expired. Write again to get a new one.",
  };

  // How it stands with a code, from what this page was sent: a notice or an answer means that one is in.
  function standingOf(at) {
    const later = entries.slice(at + 1);
    if (later.some((entry) => entry.kind === "notice" || entry.kind === "reply")) return "approved";
    const isOver = Date.now() - entries[at].at > CODE_LIFE || later.some((entry) => entry.kind === "challenge");
    return isOver ? "expired" : "waiting";
  }

  function showStandings() {
    entries.forEach((entry, at) => {
      const standing = entry.kind === "challenge" && itemOf(entry)?.querySelector(".standing");
      const now = standing && standingOf(at);
      if (!standing || standing.dataset.state === now) return;
      standing.dataset.state = now;
      standing.textContent = STANDINGS[now];
      standing.parentElement.classList.toggle("over", now !== "waiting");
    });
  }

  setInterval(showStandings, 30000);

  function codeBox(label, code) {
    const box = element("div", "code");
    if (label) box.append(element("span", "label", label));
    box.append(element("span", "value", code), copyButton("Copy code", code));
    return box;
  }

  function commandBox(command) {
    const box = element("div", "command");
    box.append(element("code", "", command), copyButton("Copy", command));
    return box;
  }

  function copyButton(label, words) {
    const button = element("button", "copy", label);
    button.type = "button";
    button.addEventListener("click", async () => {
      const done = await copy(words, button);
      button.textContent = done ? "Copied" : "Select and copy it by hand";
      said.textContent = button.textContent;
      setTimeout(() => { button.textContent = label; said.textContent = ""; }, 2500);
    });
    return button;
  }

  async function copy(words, button) {
    try {
      await navigator.clipboard.writeText(words);
      return true;
    } catch {
      // Not allowed without https: the old way, which selects what stands beside the button.
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      return document.execCommand("copy");
    }
  }

  // === The events ===

  let events = null;
  let opened = null;
  let hasSession = false;
  let tries = 0;
  let nextTry = 0;

  const STATES = {
    idle: "Ready when you are",
    opening: "Connecting…",
    open: "Connected",
    lost: "Connection lost, trying again…",
    elsewhere: "Open in other tabs",
  };

  function setConnection(state) {
    if (connection.dataset.state === state) return;
    connection.dataset.state = state;
    connection.textContent = STATES[state];
  }

  // Opens the events, if they are not; resolves when what is sent from now on will be received.
  function listen() {
    if (opened) return opened.promise;
    clearTimeout(nextTry);
    opened = Promise.withResolvers ? Promise.withResolvers() : withResolvers();
    // Whoever waits hears of trouble; where nobody does it is no error.
    opened.promise.catch(() => {});
    setConnection(tries > 1 ? "lost" : "opening");
    events = new EventSource("/chat/events");
    events.addEventListener("open", () => {
      tries = 0;
      setConnection("open");
      opened.resolve();
    });
    events.addEventListener("error", () => {
      setConnection("lost");
      // While it is connecting the browser tries again by itself.
      if (events.readyState !== EventSource.CLOSED) return;
      hangUp(new Error("closed"));
      tries += 1;
      nextTry = setTimeout(comeBack, Math.min(1000 * 2 ** tries, 30000));
    });
    events.addEventListener("text", (event) => receive(JSON.parse(event.data)));
    events.addEventListener("typing", showTyping);
    events.addEventListener("elsewhere", () => {
      hangUp(new Error("elsewhere"));
      setConnection("elsewhere");
    });
    return opened.promise;
  }

  function withResolvers() {
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
  }

  function hangUp(why) {
    events?.close();
    opened?.reject(why);
    events = opened = null;
  }

  // After a refusal: listens again, unless the session is gone.
  async function comeBack() {
    clearTimeout(nextTry);
    try {
      hasSession = (await (await fetch("/chat/session")).json()).session;
    } catch {
      tries += 1;
      nextTry = setTimeout(comeBack, Math.min(1000 * 2 ** tries, 30000));
      return;
    }
    if (hasSession) listen();
    else setConnection("idle");
  }

  for (const [target, name] of [[window, "online"], [window, "focus"], [document, "visibilitychange"]]) {
    target.addEventListener(name, () => {
      if (hasSession && !document.hidden && !opened) comeBack();
    });
  }

  function receive({ id, kind, text: words }) {
    if (!entries.some((entry) => entry.id === id && !entry.mine)) {
      const entry = { id, kind, text: words, at: Date.now() };
      entries.push(entry);
      save();
      follow(() => {
        hideTyping();
        show(entry, true);
        showStandings();
      });
    }
    // Said only now that it is kept. A text that was said twice to be received is one that was received.
    post("/chat/received", { ids: [id] }).catch(() => {});
  }

  let typingEnds = 0;

  function showTyping() {
    follow(() => { typing.hidden = false; });
    clearTimeout(typingEnds);
    typingEnds = setTimeout(hideTyping, 90000);
  }

  function hideTyping() {
    clearTimeout(typingEnds);
    typing.hidden = true;
  }

  // === Sending ===

  function post(path, body) {
    const init = { method: "POST", signal: AbortSignal.timeout(30000) };
    if (body) {
      init.body = JSON.stringify(body);
      init.headers = { "Content-Type": "application/json" };
    }
    return fetch(path, init);
  }

  const WHY = {
    401: "Not sent: this chat needs cookies.",
    413: "Not sent: it is too long.",
    429: "Not sent: too much at once.",
  };

  // Messages go one after another, in their order.
  let line = Promise.resolve();

  function deliver(entry) {
    entry.state = "sending";
    showState(entry);
    line = line.then(() => attempt(entry)).catch((error) => {
      entry.state = "failed";
      entry.why = WHY[error.status] || "Not sent.";
    }).then(() => {
      save();
      follow(() => showState(entry));
    });
  }

  async function attempt(entry) {
    if (!hasSession || !opened) {
      expect(await post("/chat/session"));
      hasSession = true;
    }
    // A code that comes at once must find the page open.
    await Promise.race([listen(), tooLate(15000)]);
    const answer = await post("/chat/messages", { text: entry.text, id: entry.id });
    if (answer.status === 401) {
      // The session is gone: the next try gets a new one.
      hasSession = false;
      hangUp(new Error("no session"));
    }
    expect(answer);
    entry.state = "sent";
  }

  function expect(answer) {
    if (!answer.ok) throw Object.assign(new Error("refused"), { status: answer.status });
  }

  function tooLate(after) {
    return new Promise((_, reject) => setTimeout(() => reject(new Error("too late")), after));
  }

  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (!words) return;
    const entry = { id: newId(), mine: true, text: words, at: Date.now(), state: "sending" };
    entries.push(entry);
    save();
    follow(() => show(entry, true), true);
    deliver(entry);
    text.value = "";
    fit();
    text.focus();
  });

  text.addEventListener("keydown", (event) => {
    // Not while an input method is composing a character.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });

  // For browsers that do not fit a field to its text by themselves.
  function fit() {
    if (CSS.supports("field-sizing", "content")) return;
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight + 2}px`;
  }

  text.addEventListener("input", fit);
  latest.addEventListener("click", toEnd);
  scroll.addEventListener("scroll", () => { if (isAtEnd()) latest.hidden = true; }, { passive: true });
  // The keyboard of a telephone makes the page smaller: the end stays in view.
  new ResizeObserver(() => { if (latest.hidden) toEnd(); }).observe(scroll);

  load();
  for (const entry of entries) show(entry, false);
  showStandings();
  toEnd();
  comeBack();
  if (matchMedia("(pointer: fine)").matches) text.focus();
})();
