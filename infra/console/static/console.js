// Keeps the panels of a page up to date, and says when the console cannot be heard.
"use strict";

(() => {
  const QUIET_MS = 12000; // three heartbeats
  const LOOK_MS = 1000;
  const { panels, process } = document.body.dataset;
  const notice = document.getElementById("connection");
  let stream = null;
  let heardAt = Date.now();

  const open = () => {
    stream = new EventSource(`/events?panels=${encodeURIComponent(panels)}`);
    stream.addEventListener("hello", (event) => {
      heard();
      // a console that was started anew knows neither the forms nor the files of this page
      if (event.data !== process && !isBeingFilledIn()) location.reload();
    });
    stream.addEventListener("here", heard);
    for (const name of panels.split(",")) {
      stream.addEventListener(name, (event) => {
        heard();
        replace(document.getElementById(name), event.data);
      });
    }
    stream.onerror = () => say("The console does not answer");
  };

  const close = () => {
    if (stream) stream.close();
    stream = null;
  };

  const heard = () => {
    heardAt = Date.now();
    notice.hidden = true;
    document.body.classList.remove("stale");
  };

  const say = (what) => {
    const since = new Date(heardAt).toLocaleTimeString();
    const text = `${what}; what stands here is from ${since}. It is tried again until it answers.`;
    if (notice.hidden || notice.textContent !== text) notice.textContent = text;
    notice.hidden = false;
    document.body.classList.add("stale");
  };

  const isBeingFilledIn = () =>
    [...document.querySelectorAll("input, textarea")].some((field) => field.value !== field.defaultValue);

  const signInAgain = (answer) => {
    if (answer.type === "opaqueredirect" && !isBeingFilledIn()) location.reload();
  };

  // What the reader has opened, scrolled or focused stays so.
  const replace = (panel, html) => {
    if (!panel) return;
    const opened = [...panel.querySelectorAll("details[open]")].map((each) => each.id);
    const scrolled = [...panel.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    const focused = panel.contains(document.activeElement) ? place(panel, document.activeElement) : -1;
    panel.innerHTML = html;
    for (const id of opened) {
      const details = id && document.getElementById(id);
      if (details) details.open = true;
    }
    panel.querySelectorAll(".scroll").forEach((each, number) => { each.scrollLeft = scrolled[number] || 0; });
    // what has ended is shown in another way than while it went on
    const until = document.querySelector("[data-until]");
    if (until && document.querySelector(until.dataset.until) && !isBeingFilledIn()) location.reload();
    const again = focused >= 0 && panel.querySelectorAll("a, button, summary, [tabindex]")[focused];
    if (again) again.focus({ preventScroll: true });
  };

  const place = (panel, element) =>
    [...panel.querySelectorAll("a, button, summary, [tabindex]")].indexOf(element);

  // A hidden page holds no connection: browsers allow six to one server, for all pages together.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!stream) { heardAt = Date.now(); open(); }
  });

  setInterval(() => {
    if (document.hidden || !stream) return;
    const isQuiet = Date.now() - heardAt > QUIET_MS;
    if (isQuiet) say("The console is silent");
    // one that was refused is not tried again by itself; who is signed out is asked to sign in
    const isRefused = stream.readyState === EventSource.CLOSED;
    if (isRefused) fetch(location.href, { method: "HEAD", redirect: "manual" }).then(signInAgain, () => {});
    if (isQuiet || isRefused) { close(); open(); }
  }, LOOK_MS);

  // What comes to a topic is put above what stood there, until it is wanted no more.
  const follow = document.getElementById("follow");
  if (follow) {
    const KEPT = 200;
    const records = document.getElementById("records");
    const told = document.getElementById("followed");
    let coming = null;
    let leftOut = 0;
    const stop = (text) => {
      if (coming) coming.close();
      coming = null;
      follow.setAttribute("aria-pressed", "false");
      follow.textContent = "Follow";
      told.textContent = text;
    };
    follow.addEventListener("click", () => {
      if (coming) { stop(""); return; }
      follow.setAttribute("aria-pressed", "true");
      follow.textContent = "Stop";
      told.textContent = "Looking …";
      coming = new EventSource(follow.dataset.stream);
      coming.addEventListener("follows", () => { if (!leftOut) told.textContent = "What comes is put on top."; });
      coming.addEventListener("record", (event) => {
        document.getElementById("none")?.remove();
        records.insertAdjacentHTML("afterbegin", event.data);
        while (records.childElementCount > KEPT) records.lastElementChild.remove();
      });
      coming.addEventListener("more", (event) => {
        leftOut += Number(event.data);
        told.textContent = `${leftOut} came too fast to be shown.`;
      });
      let trouble = "";
      coming.addEventListener("trouble", (event) => { trouble = event.data; });
      coming.addEventListener("here", () => { trouble = ""; });
      coming.onerror = () => {
        if (coming && coming.readyState === EventSource.CLOSED) stop("It cannot be followed.");
        else told.textContent = `${trouble || "The console does not answer."} It is tried again.`;
      };
    });
  }

  // Where a text was refused, the line that is the reason is chosen.
  const refused = document.querySelector("textarea[data-line]");
  if (refused) {
    const lines = refused.value.split("\n");
    const begin = lines.slice(0, refused.dataset.line - 1).join("\n").length + (refused.dataset.line > 1 ? 1 : 0);
    refused.focus();
    refused.setSelectionRange(begin, begin + (lines[refused.dataset.line - 1] || "").length);
  }

  if (!document.hidden) open();
})();
